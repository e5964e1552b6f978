"""`scripts/palio prizes`: who won what; approve and revoke."""

from __future__ import annotations

import argparse

from scripts.cli.connection import Commands, add_command, print_json
from scripts.cli.tables import cell, print_rows
from scripts.client.palio_client import PalioClient, Winner


def add_prizes(commands: Commands) -> None:
    """The command."""
    prizes = add_command(
        commands,
        "prizes",
        review_prizes,
        shows="show, approve or revoke prizes",
        description="Show who won what, and how far it is; approve prizes that wait for review, or revoke what is not paid: all, or those of "
        "one user. Prizes are there once the tournament is finished. More in docs/prizes.md.",
        example="scripts/palio prizes 5391764025117638656 approve",
    )
    prizes.add_argument("tournament", metavar="TOURNAMENT", help="its id")
    prizes.add_argument("action", nargs="?", choices=("show", "approve", "revoke"), default="show")
    prizes.add_argument("--user", default=None, metavar="USER", help="only this user's")
    prizes.add_argument("--rule", type=int, default=None, metavar="N", help="only by this rule, from 0")
    prizes.add_argument("--reason", default=None, metavar="TEXT", help="why they are revoked")


async def review_prizes(palio: PalioClient, options: argparse.Namespace) -> int:
    """Approve or revoke where that is wanted, then show all of it."""
    if options.action == "approve":
        await palio.approve_prizes(options.tournament, user_id=options.user, rule=options.rule)
    elif options.action == "revoke":
        await palio.revoke_prizes(options.tournament, user_id=options.user, rule=options.rule, reason=options.reason)
    rules = (await palio.prizes(options.tournament, limit=1)).rules
    winners = [winner async for winner in palio.winners(options.tournament)]
    if options.json:
        print_json({"rules": rules, "winners": winners})
    elif not rules:
        print("the tournament has no prizes")
    elif not winners:
        print(f"{len(rules)} rules; nobody has won yet: that is known once the tournament is finished")
    else:
        print_rows(["user", "rank", "rule", "prize", "state", "why"], [_row(winner) for winner in winners])
    return 0


def _row(winner: Winner) -> list[str]:
    what = f"{winner.amount} {winner.currency}" if winner.amount else f"{winner.count} x {winner.item}"
    if winner.kind == "claw_back":
        what = f"back: {what}"
    return [winner.user_id, str(winner.rank), str(winner.rule), cell(what), winner.state, cell(winner.reason)]
