"""What the front needs to know: one frozen value, filled by the composition root (see `cluster/config/settings.py` for meanings)."""

from __future__ import annotations

from dataclasses import dataclass

from actors.domain.notices.events import Channel


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontConfig:
    """Limits, timeouts, addresses and keys of one process of the front. Units are last in the names.

    `replica_id` is unique to this process for its lifetime: owners answer on its channel. `jwt_secret` is for HS256, `jwt_jwks` (a
    path or an URL) for the others. `gateway_url` and `live_url` are what clients are told; `listen_host` and `listen_ports`
    are where the api and the gateway listen.
    """

    version: str = "0"
    replica_id: str = "front"
    demo: bool = False
    listen_host: str = "127.0.0.1"
    listen_ports: tuple[int, int] = (8000, 8001)
    gateway_url: str = "http://127.0.0.1:8001"
    live_url: str = "ws://127.0.0.1:8001/v1/live"

    # Who calls
    jwt_algorithm: str = "HS256"
    jwt_secret: bytes = b""
    jwt_jwks: str | None = None
    jwt_audience: str = "palio"
    jwt_cache_entries: int = 20_000
    demo_token_ttl_s: float = 24 * 3600

    # Notifications: the channels that there are, the key that browsers subscribe with, the secret from which webhooks' follow
    notice_channels: tuple[Channel, ...] = ("live",)
    push_public_key: str = ""
    notification_webhook_secret: bytes = b""
    notification_private_addresses: bool = False

    # The field's own formats: files (see `serve_app.standards`), and the api's URL as tools of LTI know it
    lti_tools: str | None = None
    lti_url: str = "http://127.0.0.1:8000"
    foreign_ids: str | None = None

    # How often
    player_rate: float = 20
    player_burst: int = 40
    service_rate: float = 10_000
    service_burst: int = 10_000
    anonymous_rate: float = 50
    anonymous_burst: int = 100
    rate_limit_entries: int = 100_000
    trusted_proxies: str = ""
    cors_origins: str = ""

    # How much
    max_body_bytes: int = 1024 * 1024
    max_unverified_body_bytes: int = 64 * 1024
    max_unread_body_bytes: int = 64 * 1024 * 1024
    max_frame_bytes: int = 16 * 1024
    max_subscriptions: int = 100
    max_api_connections: int = 5000
    max_sockets: int = 5000
    max_sockets_per_address: int = 5000
    max_waiters: int = 10_000
    socket_buffer_bytes: int = 256 * 1024

    # How long
    max_wait_s: float = 10
    command_wait_s: float = 5
    append_timeout_s: float = 5
    max_clock_ahead_s: float = 60
    request_timeout_s: float = 30
    socket_idle_timeout_s: float = 60
    drain_timeout_s: float = 10
    position_check_s: float = 5

    # Caches
    view_cache_ms: int = 1000
    view_stale_ms: int = 2000
    view_cache_entries: int = 10_000
    view_cache_bytes: int = 64 * 1024 * 1024
    known_entries: int = 100_000
