"""The path operations and the OpenAPI document that FastAPI makes of them."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from serve_app.api.responses import openapi_document
from serve_app.handlers.routes import ROUTES
from serve_app.http.problems import CODES
from tests.support.calls import DOCUMENT, validate
from tests.support.front import open_front

OPERATIONS = {
    operation["operationId"]: (method, path, operation)
    for path, operations in DOCUMENT["paths"].items()
    for method, operation in operations.items()
}
HEALTH = {"healthz", "readyz"}
each_operation = pytest.mark.parametrize("name", OPERATIONS)


async def test_the_api_serves_the_document() -> None:
    async with open_front() as front:
        served = (await front.client.get("/openapi.json")).json()
        assert served == json.loads(json.dumps(openapi_document(front.app)))
    assert served["openapi"].startswith("3.1")
    assert (served["paths"], served["components"]) == (DOCUMENT["paths"], DOCUMENT["components"])


def test_each_route_is_an_operation() -> None:
    assert {route.name: (route.method.lower(), route.path) for route in ROUTES} == {
        name: (method, path) for name, (method, path, _) in OPERATIONS.items()
    }


@each_operation
def test_references_lead_somewhere(name: str) -> None:
    _, path, operation = OPERATIONS[name]
    given = [p["name"] for p in operation.get("parameters", []) if p["in"] == "path"]
    assert given == re.findall(r"\{(\w+)\}", path)
    named = set(re.findall(r"#/components/schemas/(\w+)", json.dumps(operation)))
    assert named <= set(DOCUMENT["components"]["schemas"])


@each_operation
def test_it_is_told_who_may_call_and_for_what(name: str) -> None:
    _, _, operation = OPERATIONS[name]
    assert operation["summary"]
    assert operation["tags"]
    who = re.match(r"Who: ([^.]+)\.", operation["description"])
    assert who is not None
    token: list[dict[str, list[str]]] = [{"token": []}]
    expected = None if name in HEALTH else [*token, {}] if who[1] == "all" else token
    assert operation.get("security") == expected
    assert ("The gateway answers it too." in operation["description"]) == any(
        route.gateway for route in ROUTES if route.name == name
    )
    assert DOCUMENT["components"]["securitySchemes"]["token"] == {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
    }


@each_operation
def test_examples_are_as_their_schemas_say(name: str) -> None:
    method, _, operation = OPERATIONS[name]
    contents: list[dict[str, Any]] = [
        content
        for told in [operation.get("requestBody", {}), *operation["responses"].values()]
        for content in told.get("content", {}).values()
    ]
    assert contents
    for content in contents:
        assert content["schema"], "no schema"
        validate(content["schema"], content["example"])
    for parameter in operation.get("parameters", []):
        for example in parameter["schema"].get("examples", []):
            validate(parameter["schema"], example)
    assert ("requestBody" in operation) == (method in ("post", "put", "patch") and "415" in operation["responses"])


def test_a_wrong_example_would_be_found() -> None:
    content = OPERATIONS["view"][2]["responses"]["200"]["content"]["application/json"]
    nothing: dict[str, Any] = {}
    for wrong in (nothing, content["example"] | {"participants": "2"}, content["example"] | {"more": 1}):
        with pytest.raises(ValueError, match=r"required|type|properties"):
            validate(content["schema"], wrong)
    with pytest.raises(ValueError, match="date-time"):
        validate(content["schema"], content["example"] | {"created_at": "yesterday"})


@each_operation
def test_problems_are_told_by_one_rule(name: str) -> None:
    """What heads, queries, bodies and a server that starts or stops may bring about in any call."""
    method, _, operation = OPERATIONS[name]
    told = {int(status) for status in operation["responses"]}
    assert {400, 422, 503} <= told
    assert ({401, 429} <= told) == (name not in HEALTH)
    assert ({408, 413} <= told) == (method != "get")
    for status in (status for status in told if status >= 400):
        answer = operation["responses"][str(status)]
        ((media_type, content),) = answer["content"].items()
        assert media_type == "application/problem+json"
        assert content["schema"] == {"$ref": "#/components/schemas/ProblemDetails"}
        assert content["example"]["status"] == status
        codes = re.findall(r"`(\w+)`", answer["description"])
        assert content["example"]["code"] in codes
        assert codes == [code for code, (of, _) in CODES.items() if of == status]
