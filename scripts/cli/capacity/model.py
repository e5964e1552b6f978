"""How many machines of each kind a load needs, and what they cost: the formulas of docs/capacity.md, no input or output.

Cores are vCPUs, as those the figures were measured on. Loads are steady: peaks belong into the numbers that are given.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

import msgspec

MAX_UPDATES_PER_S: Final = 20.0  # of a tournament: PALIO_PUBLISH_INTERVAL_MS
SOCKETS_PER_GATEWAY: Final = 5000  # PALIO_MAX_SOCKETS, and what was measured
PARTITIONS: Final = 50  # PALIO_PARTITIONS, where no more are needed
MOST_PARTITIONS: Final = 10_000  # what the settings allow
MOST_SHARDS: Final = 1000
MOST_GATEWAYS: Final = 1000
KEPT_DAYS: Final = 7  # Kafka's retention
GB: Final = 1e9


class Figure(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a piece of work costs (microseconds of a core, bytes), and where that was measured; an assumption begins with "assumed"."""

    value: float
    source: str


class Kind(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A kind of machine. `copies` of them do the same work, `spare` come on top, and there are at least `least`."""

    machine: str
    vcpus: int
    memory_gb: float
    usd_per_month: float
    planned_vcpu_usd: float
    disk_gb: float = 0.0
    copies: int = 1
    least: int = 1
    spare: int = 0

    def __post_init__(self) -> None:
        if self.vcpus < 1 or self.memory_gb <= 0 or self.copies < 1 or min(self.least, self.spare) < 0:
            raise ValueError("expected vcpus, memory_gb and copies above 0, least and spare of 0 or more")
        if not all(0 <= price < math.inf for price in (self.usd_per_month, self.planned_vcpu_usd, self.disk_gb)):
            raise ValueError("expected prices and disk_gb of 0 or more")


class Kinds(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The kinds of machines that a Palio on servers has."""

    balancer: Kind
    gateway: Kind
    worker: Kind
    kafka: Kind
    mysql: Kind
    redis: Kind
    influxdb: Kind


class Prices(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What machines cost, as of `date` by `source`; `assumed` where nobody looked them up."""

    date: date
    source: str
    assumed: bool
    disk_usd_per_gb_month: float
    kinds: Kinds

    def __post_init__(self) -> None:
        if not 0 <= self.disk_usd_per_gb_month < math.inf:
            raise ValueError("expected disk_usd_per_gb_month of 0 or more")


@dataclass(frozen=True)
class Load:
    """What Palio is to carry: scores and views a second, the others at once. `use` is the share of a core that work may take."""

    tournaments: int
    participants: int
    scores: float
    views: float
    sockets: int
    use: float = 0.6


@dataclass(frozen=True)
class Row:
    """Machines of a kind: the cores that work takes on all of them, GB of memory, and US dollars a month, also by the plan's price of a vCPU."""

    kind: str
    machine: str
    machines: int
    cores: float
    memory_gb: float
    usd_per_month: float
    planned_usd_per_month: float
    full_at: float | None  # times the load, where another machine is needed; None: the load takes nothing there


@dataclass(frozen=True)
class Answer:
    """The machines, the settings that belong to them, the traffic, and where this build ends before the load does."""

    rows: list[Row]
    usd_per_month: float
    planned_usd_per_month: float
    settings: dict[str, int]
    traffic_tb_per_month: float
    beyond: list[str] = field(default_factory=list)


def plan(load: Load, figures: Mapping[str, Figure], prices: Prices) -> Answer:
    """What the load needs."""
    cost = {name: figure.value for name, figure in figures.items()}
    us = {name: value / 1e6 for name, value in cost.items()}
    updates = min(load.scores, load.tournaments * MAX_UPDATES_PER_S)  # a second, of all tournaments
    deliveries = load.sockets * updates / load.tournaments
    kinds = prices.kinds

    balancing = (load.scores + load.views) * us["balancer_us_per_request"] + deliveries * us["balancer_us_per_delivery"]
    balancers = _machines(kinds.balancer, balancing, 0.0, load.use)
    asked = not_kept(load.views, load.tournaments, balancers)  # each balancer keeps a view for a second
    least = max(1, math.ceil(load.sockets / SOCKETS_PER_GATEWAY))
    gateways = next(
        (
            count
            for count in range(least, max(least, MOST_GATEWAYS) + 1)
            if _gateway_cores(load, us, count, asked, updates) <= count * load.use
        ),
        max(least, MOST_GATEWAYS),
    )
    gateway = _gateway_cores(load, us, gateways, asked, updates)
    gateway_gb = (load.sockets * cost["gateway_bytes_per_socket"] + gateways * cost["gateway_bytes"]) / GB

    asked_of_owners = not_kept(asked, load.tournaments, gateways)
    owners = load.scores * (us["owner_us_per_score"] + us["owner_save_us_per_score"])
    owners += asked_of_owners * us["owner_us_per_asked_view"]
    ingest = load.scores * us["ingest_us_per_score"]
    partitions = max(PARTITIONS, math.ceil(owners / load.use))
    shards, ingests = (spread(work, partitions, load.use) for work in (owners, ingest))
    owners_gb = load.tournaments * cost["owner_bytes_per_tournament"]
    owners_gb = (owners_gb + load.participants * cost["owner_bytes_per_participant"]) / GB

    stores = {kind: load.scores * us[f"{kind}_us_per_score"] * cost["stores_factor"] for kind in ("redis", "mysql")}
    kept_gb = load.scores * cost["record_bytes"] * KEPT_DAYS * 86_400 / GB
    needs = {
        "balancer": (balancing, 0.0, 0.0),
        "gateway": (gateway, gateway_gb, 0.0),
        "worker": (owners + ingest + cost["idle_cores"], owners_gb, 0.0),
        "kafka": (load.scores * us["kafka_us_per_score"], 0.0, kept_gb),
        "mysql": (stores["mysql"], 0.0, 0.0),
        "redis": (stores["redis"], 0.0, 0.0),
        "influxdb": (0.0, 0.0, 0.0),
    }
    rows = [_row(name, getattr(kinds, name), prices, load.use, *need) for name, need in needs.items()]
    beyond = []
    if partitions > MOST_PARTITIONS or shards > MOST_SHARDS:
        beyond.append(
            f"owners: {owners:,.0f} cores need {partitions:,} partitions and {shards:,} shards, "
            f"of which there may be {MOST_PARTITIONS:,} and {MOST_SHARDS:,}"
        )
    if gateways >= MOST_GATEWAYS and (least > MOST_GATEWAYS or gateway > gateways * load.use):
        beyond.append(f"gateways: more are needed than the {MOST_GATEWAYS:,} replicas that there may be")
    tournament = load.scores / load.tournaments * (us["owner_us_per_score"] + us["owner_save_us_per_score"])
    if tournament > load.use:
        beyond.append(
            f"one tournament: {load.scores / load.tournaments:,.0f} scores a second are more than one owner's core applies"
        )
    return Answer(
        rows,
        sum(row.usd_per_month for row in rows),
        sum(row.planned_usd_per_month for row in rows),
        {
            "PALIO_PARTITIONS": partitions,
            "PALIO_SHARDS": shards,
            "PALIO_INGEST_ACTORS": ingests,
            "PALIO_GATEWAY_REPLICAS_MIN": gateways,
            "PALIO_GATEWAY_REPLICAS_MAX": min(
                MOST_GATEWAYS, gateways + math.ceil(gateways / 4)
            ),  # a redeploy has a quarter more
        },
        deliveries * cost["update_bytes"] * 730 * 3600 / 1e12,
        beyond,
    )


def not_kept(views: float, tournaments: int, caches: int) -> float:
    """Views a second that `caches` pass on, each of which keeps a tournament's for a second and gets an equal share of them."""
    return views / (1 + views / (caches * tournaments))


def reached(sockets: int, tournaments: int, gateways: int) -> float:
    """How many of the gateways, on average, hold a socket that watches a given tournament."""
    missed: float = (1 - 1 / gateways) ** (sockets / tournaments)
    return gateways * (1 - missed)


def spread(cores: float, partitions: int, use: float) -> int:
    """The least number of processes of one core whose busiest one, with its whole partitions, stays within `use`; at most `partitions`."""
    each = math.floor(use * partitions / cores + 1e-9) if cores else partitions
    return math.ceil(partitions / max(1, each))


def _gateway_cores(load: Load, us: Mapping[str, float], gateways: int, views: float, updates: float) -> float:
    asked = not_kept(views, load.tournaments, gateways)
    told = updates * reached(load.sockets, load.tournaments, gateways)
    return (
        load.scores * us["gateway_us_per_score"]
        + (views - asked) * us["gateway_us_per_kept_view"]
        + asked * us["gateway_us_per_asked_view"]
        + told * us["gateway_us_per_update"]
        + load.sockets * updates / load.tournaments * us["gateway_us_per_delivery"]
    )


def _machines(kind: Kind, cores: float, memory_gb: float, use: float) -> int:
    need = max(cores / (kind.vcpus * use), memory_gb / (kind.memory_gb * use))
    return max(kind.least, math.ceil(need - 1e-9) * kind.copies + kind.spare)


def _row(name: str, kind: Kind, prices: Prices, use: float, cores: float, memory_gb: float, data_gb: float) -> Row:
    machines = _machines(kind, cores, memory_gb, use)
    working = max(1, (machines - kind.spare) // kind.copies)
    need = max(cores / (working * kind.vcpus * use), memory_gb / (working * kind.memory_gb * use))
    disk = (machines * kind.disk_gb + data_gb * kind.copies) * prices.disk_usd_per_gb_month
    return Row(
        name,
        kind.machine,
        machines,
        cores * kind.copies,
        memory_gb,
        machines * kind.usd_per_month + disk,
        machines * kind.vcpus * kind.planned_vcpu_usd,
        1 / need if need else None,
    )


def as_json(answer: Answer) -> Any:
    """For msgspec.json."""
    return msgspec.to_builtins(answer)
