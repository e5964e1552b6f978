"""The calls that the gateway answers too. The api has them all, as FastAPI's path operations (`serve_app.api.routers`)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from serve_app.http.caching import NO_STORE
from serve_app.http.messages import Response
from serve_app.http.problems import Problem

_TOURNAMENT: Final = "/v1/tournaments/{tournament}"
# The handler's name by method, by path. A path that the gateway has it has with all its methods, so that `Allow` is the same.
GATEWAY_CALLS: Final[Mapping[str, Mapping[str, str]]] = {
    _TOURNAMENT: {"GET": "view", "PATCH": "edit_tournament"},
    _TOURNAMENT + "/rankings": {"GET": "rankings"},
    _TOURNAMENT + "/scores": {"POST": "submit_score"},
    _TOURNAMENT + "/participants/{user}": {"PUT": "join", "DELETE": "leave", "GET": "participant"},
    "/v1/scores": {"POST": "submit_batch"},
    "/healthz": {"GET": "healthz"},
}


def answer_other_method(method: str, offered: Iterable[str]) -> Response:
    """The answer to a method that a path does not have: 204 with `Allow` to OPTIONS. Raises Problem 405 with the same `Allow`."""
    methods = {*offered, "OPTIONS"}
    allow = {"allow": ", ".join(sorted(methods | ({"HEAD"} if "GET" in methods else set())))}
    if method == "OPTIONS":
        return Response(204, headers={**NO_STORE, **allow})
    raise Problem(405, "method_not_allowed", f"expected one of {allow['allow']}, got {method[:40]}", headers=allow)
