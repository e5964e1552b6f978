"""The two entrypoints as Serve deployments, each replica with a uvicorn of its own on the port that those of a node share."""

from __future__ import annotations

import resource
import time
import uuid
from typing import Any, Final

from ray import serve
from ray.serve.config import AutoscalingConfig, AutoscalingPolicy

from cluster.actors.directory import RayOwners
from cluster.actors.process import settle
from cluster.actors.updates import connect_updates
from cluster.config.settings import Settings, project_version
from cluster.serve.gateway_scaling import GatewayScaling
from cluster.serve.operations import RayOperations
from cluster.serve.replica_port import keep_to_this_node
from cluster.startup.ports import (
    archives_of,
    attempts_of,
    jwt_secret,
    notices_of,
    open_archive,
    open_log,
    open_read_model,
    open_records,
    open_series,
    plan_of,
    prizes_of,
    push_public_key,
    set_up_logging,
    signer_of,
    webhook_secret,
    with_archive,
)
from cluster.startup.ray_environment import require_ray_authentication
from cluster.startup.scoring_functions import register_functions
from serve_app.config import FrontConfig
from serve_app.services.container import Services, open_services

SERVE_LOGGING: Final = {"enable_access_log": False, "log_level": "WARNING"}
# A new replica serves before an old one leaves, one in four at a time: without it an entrypoint of one replica is shut for seconds.
MAX_SURGE_PERCENT: Final = 25
DEPLOYMENT: Final[dict[str, Any]] = {
    "ray_actor_options": {"num_cpus": 0},
    "max_surge_percent": MAX_SURGE_PERCENT,
    "health_check_period_s": 1,
    "graceful_shutdown_wait_loop_s": 0.1,
    "logging_config": SERVE_LOGGING,
}
# On several nodes the api is on the head, whose address clients know: a replica on a node that is cut off would go on listening. Ray gives
# the head this resource.
ON_THE_HEAD: Final = {"num_cpus": 0, "resources": {"node:__internal_head__": 0.001}}
CLOSE_S: Final = 15.0  # beyond the draining, for a replica to end what is left and close its ports


def front_config(settings: Settings, replica_id: str) -> FrontConfig:
    """The front's view of the settings."""
    gateway = (settings.gateway_public_url or f"http://{settings.host}:{settings.gateway_port}").rstrip("/")
    names = set(FrontConfig.__dataclass_fields__) & set(Settings.model_fields) - {
        "jwt_secret",
        "notification_webhook_secret",
        "demo",
        "lti_url",
    }
    return FrontConfig(
        version=project_version(),
        replica_id=replica_id,
        demo=settings.demo if settings.demo_players is None else settings.demo_players,
        jwt_secret=jwt_secret(settings),
        notice_channels=settings.notice_channels(),
        push_public_key=push_public_key(settings),
        notification_webhook_secret=webhook_secret(settings),
        listen_host=settings.host,
        listen_ports=(settings.port, settings.gateway_port),
        gateway_url=gateway,
        lti_url=settings.lti_url or f"http://{settings.host}:{settings.port}",
        live_url=f"ws{gateway.removeprefix('http')}/v1/live",
        **{name: getattr(settings, name) for name in names},
    )


async def open_front(settings: Settings, kind: str) -> Services:
    """The services of one replica of the front."""
    set_up_logging(settings)
    register_functions()
    require_ray_authentication()  # a replica listens on a port that would take calls from anyone who reaches it
    keep_to_this_node()
    records = await open_records(settings)
    archive = open_archive(settings)
    return await open_services(
        front_config(settings, f"{kind}-{uuid.uuid4().hex[:12]}"),
        open_log(settings),
        RayOwners(plan_of(settings), settings.owner_call_timeout_s),
        records,
        open_read_model(settings, with_archive(records, archive)),
        connect_updates(settings),
        signer_of(settings),
        notices=notices_of(settings, records),
        prizes=prizes_of(records),
        operations=RayOperations(settings),
        archive=archive,
        archives=archives_of(records),
        attempts=attempts_of(records),
        series=open_series(settings),
        whole_records=with_archive(records, archive),
    )


async def close_front(services: Services) -> None:
    """Close a replica's services and the ports it opened."""
    await services.close()
    await services.analytics.series.close()
    await services.updates.close()
    await services.log.close()
    await services.read_model.close()
    if services.archive is not None:
        await services.archive.close()
    await services.records.close()


@serve.deployment(name="api", **DEPLOYMENT)
class Api:
    """All of REST and the page."""

    async def __init__(self, settings: Settings) -> None:  # type: ignore[misc]  # Serve awaits constructors
        from serve_app.api.server import start  # FastAPI takes half a second to import: only where it is used

        self._services = await open_front(settings, "api")
        self._drain_s = settings.drain_timeout_s
        self._server = await start(self._services, settings.host, settings.port)
        settle()

    def check_health(self) -> None:
        """Raises when the server's task has ended: Serve then replaces the replica."""
        self._server.check()

    async def ready(self) -> bool:
        """Whether it can serve, as `GET /readyz` tells, for who may not reach its port."""
        return await self._server.ready()

    async def __del__(self) -> None:
        if hasattr(self, "_server"):
            await self._server.drain(self._drain_s)
            await self._server.stop()
            await close_front(self._services)


@serve.deployment(name="gateway", **DEPLOYMENT)
class Gateway:
    """The data plane: live sockets, views, rankings, submissions, on a socket that all replicas of a node share."""

    async def __init__(self, settings: Settings) -> None:  # type: ignore[misc]  # Serve awaits constructors
        from serve_app.gateway.app import GatewayApp
        from serve_app.gateway.server import start
        from serve_app.live.hub import Hub
        from serve_app.live.limits.bounds import HubLimits

        services = self._services = await open_front(settings, "gateway")
        self._drain_s = settings.drain_timeout_s
        self._hub = Hub(
            services.owners,
            services.updates,
            HubLimits.of(services.config),
            read_model=services.read_model,
            on_status=services.reads.invalidate_id,
        )
        self._hub.start()
        app = GatewayApp(services, self._hub)
        self._server = await start(app, settings.host, settings.gateway_port)
        self._cpu = _cpu_seconds()
        self._cpu_at = time.monotonic()
        settle()

    def check_health(self) -> None:
        """Raises when the server's task has ended: Serve then replaces the replica."""
        self._server.check()

    async def record_autoscaling_stats(self) -> dict[str, float]:
        """What the scaling policy looks at: open sockets, and the share of a core in use since the last call."""
        now, cpu = time.monotonic(), _cpu_seconds()
        busy = (cpu - self._cpu) / max(now - self._cpu_at, 0.1)
        self._cpu, self._cpu_at = cpu, now
        return {"sockets": float(self._server.sockets), "busy": busy}

    async def __del__(self) -> None:
        if hasattr(self, "_server"):
            await self._server.drain(self._drain_s)
            await self._server.stop()
            await self._hub.stop()
            await close_front(self._services)


def _cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def gateway_autoscaling(settings: Settings) -> AutoscalingConfig:
    """Serve's autoscaling with our own policy, since Serve does not see this traffic."""
    return AutoscalingConfig(
        min_replicas=settings.gateway_replicas_min,
        max_replicas=settings.gateway_replicas_max,
        upscale_delay_s=10,
        downscale_delay_s=120,
        look_back_period_s=10,
        metrics_interval_s=2,
        aggregation_function="max",
        policy=AutoscalingPolicy(policy_function=GatewayScaling, policy_kwargs={"max_sockets": settings.max_sockets}),
    )


def targets(settings: Settings) -> list[serve.RunTarget]:
    """What Serve runs."""
    gateway: Any = Gateway  # deployments, which the decorators' missing types hide
    api: Any = Api
    if settings.gateway_replicas_min == settings.gateway_replicas_max:
        gateway = gateway.options(num_replicas=settings.gateway_replicas_min)
    else:
        gateway = gateway.options(autoscaling_config=gateway_autoscaling(settings))
    leaves_within_s = settings.drain_timeout_s + CLOSE_S
    gateway = gateway.options(graceful_shutdown_timeout_s=leaves_within_s)
    api = api.options(
        num_replicas=settings.api_replicas,
        graceful_shutdown_timeout_s=leaves_within_s,
        ray_actor_options=ON_THE_HEAD,
    )
    return [
        serve.RunTarget(api.bind(settings), name="api", route_prefix=None),
        serve.RunTarget(gateway.bind(settings), name="gateway", route_prefix=None),
    ]
