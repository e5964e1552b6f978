"""The contract's calls as a table: method, path, the handler's name. Both entrypoints route by it, the documentation describes it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from serve_app.http.caching import NO_STORE
from serve_app.http.messages import Response
from serve_app.http.problems import Problem


class Route(NamedTuple):
    """One call. `hot`: the gateway answers it too. `who` is for readers; the handler decides."""

    method: str
    path: str
    handler: str
    summary: str
    who: str = "all"
    hot: bool = False


_TOURNAMENT: Final = "/v1/tournaments/{tournament}"
_PARTICIPANT: Final = _TOURNAMENT + "/participants/{user}"
OWN: Final = "that player, service"
MANAGE: Final = "service, operator"

ROUTES: Final = (
    Route("GET", "/v1", "root", "Where the gateway is"),
    Route("POST", "/v1/tournaments", "create_tournament", "Create a tournament", MANAGE),
    Route("GET", "/v1/tournaments", "list_tournaments", "List tournaments, newest first"),
    Route("GET", _TOURNAMENT, "view", "A tournament's view", hot=True),
    Route("PATCH", _TOURNAMENT, "edit_tournament", "Edit what the state allows", MANAGE, hot=True),
    Route("POST", _TOURNAMENT + "/start", "start_tournament", "Start it now", MANAGE),
    Route("POST", _TOURNAMENT + "/end", "end_tournament", "End it now", MANAGE),
    Route("POST", _TOURNAMENT + "/cancel", "cancel_tournament", "Cancel it", MANAGE),
    Route("PUT", _PARTICIPANT, "join", "Join", OWN, hot=True),
    Route("DELETE", _PARTICIPANT, "leave", "Leave", OWN, hot=True),
    Route("GET", _PARTICIPANT, "participant", "A participant's standing", hot=True),
    Route("POST", _TOURNAMENT + "/scores", "submit_score", "Submit a score", OWN, hot=True),
    Route("POST", "/v1/scores", "submit_batch", "Submit up to 1,000 scores", "service", hot=True),
    Route("GET", _TOURNAMENT + "/rankings", "rankings", "The rankings", hot=True),
    Route("GET", _TOURNAMENT + "/prizes", "prizes", "The prize table"),
    Route("GET", "/v1/users/{user}/tournaments", "user_tournaments", "A user's tournaments", OWN + ", operator"),
    Route("GET", "/v1/users/{user}/prizes", "user_prizes", "A user's prizes", OWN + ", operator"),
    Route("POST", "/v1/demo/player", "demo_player", "Become a demo player (where the demo is on)"),
    Route("GET", "/healthz", "healthz", "Whether this process is alive", hot=True),
    Route("GET", "/readyz", "readyz", "Whether it can serve"),
)


def handler_names(*, hot_only: bool = False) -> dict[str, dict[str, str]]:
    """The handler's name by method, by path. A path that the gateway has it has with all its methods, so that `Allow` is the same."""
    names: dict[str, dict[str, str]] = {}
    for route in ROUTES:
        if route.hot or not hot_only:
            names.setdefault(route.path, {})[route.method] = route.handler
    return names


def answer_other_method(method: str, offered: Iterable[str]) -> Response:
    """The answer to a method that a path does not have: 204 with `Allow` to OPTIONS. Raises Problem 405 with the same `Allow`."""
    methods = {*offered, "OPTIONS"}
    allow = {"allow": ", ".join(sorted(methods | ({"HEAD"} if "GET" in methods else set())))}
    if method == "OPTIONS":
        return Response(204, headers={**NO_STORE, **allow})
    raise Problem(405, "method_not_allowed", f"expected one of {allow['allow']}, got {method[:40]}", headers=allow)
