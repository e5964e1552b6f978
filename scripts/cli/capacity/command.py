"""`scripts/palio capacity`: the machines that a load needs and their price, from the figures and prices beside this file."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from scripts.cli.capacity.model import Answer, Figure, Load, Prices, as_json, plan
from scripts.cli.tables import print_rows

HERE: Final = Path(__file__).parent
PLANNED_USD: Final = 30_500  # a month, in the plan that Palio was built to; docs/capacity.md has its parts
MOST: Final = 1_000_000_000


def add_capacity(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """`capacity`, with its options."""
    capacity = commands.add_parser(
        "capacity",
        help="tell the machines that a load needs, and what they cost",
        description="Tell how many machines of each kind a load needs and what they cost a month, from what this build was measured to use. "
        "Asks no Palio. docs/capacity.md has the formulas. The exit status is 1 when the load is beyond what one Palio can do.",
    )
    for name, least, what in (
        ("tournaments", 1, "tournaments that run at once"),
        ("participants", 0, "participants of all of them"),
        ("scores", 0, "scores a second"),
        ("views", 0, "views of tournaments a second"),
        ("sockets", 0, "live sockets open at once, each of which watches one tournament"),
    ):
        capacity.add_argument(f"--{name}", type=_number(least), required=True, metavar="N", help=what)
    capacity.add_argument(
        "--use", type=_share, default=0.6, metavar="SHARE", help="share of a core that the load may take (default: 0.6)"
    )
    capacity.add_argument(
        "--prices",
        type=Path,
        default=HERE / "prices.toml",
        metavar="FILE",
        help="a file like scripts/cli/capacity/prices.toml",
    )
    capacity.add_argument("--json", action="store_true", help="print one JSON document")
    capacity.set_defaults(command=_capacity)


def load_figures(path: Path = HERE / "figures.toml") -> dict[str, Figure]:
    """The figures by name."""
    return msgspec.toml.decode(path.read_bytes(), type=dict[str, Figure])


def load_prices(path: Path) -> Prices:
    """The prices of a file. Raises ValueError, which names the file and what is wrong."""
    try:
        return msgspec.toml.decode(path.read_bytes(), type=Prices)
    except (OSError, ValueError) as error:  # msgspec's errors and tomllib's are ValueErrors
        raise ValueError(f"{path}: {error}") from error


def _capacity(options: argparse.Namespace) -> int:
    load = Load(options.tournaments, options.participants, options.scores, options.views, options.sockets, options.use)
    figures, prices = load_figures(), load_prices(options.prices)
    answer = plan(load, figures, prices)
    assumed = sorted(name for name, figure in figures.items() if figure.source.startswith("assumed"))
    if options.json:
        document = as_json(answer) | {
            "load": msgspec.to_builtins(load),
            "prices": {"date": prices.date.isoformat(), "source": prices.source, "assumed": prices.assumed},
            "assumed_figures": assumed,
            "plan_usd_per_month": PLANNED_USD,
        }
        print(json.dumps(document))
    else:
        _print(answer, prices, assumed)
    return int(bool(answer.beyond))


def _print(answer: Answer, prices: Prices, assumed: list[str]) -> None:
    titles = ["kind", "machine", "machines", "cores used", "full at load x", "USD a month", "at the plan's USD a vCPU"]
    rows = [
        [
            row.kind,
            row.machine,
            str(row.machines),
            f"{row.cores:.1f}",
            "-" if row.full_at is None else f"{row.full_at:.1f}",
            f"{row.usd_per_month:,.0f}",
            f"{row.planned_usd_per_month:,.0f}",
        ]
        for row in answer.rows
    ]
    machines = sum(row.machines for row in answer.rows)
    total = [f"{answer.usd_per_month:,.0f}", f"{answer.planned_usd_per_month:,.0f}"]
    print_rows(
        titles, [*rows, ["all", "-", str(machines), f"{sum(row.cores for row in answer.rows):.1f}", "-", *total]]
    )
    print(f"\nThe plan: ${PLANNED_USD:,} a month. Settings: {' '.join(f'{k}={v}' for k, v in answer.settings.items())}")
    print(f"Live updates send {answer.traffic_tb_per_month:,.1f} TB a month if the load never ends; not in the price.")
    print(f"Prices{' (not checked)' * prices.assumed} of {prices.date}: {prices.source}.")
    print(f"Figures that are assumed, not measured: {', '.join(assumed)}. All of them, with sources: docs/capacity.md.")
    for each in answer.beyond:
        print(f"Beyond one Palio: {each}.")


def _number(least: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        if not (text.isascii() and text.isdecimal() and len(text) <= 10 and least <= int(text) <= MOST):
            raise argparse.ArgumentTypeError(f"expected a whole number from {least} to {MOST}, got {text}")
        return int(text)

    return number


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.05 <= value <= 1:
        raise argparse.ArgumentTypeError(f"expected a share from 0.05 to 1, got {text}")
    return value
