"""How the score log on Kafka is set up: addresses, topics, bounds, security."""

from __future__ import annotations

import logging
import ssl
import time
from dataclasses import dataclass, field
from typing import Any, Final, Literal

SecurityProtocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
SaslMechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]

DAY_MS: Final = 86_400_000


class Sparse(logging.Filter):
    """Passes a kind of message once in `interval_s`: a client that tries to reach a broker says the same again and again."""

    def __init__(self, interval_s: float = 10.0) -> None:
        super().__init__()
        self._interval_s = interval_s
        self._passed_at: dict[str, float] = {}  # by the message's template, of which there are only so many

    def filter(self, record: logging.LogRecord) -> bool:
        """See logging.Filter."""
        now_s = time.monotonic()
        if now_s - self._passed_at.get(record.msg, -self._interval_s) < self._interval_s:
            return False
        self._passed_at[record.msg] = now_s
        return True


# At DEBUG this logger writes whole requests, and one of them carries the password.
logging.getLogger("aiokafka.conn").setLevel(logging.INFO)
for _name in ("aiokafka", "aiokafka.conn", "aiokafka.cluster"):
    logging.getLogger(_name).addFilter(Sparse())


@dataclass(frozen=True)
class KafkaLogConfig:
    """`bootstrap_servers` is `host:port`, several separated by commas.

    `topic` with `partitions` is the log.
    `topic_id`: the topic must exist and have this id, None: it is made where it is missing.
    `replication_factor`, `min_insync_replicas`, `retention_ms`, `max_message_bytes`: what topics are made with and checked for.
    `max_queued` records and `max_queued_bytes` bound what one process holds that is not acknowledged yet.
    `linger_ms`: how long a flush gathers. `request_timeout_ms`: how long one request to a broker may take; `call_timeout_ms`: how long
    a call (not `append`, which has its own) goes on trying. `fetch_max_wait_ms`: how long a broker holds a fetch without news.
    `cafile`, `certfile`, `keyfile`: PEM files for TLS; the last two where the broker asks for a certificate (None: the key is in `certfile`).
    """

    bootstrap_servers: str
    topic: str = "tournament-scores"
    topic_id: str | None = None
    partitions: int = 50
    replication_factor: int = 3
    min_insync_replicas: int = 2
    retention_ms: int = 7 * DAY_MS
    max_message_bytes: int = 1 << 20
    dead_letter_retention_ms: int = 30 * DAY_MS
    max_dead_letters: int = 10_000
    max_queued: int = 10_000
    max_queued_bytes: int = 64 << 20
    linger_ms: float = 1.0
    request_timeout_ms: int = 3_000
    call_timeout_ms: int = 10_000
    fetch_max_wait_ms: int = 250
    security_protocol: SecurityProtocol = "PLAINTEXT"
    sasl_mechanism: SaslMechanism = "PLAIN"
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    cafile: str | None = None
    certfile: str | None = None
    keyfile: str | None = None

    @property
    def letters_topic(self) -> str:
        """The topic of dead letters."""
        return f"{self.topic}-dlq"

    @property
    def commit_group(self) -> str:
        """The group whose committed offsets tell what is durable elsewhere."""
        return f"{self.topic}-durable"

    @property
    def max_letter_bytes(self) -> int:
        """A dead letter is a whole record and what is said of it."""
        return self.max_message_bytes + (64 << 10)

    def connection(self) -> dict[str, Any]:
        """The arguments of aiokafka's clients. Raises OSError for a file that cannot be read, ssl.SSLError for one that is none."""
        context = None
        if self.security_protocol in ("SSL", "SASL_SSL"):
            context = ssl.create_default_context(cafile=self.cafile)
            if self.certfile is not None:
                context.load_cert_chain(
                    self.certfile, self.keyfile, password=""
                )  # one that is encrypted is an error, and asks nobody
        return {
            "client_id": "palio",
            "request_timeout_ms": self.request_timeout_ms,
            "security_protocol": self.security_protocol,
            "ssl_context": context,
            "sasl_mechanism": self.sasl_mechanism,
            "sasl_plain_username": self.username,
            "sasl_plain_password": self.password,
        }
