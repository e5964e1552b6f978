from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Annotated

import pytest
from fastapi import Query

from serve_app.api.app import page_csp
from serve_app.config import FrontConfig
from serve_app.handlers.routes import ROUTES
from serve_app.http.problems import CODES
from tests.support.front import SCHEDULED, Front, open_front, problem, wrong_paths


@pytest.fixture
async def front() -> AsyncIterator[Front]:
    async with open_front(request_timeout_s=0.2) as front:
        yield front


async def test_every_call_reaches_its_handler(front: Front) -> None:
    for call in ROUTES:
        path = call.path.replace("{tournament}", "77").replace("{user}", "42")
        answer = await front.client.request(call.method, path, headers=front.token(), json=SCHEDULED)
        if answer.status_code == 404:
            assert answer.json()["code"] != "not_found" or call.name == "demo_player", call
        else:
            assert answer.status_code not in (405, 500), call


async def test_parameters_with_types_are_refused_in_the_contracts_form(front: Front) -> None:
    """Ours are texts, which handlers read; whoever gives one a type gets no other errors by it."""

    async def numbered(number: int, size: Annotated[int, Query(ge=1)] = 1) -> int:
        return number * size

    front.app.add_api_route("/numbered/{number}", numbered)
    assert (await front.client.get("/numbered/7")).json() == 7
    wrong = await front.client.get("/numbered/x?size=0")
    assert problem(wrong) == (422, "invalid")
    assert wrong_paths(wrong) == ["number", "size"]


async def test_the_documentation_needs_nothing_from_elsewhere(front: Front) -> None:
    page = await front.client.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    assert not re.search(r"https?://|<script>|style=| on\w+=", page.text)
    for path in re.findall(r'(?:src|href)="([^"]+)"', page.text):
        assert (await front.client.get(f"/{path}")).status_code == 200, path
    for code in CODES:
        assert f'id="{code}"' in page.text  # the `type` of problems points here


@pytest.mark.parametrize("path", ["/", "/console", "/embed"])
async def test_the_pages_have_a_strict_policy(front: Front, path: str) -> None:
    page = await front.client.get(path)
    policy = page.headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    assert page.headers["x-content-type-options"] == "nosniff"
    directive = re.search(r"connect-src ([^;]*)", policy)
    assert directive is not None
    connect = directive[1].split()
    assert connect[0] == "'self'"
    assert {"http://127.0.0.1:8001", "ws://127.0.0.1:8001", "http://palio.example:8001"} <= set(connect)
    for path in re.findall(r'(?:src|href)="(web/[^"]+)"', page.text):
        assert (await front.client.get(f"/{path}")).status_code == 200, path


async def test_the_board_to_embed_is_one_module_for_all_origins(front: Front) -> None:
    module = await front.client.get("/palio-board.js", headers={"origin": "https://elsewhere.example"})
    assert (module.status_code, module.headers["access-control-allow-origin"]) == (200, "*")
    assert module.headers["content-type"].startswith("text/javascript")
    assert 'customElements.define("palio-board"' in module.text
    assert not re.search(r"^(import|export)\b", module.text, re.M)
    again = await front.client.get("/palio-board.js", headers={"if-none-match": module.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("host", ["a;b", "evil.example *", "a b:80", "x'", "", "a" * 300])
def test_a_host_cannot_write_into_the_policy(host: str) -> None:
    assert page_csp(FrontConfig(), host) == page_csp(FrontConfig(), "127.0.0.1:8000")


async def test_static_files_stay_inside(front: Front) -> None:
    for path in ("/web/nothing.js", "/web/", "/web/..%2fapi.py", "/web/%2e%2e/api.py", "/nothing"):
        assert problem(await front.client.get(path)) == (404, "not_found")
    script = await front.client.get("/web/app.js")
    assert "javascript" in script.headers["content-type"]
    again = await front.client.get("/web/app.js", headers={"if-none-match": script.headers["etag"]})
    assert again.status_code == 304


async def test_wrong_methods_name_the_right_ones(front: Front) -> None:
    response = await front.call("DELETE", "/v1/tournaments/77")
    assert problem(response) == (405, "method_not_allowed")
    assert set(response.headers["allow"].split(", ")) == {"GET", "HEAD", "OPTIONS", "PATCH"}
    assert (await front.client.head("/v1")).status_code == 200


async def test_metrics_count_what_happened(front: Front) -> None:
    async def counted(line: str) -> float:
        text = (await front.client.get("/metrics")).text
        found = re.search(rf"^{re.escape(line)} (\S+)$", text, re.MULTILINE)
        return float(found[1]) if found else 0.0

    scores, codes = (
        'palio_accepted_total{entrypoint="api",kind="score"}',
        'palio_rejected_total{code="invalid",entrypoint="api"}',
    )
    before = await counted(scores), await counted(codes)
    tournament = await front.create()
    await front.submit(tournament, 42, {"event_id": "a", "score": 1})
    await front.submit(tournament, 42, {"event_id": "a", "score": "1"})
    assert (await counted(scores), await counted(codes)) == (before[0] + 1, before[1] + 1)
    text = (await front.client.get("/metrics")).text
    for name in ("palio_submission_seconds_bucket", "palio_view_seconds", "palio_sockets", "palio_reads_total"):
        assert name in text


async def test_an_error_of_our_own_is_500_with_a_reference(
    front: Front, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(*_: object) -> None:
        raise RuntimeError("a secret detail")

    tournament = await front.create()
    monkeypatch.setattr(front.palio.log, "append", broken)
    response = await front.submit(tournament, 42, {"event_id": "a", "score": 1})
    assert problem(response) == (500, "internal")
    assert "secret" not in response.text
    assert response.json()["reference"] in caplog.text
    assert "a secret detail" in caplog.text


async def test_an_error_outside_the_handlers_is_500_too(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> str:
        raise RuntimeError("a secret detail")

    monkeypatch.setattr("serve_app.api.app.page_csp", broken)
    response = await front.client.get("/")
    assert problem(response) == (500, "internal")
    assert "secret" not in response.text
    assert response.headers["x-content-type-options"] == "nosniff"


def test_problems_have_documented_codes() -> None:
    for code, (status, title) in CODES.items():
        assert 400 <= status < 600, code
        assert title
