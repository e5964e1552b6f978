import json
from pathlib import Path

import pytest

from scripts.cli.capacity.command import HERE
from scripts.cli.palio import main

LOAD = {"tournaments": "10000", "participants": "100000", "scores": "5000", "views": "50000", "sockets": "250000"}


def words(**changed: str) -> list[str]:
    return ["capacity", *(word for name, value in (LOAD | changed).items() for word in (f"--{name}", value))]


def test_a_table_and_what_is_not_known(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words()) == 0
    said = capsys.readouterr().out
    for expected in (
        "gateway",
        "kafka",
        "The plan: $30,500 a month",
        "PALIO_SHARDS=",
        "not checked",
        "balancer_us_per_request",
    ):
        assert expected in said


def test_json_says_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*words(), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["load"]["tournaments"] == 10_000
    assert found["usd_per_month"] == pytest.approx(sum(row["usd_per_month"] for row in found["rows"]))
    assert {row["kind"] for row in found["rows"]} >= {"balancer", "gateway", "worker", "kafka", "mysql", "redis"}
    assert found["plan_usd_per_month"] == 30_500
    assert found["prices"]["assumed"] is True
    assert "stores_factor" in found["assumed_figures"]


@pytest.mark.parametrize(
    ("name", "value"),
    [("tournaments", "0"), ("scores", "-1"), ("views", "many"), ("sockets", "1.5"), ("participants", "9999999999999"),
     ("use", "0"), ("use", "1.1"), ("use", "nan"), ("use", "half")],
)  # fmt: skip
def test_a_load_that_is_none_is_misuse(capsys: pytest.CaptureFixture[str], name: str, value: str) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(words(**{name: value}))
    assert stopped.value.code == 2
    said = capsys.readouterr().err
    assert f"--{name}: expected" in said
    assert value in said


def test_every_number_is_needed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["capacity", "--tournaments", "1"])
    assert stopped.value.code == 2
    assert "--participants" in capsys.readouterr().err


def test_a_load_beyond_one_palio_is_told_with_exit_status_1(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words(sockets="100000000")) == 1
    assert "Beyond one Palio: gateways" in capsys.readouterr().out


def test_prices_of_ones_own(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    text = (HERE / "prices.toml").read_text(encoding="utf-8")
    mine = tmp_path / "mine.toml"
    mine.write_text(text.replace("105.85", "0").replace("assumed = true", "assumed = false"), encoding="utf-8")
    assert main([*words(), "--json", "--prices", str(mine)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [row["usd_per_month"] for row in found["rows"] if row["kind"] in {"balancer", "gateway", "worker"}] == [
        0,
        0,
        0,
    ]
    assert found["prices"]["assumed"] is False


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [("vcpus = 4", "vcpus = 0", "above 0"), ("[kinds.redis]", "[kinds.valkey]", "valkey"), ("= 0.08", "= -1.0", "0 or more"),
     ("105.85", "nan", "0 or more"), ("[kinds.balancer]", "[kinds.balancer", "xpected")],
)  # fmt: skip
def test_a_file_of_prices_that_is_wrong_is_named(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, old: str, new: str, message: str
) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text((HERE / "prices.toml").read_text(encoding="utf-8").replace(old, new, 1), encoding="utf-8")
    assert main([*words(), "--prices", str(mine)]) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"palio: {mine}: ")
    assert message in said
    assert said.count("\n") == 1


def test_a_file_of_prices_that_is_not_there(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main([*words(), "--prices", str(tmp_path / "none.toml")]) == 1
    assert "none.toml" in capsys.readouterr().err
