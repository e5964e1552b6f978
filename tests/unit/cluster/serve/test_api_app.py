from __future__ import annotations

import pytest
from fastapi import FastAPI

from cluster.serve import api_app


def test_what_was_offered_last_is_handed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_app, "_offered", [])
    with pytest.raises(IndexError):
        api_app.offered()
    first, second = FastAPI(), FastAPI()
    api_app.offer(first)
    assert api_app.offered() is first
    api_app.offer(second)
    assert api_app.offered() is second
    assert len(api_app._offered) == 1
