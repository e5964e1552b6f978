"""The ports: what Palio asks of its log, its durable store, its readable copy, its updates and its metrics.

Each file declares one port and states its guarantees (order, atomicity, duplicates, loss, fencing). One contract suite,
`tests/contract`, judges every implementation.
"""

from storage.ports.errors import (
    LogBehindError,
    LogConfigurationError,
    LogDiskFullError,
    LogError,
    LogOverloadedError,
    LogTruncatedError,
    LogUnavailableError,
    ReadModelFullError,
    ReadModelUnavailableError,
    RecordsUnavailableError,
    StorageError,
    StorageVersionError,
)
from storage.ports.metrics import MetricsSeries, Point
from storage.ports.owners import (
    LiveSnapshot,
    OwnerMovedError,
    OwnerRecordsError,
    Owners,
    OwnerUnavailableError,
    RankingsQuery,
    Reply,
    Standing,
)
from storage.ports.read_model import CopyPosition, ReadModel, ReadModelDelta, ReadModelRow
from storage.ports.records import (
    Checkpoint,
    ListQuery,
    OutboxRow,
    Page,
    ParticipantRow,
    Records,
    StoredSnapshot,
    TournamentRow,
)
from storage.ports.score_log import DeadLetter, LogBounds, LogRange, LogReader, LogRecord, NewRecord, ScoreLog
from storage.ports.updates import Publication, Subscription, Updates

__all__ = [
    "Checkpoint",
    "CopyPosition",
    "DeadLetter",
    "ListQuery",
    "LiveSnapshot",
    "LogBehindError",
    "LogBounds",
    "LogConfigurationError",
    "LogDiskFullError",
    "LogError",
    "LogOverloadedError",
    "LogRange",
    "LogReader",
    "LogRecord",
    "LogTruncatedError",
    "LogUnavailableError",
    "MetricsSeries",
    "NewRecord",
    "OutboxRow",
    "OwnerMovedError",
    "OwnerRecordsError",
    "OwnerUnavailableError",
    "Owners",
    "Page",
    "ParticipantRow",
    "Point",
    "Publication",
    "RankingsQuery",
    "ReadModel",
    "ReadModelDelta",
    "ReadModelFullError",
    "ReadModelRow",
    "ReadModelUnavailableError",
    "Records",
    "RecordsUnavailableError",
    "Reply",
    "ScoreLog",
    "Standing",
    "StorageError",
    "StorageVersionError",
    "StoredSnapshot",
    "Subscription",
    "TournamentRow",
    "Updates",
]
