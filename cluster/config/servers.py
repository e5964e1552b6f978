"""The settings of the real servers behind Palio's ports: a server that is named takes the embedded part's place.

`kafka`, `mysql`, `redis` and `influx` make of them what the implementations are opened with, None where the part is embedded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Self
from urllib.parse import urlencode

from pydantic import Field, SecretStr, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from cluster.config.archive import ArchiveSettings
from cluster.config.standards import StandardsSettings

if TYPE_CHECKING:
    from storage.metrics.influx import InfluxConfig
    from storage.records.mysql.engine import MysqlOptions, MysqlServer
    from storage.redis_client.connection import RedisConfig
    from storage.score_log.kafka.config import KafkaLogConfig


class ServerSettings(ArchiveSettings, StandardsSettings):
    """See the module. Durations end in `_s`."""

    kafka_bootstrap_servers: str | None = Field(
        None, min_length=1, description="Kafka's addresses, `host:port,host:port`; without them the log is SQLite."
    )
    kafka_topic: str = Field("tournament-scores", min_length=1, description="Topic of the score log.")
    kafka_topic_id: str | None = Field(
        None, min_length=1, description="Id that the topic must have; without it whichever topic is there at the start."
    )
    kafka_replication_factor: int = Field(3, ge=1, le=100, description="Replicas of the topics, checked at start.")
    kafka_min_insync_replicas: int = Field(2, ge=1, le=100, description="Replicas that have a record when it counts.")
    kafka_retention_s: float = Field(7 * 86_400, ge=7200, description="How long the topic keeps records.")
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="How connections to Kafka are secured."
    )
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        "PLAIN", description="How Palio signs in at Kafka."
    )
    kafka_user: str | None = Field(None, description="Palio's user at Kafka.")
    kafka_password: SecretStr | None = Field(None, description="Its password.")
    kafka_ca_file: str | None = Field(None, description="PEM file of the authorities that Kafka's certificates are of.")
    kafka_cert_file: str | None = Field(None, description="PEM file of the certificate that Palio shows Kafka.")
    kafka_key_file: str | None = Field(None, description="PEM file of its key; without it, in the certificate's file.")

    mysql_shards: str | None = Field(
        None,
        min_length=1,
        description="Shards, `primary/replica/replica,primary/replica` with host:port each; without them SQLite. Keep their order.",
    )
    mysql_user: str = Field("palio", description="Palio's user at MySQL.")
    mysql_password: SecretStr | None = Field(None, description="Its password.")
    mysql_database: str = Field("palio", min_length=1, description="Database on every shard.")
    mysql_tls: bool = Field(False, description="Whether connections to MySQL are encrypted.")
    mysql_ca_file: str | None = Field(None, description="PEM file of the authorities that MySQL's certificates are of.")
    mysql_cert_file: str | None = Field(None, description="PEM file of the certificate that Palio shows MySQL.")
    mysql_key_file: str | None = Field(None, description="PEM file of its key; without it, in the certificate's file.")

    redis_urls: str | None = Field(
        None,
        min_length=1,
        description="Redis, `redis://host:port,...` (rediss: TLS); without it the read model is snapshots, and updates go through an actor.",
    )
    redis_cluster: bool = Field(False, description="Whether it is a Redis Cluster (cluster-node-timeout 1500 at most).")
    redis_user: str | None = Field(None, description="Palio's user at Redis.")
    redis_password: SecretStr | None = Field(None, description="Its password.")
    redis_ca_file: str | None = Field(None, description="PEM file of the authorities that Redis's certificates are of.")
    redis_cert_file: str | None = Field(None, description="PEM file of the certificate that Palio shows Redis.")
    redis_key_file: str | None = Field(None, description="PEM file of its key; without it, in the certificate's file.")
    redis_expire_after_end_s: float = Field(3600, ge=1, description="How long Redis keeps a tournament that is over.")

    influx_url: str | None = Field(
        None, min_length=1, description="InfluxDB, `http://host:port`; without it the series are Parquet files."
    )
    influx_database: str = Field("palio", min_length=1, description="Its database, or bucket, which must exist.")
    influx_user: str = Field("", description="Palio's user at InfluxDB.")
    influx_password: SecretStr | None = Field(None, description="Its password.")
    influx_token: SecretStr | None = Field(None, description="A token instead of the user: InfluxDB 2, 3, or 1.8.")
    influx_org: str = Field("", description="With a token: the organisation of the bucket; InfluxDB 3 has none.")
    influx_retention_policy: str = Field("", description="Retention policy; without one the database's default.")
    influx_ca_file: str = Field("", description="PEM file of the authorities that InfluxDB's certificate is of.")

    @field_validator("kafka_bootstrap_servers", "mysql_shards", "redis_urls", "influx_url", mode="before")
    @classmethod
    def _without_passwords(cls, value: object, info: ValidationInfo) -> object:
        if isinstance(value, str) and "@" in value:
            part = str(info.field_name).partition("_")[0].upper()
            raise PydanticCustomError(
                "credentials", f"addresses alone; user and password are PALIO_{part}_USER and PALIO_{part}_PASSWORD"
            )
        return value

    @model_validator(mode="after")
    def _readable(self) -> Self:
        if self.kafka_min_insync_replicas > self.kafka_replication_factor:
            raise ValueError(
                f"PALIO_KAFKA_MIN_INSYNC_REPLICAS: expected at most PALIO_KAFKA_REPLICATION_FACTOR "
                f"({self.kafka_replication_factor}), got {self.kafka_min_insync_replicas}"
            )
        for part in (self.mysql_shards or "").replace("/", ",").split(","):
            if self.mysql_shards is not None and not _is_address(part):
                raise ValueError(f"PALIO_MYSQL_SHARDS: expected host:port for each server, got {part!r}")
        if self.kafka_bootstrap_servers is None and self.kafka_topic_id is not None:
            raise ValueError("PALIO_KAFKA_TOPIC_ID: expected PALIO_KAFKA_BOOTSTRAP_SERVERS beside it, got none")
        return self

    @model_validator(mode="after")
    def _encrypted(self) -> Self:
        """A file for TLS where there is none would be a promise that nobody keeps."""
        redis_urls = (self.redis_urls or "").split(",")
        for part, is_encrypted, how in (
            ("KAFKA", self.kafka_security_protocol.endswith("SSL"), "PALIO_KAFKA_SECURITY_PROTOCOL SSL or SASL_SSL"),
            ("MYSQL", self.mysql_tls, "PALIO_MYSQL_TLS"),
            ("REDIS", all(url.startswith("rediss://") for url in redis_urls), "rediss:// in PALIO_REDIS_URLS"),
        ):
            given = {kind: getattr(self, f"{part.lower()}_{kind.lower()}_file") for kind in ("CA", "CERT", "KEY")}
            for kind, file in given.items():
                if file is not None and not is_encrypted:
                    raise ValueError(
                        f"PALIO_{part}_{kind}_FILE: expected {how} beside it, got an unencrypted connection"
                    )
            if given["KEY"] is not None and given["CERT"] is None:
                raise ValueError(f"PALIO_{part}_KEY_FILE: expected PALIO_{part}_CERT_FILE beside it, got none")
        return self

    def kafka(self, partitions: int, max_queued: int, linger_ms: float) -> KafkaLogConfig | None:
        """The log on Kafka."""
        if self.kafka_bootstrap_servers is None:
            return None
        from storage.score_log.kafka.config import KafkaLogConfig

        return KafkaLogConfig(
            bootstrap_servers=self.kafka_bootstrap_servers,
            topic=self.kafka_topic,
            topic_id=self.kafka_topic_id,
            partitions=partitions,
            replication_factor=self.kafka_replication_factor,
            min_insync_replicas=self.kafka_min_insync_replicas,
            retention_ms=round(self.kafka_retention_s * 1000),
            max_queued=max_queued,
            linger_ms=linger_ms,
            security_protocol=self.kafka_security_protocol,
            sasl_mechanism=self.kafka_sasl_mechanism,
            username=self.kafka_user,
            password=_plain(self.kafka_password),
            cafile=self.kafka_ca_file,
            certfile=self.kafka_cert_file,
            keyfile=self.kafka_key_file,
        )

    def mysql(self) -> MysqlOptions | None:
        """The shards of MySQL."""
        if self.mysql_shards is None:
            return None
        from storage.records.mysql.engine import MysqlOptions, MysqlShard

        shards = []
        for shard in self.mysql_shards.split(","):
            primary, *replicas = (_server(address) for address in shard.split("/"))
            shards.append(MysqlShard(primary, tuple(replicas)))
        return MysqlOptions(
            shards=tuple(shards),
            user=self.mysql_user,
            password=_plain(self.mysql_password) or "",
            database=self.mysql_database,
            tls=self.mysql_tls,
            tls_ca_file=self.mysql_ca_file,
            tls_cert_file=self.mysql_cert_file,
            tls_key_file=self.mysql_key_file,
        )

    def redis(self) -> RedisConfig | None:
        """Redis, for the read model and updates."""
        if self.redis_urls is None:
            return None
        from storage.redis_client.connection import RedisConfig

        files = {
            "ssl_ca_certs": self.redis_ca_file,
            "ssl_certfile": self.redis_cert_file,
            "ssl_keyfile": self.redis_key_file or self.redis_cert_file,
        }
        options = urlencode({name: file for name, file in files.items() if file is not None})
        return RedisConfig(
            urls=tuple(
                f"{url}{'&' if '?' in url else '?'}{options}" if options else url for url in self.redis_urls.split(",")
            ),
            cluster=self.redis_cluster,
            username=self.redis_user,
            password=_plain(self.redis_password),
        )

    def influx(self) -> InfluxConfig | None:
        """InfluxDB, for the metric series."""
        if self.influx_url is None:
            return None
        from storage.metrics.influx import InfluxConfig

        return InfluxConfig(
            url=self.influx_url,
            database=self.influx_database,
            user=self.influx_user,
            password=_plain(self.influx_password) or "",
            token=_plain(self.influx_token) or "",
            org=self.influx_org,
            retention_policy=self.influx_retention_policy,
            ca_file=self.influx_ca_file,
        )


def _plain(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value()


def _is_address(text: str) -> bool:
    host, _, port = text.rpartition(":")
    return bool(host) and port.isascii() and port.isdigit() and len(port) <= 5 and int(port) <= 65_535


def _server(address: str) -> MysqlServer:
    from storage.records.mysql.engine import MysqlServer

    host, _, port = address.rpartition(":")
    return MysqlServer(host, int(port))
