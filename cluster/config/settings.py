"""Every setting of Palio: read once, at the edge, and handed on as a frozen value.

`load_settings()` reads the environment (`PALIO_PORT=9000`) and the TOML file that PALIO_CONFIG names (`port = 9000`, or `[kafka]` with
`bootstrap_servers`); the command line goes before the environment, and that before the file. An unknown or ill-typed setting is a
SettingsError that names it. `scripts/palio settings` lists them all.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, Self, get_args, get_origin

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import SettingsConfigDict

from cluster.config.servers import ServerSettings
from cluster.errors import SettingsError
from serve_app.http.cors import Cors
from serve_app.security.client_address import TrustedProxies

PREFIX: Final = "PALIO_"
CONFIG_FILE: Final = f"{PREFIX}CONFIG"
OF_CLIENTS: Final = ("PALIO_URL", "PALIO_TOKEN")  # where `scripts/palio` asks, and as whom: no settings of a Palio
_TYPE_NAMES: Final[list[tuple[object, str]]] = [
    (SecretStr, "secret"),
    (Path, "path"),
    (str, "text"),
    (bool, "true or false"),
    (int, "integer"),
    (float, "number"),
]
API_URL: Final = (
    "api_url"  # in the data directory while its Palio runs: where the commands of this machine find the api
)
PROJECT_DIR: Final = Path(__file__).resolve().parents[2]
TOPICS: Final = {  # by the first setting of each; the others follow it
    "PALIO_HOST": "Where Palio listens and keeps its data",
    "PALIO_PARTITIONS": "Processes",
    "PALIO_PUBLISH_INTERVAL_MS": "Owners of tournaments",
    "PALIO_LOG_WINDOW_MS": "The score log and ingest",
    "PALIO_PLAYER_RATE": "Limits of the api and the gateway",
    "PALIO_VIEW_CACHE_MS": "Caches",
    "PALIO_JWT_ALGORITHM": "Tokens and signatures",
    "PALIO_METRICS_INTERVAL_S": "Metrics",
    "PALIO_LTI_TOOLS": "The field's own formats",
    "PALIO_NOTIFICATION_SECRET": "Notifications",
    "PALIO_SMTP_HOST": "Notifications: e-mail",
    "PALIO_PUSH_PRIVATE_KEY": "Notifications: web push",
    "PALIO_PAYOUT_URL": "Prizes: who pays them out",
    "PALIO_ARCHIVE_URL": "The archive",
    "PALIO_KAFKA_BOOTSTRAP_SERVERS": "Kafka: the score log",
    "PALIO_MYSQL_SHARDS": "MySQL: snapshots and records",
    "PALIO_REDIS_URLS": "Redis: read model and live updates",
    "PALIO_INFLUX_URL": "InfluxDB: metric series",
}


class Settings(ServerSettings):
    """One Palio's settings. Durations end in `_s` or `_ms`, sizes in `_bytes`; counts have no unit."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False
    )

    host: str = Field("127.0.0.1", min_length=1, description="Address that the api and the gateway listen on.")
    port: int = Field(8000, ge=1, le=65535, description="Port of the api: REST, the page, /metrics.")
    gateway_port: int = Field(8001, ge=1, le=65535, description="Port of the gateway: live sockets, views, scores.")
    gateway_public_url: str | None = Field(
        None,
        min_length=1,
        description="URL of the gateway that clients are told, `https://host`; without it PALIO_HOST and PALIO_GATEWAY_PORT.",
    )
    data_dir: Path = Field(
        PROJECT_DIR / "var" / "data", description="Directory of the log, the records and the secrets."
    )
    demo: bool = Field(True, description="Whether scripts/run replays the demo.")
    demo_players: bool | None = Field(
        None, description="Whether the page gives anyone a demo player; without it, as PALIO_DEMO."
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "WARNING", description="Least severe log line written."
    )

    partitions: int = Field(
        50, ge=1, le=10_000, description="Partitions of the score log; fixed for the life of a data directory."
    )
    ray_address: str | None = Field(
        None,
        min_length=1,
        description="A running Ray cluster to join, `host:port`; without it one is started on this machine.",
    )
    shards: int = Field(1, ge=1, le=1000, description="Shared tournament actors; partitions are spread over them.")
    ingest_actors: int = Field(1, ge=1, le=1000, description="Ingest actors; partitions are spread over them.")
    api_replicas: int = Field(1, ge=1, le=100, description="Replicas of the api.")
    gateway_replicas_min: int = Field(1, ge=1, le=1000, description="Gateway replicas kept at least.")
    gateway_replicas_max: int = Field(
        2, ge=1, le=1000, description="Gateway replicas started at most, by connections and load."
    )
    max_dedicated: int = Field(
        2, ge=0, le=100_000, description="Tournaments that may have an actor alone at one time; more share."
    )
    dedicated_capacity: int = Field(
        10_000, ge=1, description="Capacity from which a tournament of placement `auto` gets an actor alone."
    )

    publish_interval_ms: int = Field(
        50, ge=50, le=60_000, description="Least time between two updates of a tournament (50: 20 a second)."
    )
    checkpoint_interval_ms: int = Field(
        1000,
        ge=10,
        le=60_000,
        description="Least time between two durable checkpoints of an owner; costly ones come less often.",
    )
    checkpoint_max_interval_s: float = Field(30, gt=0, le=30, description="Most time a durable snapshot may be behind.")
    delivery_timeout_s: float = Field(
        10, gt=0, le=300, description="Wait for an owner to take a delivered range before trying anew."
    )
    owner_call_timeout_s: float = Field(
        2, gt=0, le=60, description="Wait for an owner's answer before the read model answers instead."
    )

    log_window_ms: float = Field(1, ge=0, le=1000, description="How long a group commit gathers appends.")
    log_max_queued: int = Field(10_000, ge=1, description="Appends waiting in one process; more are refused with 503.")
    max_clock_ahead_s: float = Field(
        60,
        gt=0,
        description="How far the log's clock may be ahead of the wall clock; beyond it creates get 503 `clock_ahead`.",
    )
    log_keep_s: float = Field(600, ge=0, description="How long records below every watermark are kept.")
    ingest_batch: int = Field(2000, ge=1, le=100_000, description="Records read from a partition at once.")
    ingest_urgent_batch: int = Field(
        100,
        ge=1,
        le=100_000,
        description="Records of one tournament in a range when an owner is behind and the nearest deadlines go first.",
    )
    ingest_moves_per_s: int = Field(
        5000, ge=1, description="Scores in the wrong partition that an ingest actor moves to theirs in a second."
    )
    ingest_buffer: int = Field(
        20_000, ge=1, description="Records an ingest actor holds undelivered; then it stops reading."
    )

    player_rate: float = Field(20, gt=0, description="Requests a second of a player.")
    player_burst: int = Field(40, ge=1, description="Requests of a player at once.")
    service_rate: float = Field(10_000, gt=0, description="Requests a second of a service or an operator.")
    service_burst: int = Field(10_000, ge=1, description="Requests of a service or an operator at once.")
    anonymous_rate: float = Field(50, gt=0, description="Requests a second of an address without a token.")
    anonymous_burst: int = Field(100, ge=1, description="Requests of an address without a token at once.")
    trusted_proxies: str = Field(
        "",
        description="Addresses and networks of the proxies in front, `10.0.0.0/8,127.0.0.1`: their X-Forwarded-For says who calls.",
    )
    cors_origins: str = Field(
        "",
        description="Origins whose pages may call with a token, `https://game.example,https://www.game.example`, or `*`.",
    )
    rate_limit_entries: int = Field(
        100_000, ge=1, description="Callers whose rate is remembered in a process; the least recent is forgotten."
    )
    max_api_connections: int = Field(5000, ge=1, description="HTTP connections of an api replica; more get 503.")
    max_body_bytes: int = Field(1024 * 1024, ge=1024, description="Largest request body; beyond it 413.")
    max_unverified_body_bytes: int = Field(
        64 * 1024, ge=1024, description="Largest request body without a token that verifies; beyond it 413."
    )
    max_unread_body_bytes: int = Field(
        64 * 1024 * 1024,
        ge=1024 * 1024,
        description="Bytes of bodies that a process holds before they are whole; more get 503, without a valid token beyond half of it.",
    )
    max_frame_bytes: int = Field(16 * 1024, ge=256, description="Largest frame a client may send on a live socket.")
    max_subscriptions: int = Field(100, ge=1, description="Tournaments one live socket may watch.")
    max_sockets: int = Field(5000, ge=1, description="Live sockets of a gateway replica; more get 503.")
    max_sockets_per_address: int = Field(
        5000,
        ge=1,
        description="Live sockets of one address at a gateway replica; more get 429. Not fewer by default: users of one school or company, "
        "and all behind a proxy that is not trusted, share an address.",
    )
    max_waiters: int = Field(
        10_000, ge=1, description="Requests of a process waiting for an outcome; more are answered 202 at once."
    )
    max_wait_s: float = Field(10, ge=0, le=10, description="Longest `Prefer: wait`.")
    command_wait_s: float = Field(5, ge=0, le=10, description="Wait of joins, leaves and commands that do not say.")
    socket_idle_timeout_s: float = Field(
        60, gt=0, description="Silence after which a live socket is pinged; without an answer it is closed."
    )
    socket_buffer_bytes: int = Field(
        256 * 1024, ge=1024, description="Unsent bytes of a live socket beyond which it gets snapshots only."
    )
    request_timeout_s: float = Field(30, gt=0, description="Longest time a request may take.")
    drain_timeout_s: float = Field(
        10, ge=0, le=300, description="Time given to open requests and sockets when stopping."
    )

    view_cache_ms: int = Field(
        1000, ge=0, le=1000, description="Age up to which an encoded view is served without asking."
    )
    view_stale_ms: int = Field(
        2000, ge=0, description="Age up to which a cached view is served while its owner does not answer."
    )
    view_cache_entries: int = Field(10_000, ge=1, description="Views cached in a replica; the least recent is dropped.")
    snapshot_cache_entries: int = Field(
        16, ge=1, description="Tournaments loaded from snapshots for reading in a replica."
    )

    jwt_algorithm: Literal["HS256", "RS256", "ES256", "EdDSA"] = Field(
        "HS256", description="Algorithm of tokens; never taken from the token."
    )
    jwt_secret: SecretStr | None = Field(
        None, min_length=32, description="HS256 secret; without it one is made in the data directory."
    )
    jwt_jwks: str | None = Field(
        None, min_length=1, description="Path or URL of the JWKS with the keys of RS256, ES256 and EdDSA."
    )
    record_secret: SecretStr | None = Field(
        None,
        min_length=32,
        description="Secret that signs control records; without it one is made in the data directory.",
    )
    jwt_audience: str = Field("palio", min_length=1, description="Audience every token must name.")
    jwt_cache_entries: int = Field(20_000, ge=1, description="Verified tokens remembered in a process.")

    metrics_interval_s: float = Field(10, gt=0, description="Time between points of the metric series.")
    metrics_keep_days: int = Field(800, ge=1, description="How long Parquet files of the series are kept.")
    analytics: bool = Field(True, description="Whether attempts are noted, and brought into the series.")
    analytics_interval_s: float = Field(10, gt=0, description="Time between two looks at which tournaments changed.")

    def archive_place(self) -> str | None:
        """Where the archive is: as configured, else a folder of the data directory where Palio is embedded, else nowhere."""
        if self.archive_url is not None:
            return self.archive_url.get_secret_value()
        return str(self.data_dir / "archive") if self.mysql_shards is None else None

    @field_validator("data_dir", mode="before")
    @classmethod
    def _named(cls, value: object) -> object:
        if value == "":
            raise ValueError("expected path")  # Path("") would quietly be the working directory
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _proxies(cls, value: str) -> str:
        TrustedProxies(value)
        return value

    @field_validator("cors_origins")
    @classmethod
    def _origins(cls, value: str) -> str:
        Cors("", (), value)
        return value

    @field_validator("gateway_public_url")
    @classmethod
    def _url(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("http://", "https://")):
            raise ValueError("expected http:// or https://")
        return value

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if self.port == self.gateway_port:
            raise ValueError(
                f"PALIO_GATEWAY_PORT: expected another port than PALIO_PORT, got {self.gateway_port} for both"
            )
        if self.gateway_replicas_max < self.gateway_replicas_min:
            raise ValueError(
                f"PALIO_GATEWAY_REPLICAS_MAX: expected at least PALIO_GATEWAY_REPLICAS_MIN ({self.gateway_replicas_min}), "
                f"got {self.gateway_replicas_max}"
            )
        if self.jwt_algorithm != "HS256" and self.jwt_jwks is None:
            raise ValueError(
                f"PALIO_JWT_JWKS: expected a path or URL, since PALIO_JWT_ALGORITHM is {self.jwt_algorithm}, got nothing"
            )
        return self


def project_version() -> str:
    """Palio's version, from pyproject.toml."""
    project: dict[str, Any] = tomllib.loads((PROJECT_DIR / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return str(project["version"])


class SettingRow(NamedTuple):
    """One line of `scripts/palio settings`; `value` is None when it is the default, secrets are never shown."""

    variable: str
    type: str
    default: str
    description: str
    value: str | None = None


def load_settings(**overrides: Any) -> Settings:
    """The settings of the environment and of the file; `overrides` (by field name, None: not given) go before them.

    Raises SettingsError naming the first setting that is unknown or ill-typed, or the file if it cannot be read.
    """
    known = [PREFIX + name.upper() for name in Settings.model_fields]
    for variable in sorted(os.environ):
        if variable.upper().startswith(PREFIX) and variable.upper() not in (*known, CONFIG_FILE, *OF_CLIENTS):
            raise _unknown(variable, variable.upper(), known)
    given = {name: value for name, value in overrides.items() if value is not None}
    if file := os.environ.get(CONFIG_FILE):
        taken = {variable.upper() for variable in os.environ}
        given = {n: v for n, v in _of_file(Path(file), known).items() if PREFIX + n.upper() not in taken} | given
    try:
        return Settings(**given)
    except ValidationError as error:
        raise SettingsError(_explain(error)) from None  # the cause would show a secret's value


def _unknown(shown: str, variable: str, known: list[str]) -> SettingsError:
    near = difflib.get_close_matches(variable, known, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    return SettingsError(
        f"{shown}: expected one of the settings that `scripts/palio settings` lists, got an unknown name{hint}"
    )


def _of_file(path: Path, known: list[str]) -> dict[str, Any]:
    """The settings of a TOML file by field name; a table's name is the first part of its settings' names. Raises SettingsError."""
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            tables = tomllib.load(file)
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{CONFIG_FILE}: cannot read {path}: {error}") from error
    found: dict[str, Any] = {}
    for name, value in tables.items():
        found |= {f"{name}_{key}": inner for key, inner in value.items()} if isinstance(value, dict) else {name: value}
    for name in found:
        if name != name.lower() or PREFIX + name.upper() not in known:
            raise _unknown(f"{path}: {name}", PREFIX + name.upper(), known)
        if _is_secret(Settings.model_fields[name]) and mode & 0o077:
            raise SettingsError(f"{path}: expected a file for its owner alone (chmod 600), since it has {name}")
    return found


def describe(settings: Settings | None = None) -> list[SettingRow]:
    """A row for each setting, in the order of the class; with `settings`, also what differs from the default."""
    rows = []
    own = sorted(Settings.model_fields.items(), key=lambda item: item[0] in ServerSettings.model_fields)  # servers last
    for name, field in own:
        value = None
        if settings is not None and getattr(settings, name) != field.default:
            value = "(set)" if _is_secret(field) else _shown(getattr(settings, name))
        rows.append(
            SettingRow(PREFIX + name.upper(), _type_text(field), _shown(field.default), field.description or "", value)
        )
    return rows


def _explain(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    if not first["loc"]:
        return first["msg"].removeprefix("Value error, ")  # ours, from `_agree`
    name = str(first["loc"][0])
    field = Settings.model_fields.get(name)
    if first["type"] == "credentials":  # the value holds a password
        return f"{PREFIX}{name.upper()}: expected {first['msg']}"
    if field is None:
        return f"{name}: expected a field of Settings, got an unknown name"
    got = "(hidden)" if _is_secret(field) else repr(first["input"])
    wanted = f"expected {_type_text(field)}"
    if first["type"] == "value_error":
        wanted = first["msg"].removeprefix("Value error, ")  # ours, from the field's validator
    return f"{PREFIX}{name.upper()}: {wanted}, got {got}"


def _is_secret(field: FieldInfo) -> bool:
    return SecretStr in (field.annotation, *get_args(field.annotation))


def _type_text(field: FieldInfo) -> str:
    """`integer, 1 to 65535`, `one of DEBUG, INFO`, `secret, at least 32 characters`."""
    if get_origin(field.annotation) is Literal:
        return "one of " + ", ".join(get_args(field.annotation))
    kinds = {kind for kind in get_args(field.annotation) if kind is not type(None)} or {field.annotation}
    text = next(name for kind, name in _TYPE_NAMES if kind in kinds)
    limits: dict[str, Any] = {}
    for item in field.metadata:
        limits |= {key: getattr(item, key) for key in ("ge", "gt", "le", "min_length") if hasattr(item, key)}
    if "min_length" in limits:
        return f"{text}, at least {limits['min_length']} character{'s' if limits['min_length'] > 1 else ''}"
    if "ge" in limits and "le" in limits:
        return f"{text}, {limits['ge']} to {limits['le']}"
    words = {"ge": "at least", "gt": "above", "le": "at most"}
    bounds = " and ".join(f"{word} {limits[key]}" for key, word in words.items() if key in limits)
    return f"{text}, {bounds}" if bounds else text


def _shown(value: object) -> str:
    if value is None or value == "":
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Path) and value.is_relative_to(PROJECT_DIR):
        return str(value.relative_to(PROJECT_DIR))
    return str(value)
