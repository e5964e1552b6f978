"""The ports: what Palio asks of its log, its durable store, its read model, its updates and its metrics.

Each file declares one port and states its guarantees (order, atomicity, duplicates, loss, fencing). One contract suite,
`tests/contract`, judges every implementation.
"""

from storage.ports.archive import ArchiveFiles, digest_of, state_name, table_name
from storage.ports.archive_index import Archived, ArchiveIndex, ArchivePlace
from storage.ports.attempts import AttemptBlocks, Kept, StoredAttempts, WaitingTournament
from storage.ports.errors import (
    ArchiveUnavailableError,
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
from storage.ports.metrics import (
    MAX_READ_POINTS,
    MetricsSeries,
    Point,
    SeriesTooLargeError,
    SeriesUnavailableError,
    Tags,
    Value,
)
from storage.ports.notice_channels import SENT, Delivery, Letter, NoticeChannel
from storage.ports.notices import NoticeJob, NoticeRetry, Notices, StoredSettings
from storage.ports.operations import (
    RUNNING,
    Finding,
    IngestReport,
    Operations,
    OwnerReport,
    PartitionReport,
    ScopeReport,
    ShardPlace,
    Shards,
    ShardServer,
)
from storage.ports.owners import (
    Access,
    AccessQuery,
    ChildrenQuery,
    CohortsQuery,
    GroupRankingsQuery,
    GroupsQuery,
    HistoryQuery,
    InvitationsQuery,
    LiveQuery,
    LiveSnapshot,
    OwnerMovedError,
    OwnerRecordsError,
    Owners,
    OwnerUnavailableError,
    ParticipantQuery,
    PrizesQuery,
    Query,
    RankingsQuery,
    Reply,
    ResultsQuery,
    SearchQuery,
    SeriesQuery,
    Standing,
    StandingsQuery,
    TeamsQuery,
    ViewQuery,
)
from storage.ports.payouts import Payout, PayoutRefusedError, Payouts, PayoutUnavailableError
from storage.ports.prizes import (
    PRIZES_EFFECT,
    PRIZES_EFFECT_NUMBER,
    LedgerChangedError,
    PrizeLedger,
    UserPrize,
)
from storage.ports.read_model import KeptReadModel, ReadModel, ReadModelDelta, ReadModelPosition
from storage.ports.records import (
    OVER_EFFECTS,
    UNLISTED_TYPES,
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
