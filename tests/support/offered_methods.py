"""Which methods each path offers at each entrypoint by the tables of calls, and what every method is answered."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx2

from tests.support.calls import GATEWAY_PATHS, METHODS_OF

METHODS = ("OPTIONS", "HEAD", "GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND")
NOTHING_THERE = {"tournament": "77", "user": "1"}


def every_method() -> Iterator[tuple[str, str, dict[str, set[str]]]]:
    """(method, path of what does not exist, what is offered there by entrypoint) for every route. Nothing offered: there is no such path."""
    for template, methods in METHODS_OF.items():
        path = re.sub(r"\{(\w+)\}", lambda found: NOTHING_THERE.get(found[1], "nothing"), template)
        offered = {*methods, "OPTIONS", *(["HEAD"] if "GET" in methods else [])}
        for method in METHODS:
            yield method, path, {"api": offered, "gateway": offered if template in GATEWAY_PATHS else set()}


def judge_method(answer: httpx2.Response, method: str, offered: set[str]) -> None:
    """Whether it says what is offered at its path; nothing: there is no such path."""
    code = None if method == "HEAD" or answer.status_code < 400 else answer.json()["code"]
    case = (answer.url, method, answer.status_code, code)
    if not offered:
        assert (answer.status_code, code) == (404, None if method == "HEAD" else "not_found"), case
    elif method == "OPTIONS":
        assert (answer.status_code, answer.content) == (204, b""), case
    elif method in offered:
        assert answer.status_code not in (405, 500), case
        assert code != "not_found", case
    else:
        assert (answer.status_code, code) == (405, None if method == "HEAD" else "method_not_allowed"), case
    allow = ", ".join(sorted(offered)) if method == "OPTIONS" or method not in offered else ""
    assert answer.headers.get("allow", "") == allow, case
    if method == "HEAD":
        assert answer.content == b"", case
