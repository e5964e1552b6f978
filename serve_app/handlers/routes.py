"""The one table of routes, for both entrypoints: the api offers all of them (`serve_app.api.routers` describes them), the gateway some."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

from serve_app.http.caching import NO_STORE
from serve_app.http.messages import Response
from serve_app.http.problems import Problem


class Route(NamedTuple):
    """A call of the contract: `name` is its handler's in `Handlers.table`; `gateway`: the gateway answers it too."""

    name: str
    method: str
    path: str
    gateway: bool = False


GATEWAY: Final = True
_TOURNAMENT: Final = "/v1/tournaments/{tournament}"
# A path that the gateway has it has with all its methods, so that `Allow` is the same at both.
ROUTES: Final = (
    Route("root", "GET", "/v1"),
    Route("create_tournament", "POST", "/v1/tournaments"),
    Route("list_tournaments", "GET", "/v1/tournaments"),
    Route("calendar", "GET", "/v1/tournaments.ics"),
    Route("view", "GET", _TOURNAMENT, GATEWAY),
    Route("edit_tournament", "PATCH", _TOURNAMENT, GATEWAY),
    Route("start_tournament", "POST", _TOURNAMENT + "/start"),
    Route("end_tournament", "POST", _TOURNAMENT + "/end"),
    Route("cancel_tournament", "POST", _TOURNAMENT + "/cancel"),
    Route("reopen_tournament", "POST", _TOURNAMENT + "/reopen"),
    Route("reveal_table", "POST", _TOURNAMENT + "/reveal"),
    Route("history", "GET", _TOURNAMENT + "/history"),
    Route("export", "GET", _TOURNAMENT + "/export", GATEWAY),
    Route("import_file", "POST", _TOURNAMENT + "/import"),
    Route("archive", "GET", _TOURNAMENT + "/archive", GATEWAY),
    Route("rankings", "GET", _TOURNAMENT + "/rankings", GATEWAY),
    Route("board_groups", "GET", _TOURNAMENT + "/boards/{board}"),
    Route("teams", "GET", _TOURNAMENT + "/teams"),
    Route("prizes", "GET", _TOURNAMENT + "/prizes"),
    Route("preview_prizes", "POST", _TOURNAMENT + "/prizes/preview"),
    Route("approve_prizes", "POST", _TOURNAMENT + "/prizes/approve"),
    Route("revoke_prizes", "POST", _TOURNAMENT + "/prizes/revoke"),
    Route("claim_prizes", "POST", _TOURNAMENT + "/prizes/claim"),
    Route("join", "PUT", _TOURNAMENT + "/participants/{user}", GATEWAY),
    Route("leave", "DELETE", _TOURNAMENT + "/participants/{user}", GATEWAY),
    Route("participant", "GET", _TOURNAMENT + "/participants/{user}", GATEWAY),
    Route("edit_participant", "PATCH", _TOURNAMENT + "/participants/{user}", GATEWAY),
    Route("begin", "POST", _TOURNAMENT + "/participants/{user}/begin"),
    Route("done", "POST", _TOURNAMENT + "/participants/{user}/done"),
    Route("disqualify", "POST", _TOURNAMENT + "/participants/{user}/disqualify"),
    Route("reinstate", "POST", _TOURNAMENT + "/participants/{user}/reinstate"),
    Route("cohorts", "GET", _TOURNAMENT + "/cohorts"),
    Route("series", "GET", "/v1/series/{tournament}"),
    Route("create_invitation", "POST", _TOURNAMENT + "/invitations"),
    Route("list_invitations", "GET", _TOURNAMENT + "/invitations"),
    Route("revoke_invitation", "DELETE", _TOURNAMENT + "/invitations/{invitation}"),
    Route("submit_score", "POST", _TOURNAMENT + "/scores", GATEWAY),
    Route("submit_batch", "POST", "/v1/scores", GATEWAY),
    Route("join_batch", "POST", "/v1/participants", GATEWAY),
    Route("submit_events", "POST", "/v1/events", GATEWAY),
    Route("submit_statements", "POST", "/xapi/statements", GATEWAY),
    Route("put_statement", "PUT", "/xapi/statements", GATEWAY),
    Route("xapi_about", "GET", "/xapi/about", GATEWAY),
    Route("lti_token", "POST", "/v1/lti/token"),
    Route("line_items", "GET", "/v1/lti/lineitems", GATEWAY),
    Route("line_item", "GET", "/v1/lti/lineitems/{tournament}", GATEWAY),
    Route("submit_lti_score", "POST", "/v1/lti/lineitems/{tournament}/scores", GATEWAY),
    Route("line_item_results", "GET", "/v1/lti/lineitems/{tournament}/results", GATEWAY),
    Route("list_archives", "GET", "/v1/archives"),
    Route("user_tournaments", "GET", "/v1/users/{user}/tournaments"),
    Route("user_prizes", "GET", "/v1/users/{user}/prizes"),
    Route("erase_user", "DELETE", "/v1/users/{user}"),
    Route("notifications", "GET", "/v1/users/{user}/notifications"),
    Route("set_notifications", "PUT", "/v1/users/{user}/notifications"),
    Route("dead_letters", "GET", "/v1/dead-letters"),
    Route("replay_dead_letters", "POST", "/v1/dead-letters/replay"),
    Route("placed_tournaments", "GET", "/v1/operations/tournaments"),
    Route("placed_tournament", "GET", "/v1/operations/tournaments/{tournament}"),
    Route("running_actors", "GET", "/v1/operations/actors"),
    Route("server_health", "GET", "/v1/operations/servers"),
    Route("all_history", "GET", "/v1/operations/history"),
    Route("all_notices", "GET", "/v1/operations/notices"),
    Route("analytics_summary", "GET", "/v1/analytics/summary", GATEWAY),
    Route("analytics_series", "GET", "/v1/analytics/series", GATEWAY),
    Route("analytics_tournament", "GET", "/v1/analytics/tournaments/{tournament}", GATEWAY),
    Route("analytics_picture", "GET", "/v1/analytics/tournaments/{tournament}/picture"),
    Route("demo_player", "POST", "/v1/demo/player"),
    Route("asyncapi", "GET", "/asyncapi.json", GATEWAY),
    Route("list_schemas", "GET", "/schemas/", GATEWAY),
    Route("message_schema", "GET", "/schemas/{schema}", GATEWAY),
    Route("healthz", "GET", "/healthz", GATEWAY),
    Route("readyz", "GET", "/readyz"),
)
_PARAMETER: Final = re.compile(r"\{(\w+)\}")


class Paths:
    """Routes by path."""

    def __init__(self, routes: Iterable[Route]) -> None:
        names: dict[str, dict[str, str]] = {}
        for route in routes:
            names.setdefault(route.path, {})[route.method] = route.name
        self._paths = [(re.compile(_PARAMETER.sub(r"(?P<\1>[^/]+)", path)), methods) for path, methods in names.items()]

    def match(self, path: str) -> tuple[dict[str, str], dict[str, str]]:
        """The routes' names by method, and the path's parameters: both empty where there is no such path."""
        for pattern, names in self._paths:
            if matched := pattern.fullmatch(path):
                return names, matched.groupdict()
        return {}, {}


def answer_other_method(method: str, offered: Iterable[str]) -> Response:
    """The answer to a method that a path does not have: 204 with `Allow` to OPTIONS. Raises Problem 405 with the same `Allow`."""
    methods = {*offered, "OPTIONS"}
    allow = {"allow": ", ".join(sorted(methods | ({"HEAD"} if "GET" in methods else set())))}
    if method == "OPTIONS":
        return Response(204, headers={**NO_STORE, **allow})
    raise Problem(405, "method_not_allowed", f"expected one of {allow['allow']}, got {method[:40]}", headers=allow)
