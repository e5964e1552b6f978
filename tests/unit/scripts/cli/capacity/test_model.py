import math
from dataclasses import replace

import pytest

from cluster.config.settings import Settings
from scripts.cli.capacity import model
from scripts.cli.capacity.command import HERE, load_figures, load_prices
from scripts.cli.capacity.model import Answer, Load, not_kept, plan, reached, spread

LOAD = Load(tournaments=10_000, participants=100_000, scores=5_000, views=50_000, sockets=250_000)
FIGURES = load_figures()
PRICES = load_prices(HERE / "prices.toml")


def planned(load: Load) -> Answer:
    return plan(load, FIGURES, PRICES)


def machines(load: Load) -> dict[str, int]:
    return {row.kind: row.machines for row in planned(load).rows}


def test_kafkas_cores_are_what_the_table_says_times_its_three_copies() -> None:
    kafka = next(row for row in planned(LOAD).rows if row.kind == "kafka")
    assert kafka.cores == pytest.approx(3 * 5_000 * 121e-6)
    kept_gb = 5_000 * 250 * 7 * 86_400 / 1e9
    assert kafka.usd_per_month == pytest.approx(3 * 119.14 + 3 * kept_gb * 0.08)


def test_the_sum_is_of_all_rows_and_far_below_the_plan() -> None:
    answer = planned(LOAD)
    assert answer.usd_per_month == pytest.approx(sum(row.usd_per_month for row in answer.rows))
    assert 1_000 < answer.usd_per_month < 30_500 / 5
    assert answer.beyond == []


def test_without_a_load_there_are_the_least_machines_that_survive_one() -> None:
    kinds = PRICES.kinds
    found = machines(Load(1, 0, 0, 0, 0))
    for kind, count in found.items():
        assert count >= getattr(kinds, kind).least
    assert (found["kafka"], found["mysql"], found["redis"]) == (3, 3, 6)


@pytest.mark.parametrize("name", ["scores", "views", "sockets"])
def test_ten_times_a_load_never_takes_fewer_machines_and_takes_more_of_some(name: str) -> None:
    small, large = machines(LOAD), machines(replace(LOAD, **{name: getattr(LOAD, name) * 10}))
    assert all(large[kind] >= count for kind, count in small.items())
    assert sum(large.values()) > sum(small.values())


def test_no_machine_is_used_beyond_the_share() -> None:
    for factor in (0.1, 1, 7, 40):
        load = replace(LOAD, scores=5_000 * factor, views=50_000 * factor)
        for row in planned(load).rows:
            kind = getattr(PRICES.kinds, row.kind)
            assert row.cores <= (row.machines - kind.spare) * kind.vcpus * load.use + 1e-6
            assert row.full_at is None or row.full_at >= 1 - 1e-9


def test_the_settings_are_such_that_palio_takes_them() -> None:
    for factor in (0.01, 1, 100):
        answer = planned(replace(LOAD, scores=5_000 * factor))
        Settings.model_validate({name.removeprefix("PALIO_").lower(): value for name, value in answer.settings.items()})


def test_the_bounds_of_the_model_are_those_of_the_settings() -> None:
    def most(name: str) -> int:
        return int(next(each.le for each in Settings.model_fields[name].metadata if hasattr(each, "le")))

    assert (most("partitions"), most("shards")) == (model.MOST_PARTITIONS, model.MOST_SHARDS)
    assert most("gateway_replicas_max") == model.MOST_GATEWAYS
    defaults = Settings()
    assert (defaults.partitions, defaults.max_sockets) == (model.PARTITIONS, model.SOCKETS_PER_GATEWAY)
    assert 1000 / defaults.publish_interval_ms == model.MAX_UPDATES_PER_S


def test_where_one_palio_ends_is_told() -> None:
    assert any("one tournament" in each for each in planned(Load(1, 10, 50_000, 0, 0)).beyond)
    assert any("gateways" in each for each in planned(replace(LOAD, sockets=10_000_000)).beyond)
    assert any("owners" in each for each in planned(replace(LOAD, scores=5_000_000)).beyond)


def test_what_caches_pass_on_is_at_most_one_view_of_a_tournament_in_a_second_from_each() -> None:
    assert not_kept(0, 100, 2) == 0
    assert not_kept(1e12, 100, 2) == pytest.approx(200)
    assert not_kept(10, 1_000_000, 2) == pytest.approx(10, rel=1e-4)
    assert not_kept(200, 100, 2) == 100  # each is asked once a second on average: kept half of the time


def test_the_gateways_that_a_tournaments_sockets_reach() -> None:
    assert reached(5, 5, 50) == pytest.approx(1)
    assert reached(10**6, 1, 50) == pytest.approx(50)
    assert reached(0, 1, 50) == 0
    assert reached(7, 1, 1) == 1


@pytest.mark.parametrize("cores", [0.0, 0.1, 0.6, 2.4, 7.7, 29.9, 30.0])
def test_the_busiest_process_stays_within_its_share_and_one_less_would_not(cores: float) -> None:
    def busiest(processes: int) -> float:
        return math.ceil(50 / processes) * cores / 50

    count = spread(cores, 50, 0.6)
    assert busiest(count) <= 0.6 + 1e-9
    assert count == 1 or busiest(count - 1) > 0.6


def test_each_figure_has_a_source_that_is_a_document_or_says_that_it_is_assumed() -> None:
    for name, figure in FIGURES.items():
        assert figure.value > 0, name
        assert figure.source.startswith(("BENCHMARKS.md, ", "assumed: ")), name


def test_figures_stand_in_the_benchmarks_section_that_they_name() -> None:
    text = (HERE.parents[2] / "BENCHMARKS.md").read_text(encoding="utf-8")
    for name, figure in FIGURES.items():
        if figure.source.startswith("BENCHMARKS.md"):
            section = figure.source.split(", ")[1].split(":")[0].split(" on real")[0]
            assert f"## {section}\n" in text, name
    for said in ("Kafka 121, gateway 93, TournamentActor 49, IngestActor 37, Redis 10, MySQL 7", "252.6", "29,361",
                 "109,915", "15,503", "0.29 of a core", "170 us an update"):  # fmt: skip
        assert said in text
