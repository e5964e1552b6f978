"""Answers of a Palio that one has written down: for what a healthy one seldom does."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import httpx2

ROOT = {"gateway": "http://gate", "live": "ws://gate/v1/live", "version": "1", "demo": False, "time": 0}


class Given(NamedTuple):
    """An answer."""

    status: int
    body: Any = None
    headers: Mapping[str, str] = {}


class Answers:
    """Gives one answer after the other, the last for ever, and tells where the gateway is; keeps the requests."""

    def __init__(self, *answers: Given | Exception) -> None:
        self.requests: list[httpx2.Request] = []
        self._answers = list(answers)

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        if request.url.path == "/v1":
            return httpx2.Response(200, json=ROOT)
        self.requests.append(request)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        if answer.body is None:
            return httpx2.Response(answer.status, headers=dict(answer.headers))
        return httpx2.Response(answer.status, json=answer.body, headers=dict(answer.headers))

    @property
    def transport(self) -> httpx2.MockTransport:
        """Where a client sends to."""
        return httpx2.MockTransport(self)

    def bodies(self) -> list[Any]:
        """What was sent, as JSON."""
        return [json.loads(request.content) for request in self.requests]

    def sent(self) -> list[str]:
        """Method and address of each call."""
        return [f"{request.method} {request.url}" for request in self.requests]


def refusal(status: int, code: str, **headers: str) -> Given:
    """A problem."""
    return Given(status, {"status": status, "code": code, "detail": "so it is"}, headers)
