"""`scripts/palio join`, `submit` and `invite`: who takes part, and with which scores."""

from __future__ import annotations

import argparse
import json
from typing import Any
from urllib.parse import quote

from scripts.cli.connection import Commands, add_command, at_least_one, print_json
from scripts.cli.tables import cell, print_rows, score_text
from scripts.client.palio_client import PalioClient
from scripts.client.palio_client.results import Submitted


def add_participants(commands: Commands) -> None:
    """The commands."""
    join = add_command(
        commands,
        "join",
        join_tournament,
        shows="let a user take part",
        description="Let a user take part in a tournament. Again changes nothing. Many at once: `scripts/palio import`.",
        example="scripts/palio join 5391764025117638656 42 --name Rita",
    )
    join.add_argument("tournament", metavar="TOURNAMENT", help="its id")
    join.add_argument("user", metavar="USER", help="user id, or `me` with a player's token")
    join.add_argument("--name", default=None, help="shown in the table, 1 to 64 characters")
    join.add_argument("--invite", default=None, help="an invitation, for a private tournament")
    join.add_argument(
        "--group",
        action="append",
        type=_pair,
        default=[],
        metavar="BOARD=GROUP",
        help="on one of its boards; may be repeated",
    )

    submit = add_command(
        commands,
        "submit",
        submit_score,
        shows="submit a score",
        description="Submit a score, or a result from which the tournament computes it, and tell what became of it. The exit status is 1 "
        "when it was ignored. Many at once: `scripts/palio import`.",
        example="scripts/palio submit 5391764025117638656 42 912.5 --event-id exam-42-1",
    )
    submit.add_argument("tournament", metavar="TOURNAMENT", help="its id")
    submit.add_argument("user", metavar="USER", help="user id, or `me` with a player's token")
    submit.add_argument("score", nargs="?", type=float, default=None, metavar="SCORE", help="at most two decimals")
    submit.add_argument("--result", type=_object, default=None, metavar="JSON", help="in place of a score")
    submit.add_argument("--subscore", type=float, default=None, metavar="N", help="where the tournament has one")
    submit.add_argument(
        "--event-id", default=None, metavar="ID", help="the same again counts once (default: one of its own)"
    )
    submit.add_argument(
        "--wait-s",
        type=float,
        default=5.0,
        metavar="N",
        help="for what becomes of it, at most 10 (default: 5; 0: not at all)",
    )

    invite = add_command(
        commands,
        "invite",
        invite_user,
        shows="invite to a tournament, list and revoke invitations",
        description="Make an invitation: for one user, or for so many uses. Prints what players join with, alone on the last line; it is "
        "told this once. Or list the invitations, or revoke one. More in docs/invitations.md.",
        example="scripts/palio invite 5391764025117638656 --user 42",
    )
    invite.add_argument("tournament", metavar="TOURNAMENT", help="its id")
    invite.add_argument("--user", default=None, metavar="USER", help="for this user alone")
    invite.add_argument("--uses", type=at_least_one, default=None, metavar="N", help="for as many as bring it")
    invite.add_argument("--expires-at", default=None, metavar="TIME", help="such as 2027-05-01T09:00:00Z")
    invite.add_argument("--list", action="store_true", help="list them instead")
    invite.add_argument("--revoke", default=None, metavar="ID", help="revoke one instead")


async def join_tournament(palio: PalioClient, options: argparse.Namespace) -> int:
    """Join, and tell the rank."""
    joined = await palio.join(
        options.tournament,
        options.user,
        name=options.name,
        invite=options.invite,
        attributes=dict(options.group) or None,
    )
    if options.json:
        print_json(joined)
    else:
        place = f" on board {joined.tournament_id}" if joined.tournament_id else ""
        rank = f", rank {joined.rank}" if joined.rank else ""
        print(f"user {cell(joined.user_id)} takes part{place}{rank}")
    return 0


async def submit_score(palio: PalioClient, options: argparse.Namespace) -> int:
    """Submit, and tell what became of it; 1 when it was ignored."""
    if (options.score is None) == (options.result is None):
        raise ValueError("expected either a score or --result")
    told = await palio.submit(
        options.tournament,
        options.score,
        user_id=None if options.user == "me" else options.user,
        event_id=options.event_id,
        subscore=options.subscore,
        result=options.result,
        wait_s=options.wait_s,
    )
    if options.json:
        print_json(told)
    else:
        print(_outcome(told))
    return int(told.outcome == "ignored")


def _outcome(told: Submitted) -> str:
    if told.outcome is None:
        return f"in the log; what becomes of it is not known yet (event {cell(told.event_id)})"
    if told.outcome == "ignored":
        detail = f": {cell(told.detail)}" if told.detail else ""
        return f"ignored: {told.reason}{detail} (event {cell(told.event_id)})"
    before = f", before {told.previous_rank}" if told.previous_rank else ""
    return f"applied: score {score_text(told.score)}, rank {told.rank}{before} (event {cell(told.event_id)})"


async def invite_user(palio: PalioClient, options: argparse.Namespace) -> int:
    """Invite, list or revoke."""
    if options.revoke is not None:
        await palio.revoke_invitation(options.tournament, options.revoke)
        if not options.json:
            print(f"invitation {options.revoke} is revoked")
        return 0
    if options.list:
        found = await palio.invitations(options.tournament)
        if options.json:
            print_json(found)
        else:
            rows = [
                [cell(getattr(each, name)) for name in ("id", "user_id", "uses", "uses_left", "expires_at")]
                for each in found
            ]
            print_rows(["id", "user", "uses", "left", "expires at"], rows)
        return 0
    made = await palio.invite(
        options.tournament, user_id=options.user, uses=options.uses, expires_at=options.expires_at
    )
    if options.json:
        print_json(made)
    else:
        link = f"{palio.url}/#/t/{options.tournament}?invite={quote(made.invite, safe='')}"
        print(
            f'invitation {made.id}; a link for the player:\n{link}\nor join with --invite, or "invite" in the body:\n{made.invite}'
        )
    return 0


def _pair(text: str) -> tuple[str, str]:
    name, found, value = text.partition("=")
    if not (name and found and value):
        raise argparse.ArgumentTypeError(f"expected BOARD=GROUP, got {text}")
    return name, value


def _object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"expected JSON: {error}") from None
    if not isinstance(value, dict):
        raise argparse.ArgumentTypeError("expected a JSON object")
    return value
