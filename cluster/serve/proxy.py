"""Puts Palio's edge into Serve's proxy: bounded connections, and errors in the contract's form.

Serve calls `callback` in each process of its proxy before that listens (RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH). It offers middlewares;
that uvicorn's connections are ours is said where uvicorn looks for the default kind, since Serve does not let it be named.
"""

from __future__ import annotations

import functools
import os
from typing import Any, Final

from uvicorn import config as uvicorn_config

from cluster.config.settings import PREFIX, Settings, load_settings
from serve_app.api.connection import ApiConnection, ApiLimits
from serve_app.http.connection_bounds import allow_connections
from serve_app.http.cors import Cors
from serve_app.log_limit import limit_server_logs

IMPORT_PATH: Final = f"{__name__}:callback"
LIMITS: Final = ("max_api_connections", "max_body_bytes", "max_unread_body_bytes", "request_timeout_s")
SETTINGS: Final = (*LIMITS, "host", "port", "gateway_port", "cors_origins")


def environment(settings: Settings) -> dict[str, str]:
    """What the proxy's processes must find in their environment."""
    given = {PREFIX + name.upper(): str(getattr(settings, name)) for name in SETTINGS}
    return {"RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH": IMPORT_PATH} | given


def callback() -> list[Any]:
    """Starlette middlewares for Serve's proxy. See the module."""
    from starlette.middleware import Middleware

    from serve_app.api.edge import ApiEdge

    settings = load_settings()
    limits = ApiLimits(**{name: getattr(settings, name) for name in LIMITS})
    protocols: dict[str, Any] = uvicorn_config.HTTP_PROTOCOLS  # of strings, or what they name
    protocols["auto"] = functools.partial(ApiConnection, limits=limits)
    uvicorn_config.WS_PROTOCOLS["auto"] = None  # live sockets are at the gateway
    os.environ["FORWARDED_ALLOW_IPS"] = ""  # who a proxy speaks for is decided in one place: PALIO_TRUSTED_PROXIES
    allow_connections(settings.max_api_connections)
    limit_server_logs()
    cors = Cors(settings.host, (settings.port, settings.gateway_port), settings.cors_origins)
    return [Middleware(ApiEdge, cors=cors)]
