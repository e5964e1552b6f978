"""The documents about messages, at both entrypoints."""

from __future__ import annotations

from serve_app.documents.asyncapi import asyncapi_document
from serve_app.documents.schemas import MESSAGES, schema
from tests.support.entrypoints import running_entrypoints

ELSEWHERE = {"origin": "https://elsewhere.example"}


async def test_they_are_the_same_at_both_entrypoints_for_every_origin() -> None:
    async with running_entrypoints() as both:
        for client in both.clients.values():
            config = both.gateway.services.config
            document = await client.get("/asyncapi.json", headers=ELSEWHERE)
            assert document.json() == asyncapi_document(config.version, config.live_url)
            assert document.headers["content-type"] == "application/json"
            listed = await client.get("/schemas/", headers=ELSEWHERE)
            for item, message in zip(listed.json()["schemas"], MESSAGES, strict=True):
                one = await client.get(f"/schemas/{item['url']}", headers=ELSEWHERE)
                assert one.json() == schema(message)
                assert one.headers["content-type"] == "application/schema+json"
            for answer in (document, listed, one):
                assert answer.headers["access-control-allow-origin"] == "*"
                assert answer.headers["cache-control"] == "no-cache"
                again = {"if-none-match": answer.headers["etag"]}
                assert (await client.get(str(answer.url), headers=again)).status_code == 304
            missing = await client.get("/schemas/nothing.json")
            assert (missing.status_code, missing.json()["code"]) == (404, "schema_unknown")
        api, gateway = [await client.get("/asyncapi.json") for client in both.clients.values()]
        assert (api.content, api.headers["etag"]) == (gateway.content, gateway.headers["etag"])
