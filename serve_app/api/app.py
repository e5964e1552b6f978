"""The api: FastAPI over the same handlers as the gateway, with the page, the documentation and the metrics."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.requests import Request as WebRequest
from starlette.responses import Response as WebResponse
from starlette.staticfiles import StaticFiles

from serve_app.api.docs_page import DOCS_CSP, docs_page
from serve_app.api.openapi import openapi_document
from serve_app.api.security_headers import SecurityHeaders, web_response
from serve_app.config import FrontConfig
from serve_app.handlers.callers import Callers
from serve_app.handlers.handlers import Handlers
from serve_app.handlers.routes import answer_other_method, handler_names
from serve_app.http.bodies import UnreadBodies, body_limit
from serve_app.http.headers import combined
from serve_app.http.messages import Handler, Request
from serve_app.http.problems import Problem, problem_response
from serve_app.http.query import read_query
from serve_app.metrics import exposition
from serve_app.services.container import Services

WEB_DIR: Final = Path(__file__).parents[1] / "web"
_HOST: Final = re.compile(r"([A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::\d{1,5})?")


def create_app(services: Services, config: FrontConfig | None = None) -> FastAPI:
    """The api of one process. The services are opened and closed by whoever calls this."""
    config = config or services.config
    handlers, unread = Handlers(services, "api"), UnreadBodies(config.max_unread_body_bytes)
    document = openapi_document(config.version)
    app = FastAPI(
        title="Palio",
        version=config.version,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
    )
    app.openapi = lambda: document  # type: ignore[method-assign]  # FastAPI's documented way to give one's own
    for path, names in handler_names().items():
        methods = {method: handlers.table[name] for method, name in names.items()}
        app.add_route(path, _endpoint(methods, handlers, services, unread), methods=list(methods))
    _add_pages(app, config, document)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_middleware(SecurityHeaders, cors=services.cors)
    return app


def _endpoint(
    methods: Mapping[str, Handler], handlers: Handlers, services: Services, unread: UnreadBodies
) -> Callable[[WebRequest], Awaitable[WebResponse]]:
    async def endpoint(web: WebRequest) -> WebResponse:
        client = services.proxies.client(web.scope.get("client"), web.scope["headers"])
        try:
            raw = combined(web.scope["headers"])
            headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in raw.items()}
            query = read_query(web.scope["query_string"])
            body = (
                b""
                if web.method in ("GET", "HEAD")
                else await _read_body(web, headers, client, handlers.callers, services, unread)
            )
        except Problem as problem:
            return web_response(handlers.errors.response(problem, "api"))
        except ClientDisconnect:
            return WebResponse(status_code=400)  # nobody is there to read it
        request = Request(web.method, headers, query, web.path_params, body, client)
        handler = methods["GET" if web.method == "HEAD" else web.method]
        return web_response(await handler(request))

    return endpoint


async def _read_body(
    web: WebRequest,
    headers: Mapping[str, str],
    client: str,
    callers: Callers,
    services: Services,
    unread: UnreadBodies,
) -> bytes:
    """The body, read no further than its limit. Raises Problem 401, 408, 413, 429, 503."""
    config = services.config
    authorization = headers.get("authorization")
    limit = held = 0

    async def check(size: int) -> None:
        nonlocal limit
        if size > limit:
            limit = body_limit(config, size, authorization)
            if limit > config.max_unverified_body_bytes and authorization is not None:
                await callers.verified(authorization, client)

    def verified() -> bool:
        return authorization is not None and services.authenticator.peek(authorization) is not None

    announced = headers.get("content-length", "")
    chunks: list[bytes] = []
    try:
        async with asyncio.timeout(config.request_timeout_s):
            await check(int(announced[:20]) if announced.isdigit() else 0)
            async for chunk in web.stream():
                await check(held + len(chunk))
                unread.add(len(chunk))
                held += len(chunk)
                unread.check(verified)
                chunks.append(chunk)
    except Problem as problem:
        raise _closing(problem) from None
    except TimeoutError:
        raise _closing(Problem(408, "request_timeout", f"no whole body in {config.request_timeout_s:g} s")) from None
    finally:
        unread.add(-held)
    return b"".join(chunks)


def _closing(problem: Problem) -> Problem:
    """The rest of the body stays unread, so the connection cannot go on."""
    return Problem(
        problem.status, problem.code, problem.detail, problem.errors, {**problem.headers, "connection": "close"}
    )


def _add_pages(app: FastAPI, config: FrontConfig, document: dict[str, Any]) -> None:
    docs, machine = docs_page(document), msgspec.json.encode(document)

    async def page(web: WebRequest) -> WebResponse:
        content = await asyncio.to_thread((WEB_DIR / "index.html").read_bytes)
        headers = {
            "content-security-policy": page_csp(config, web.headers.get("host", "")),
            "cache-control": "no-cache",
        }
        return WebResponse(content, headers=headers, media_type="text/html")

    async def documentation(web: WebRequest) -> WebResponse:
        del web
        return WebResponse(docs, headers={"content-security-policy": DOCS_CSP}, media_type="text/html")

    async def openapi(web: WebRequest) -> WebResponse:
        del web
        return WebResponse(machine, media_type="application/json")

    async def metrics(web: WebRequest) -> WebResponse:
        del web
        content, media_type = await asyncio.to_thread(exposition)
        return WebResponse(content, headers={"content-type": media_type, "cache-control": "no-store"})

    for path, endpoint in (("/", page), ("/docs", documentation), ("/openapi.json", openapi), ("/metrics", metrics)):
        app.add_route(path, endpoint, methods=["GET"])
    app.mount("/web", StaticFiles(directory=WEB_DIR), name="web")


def page_csp(config: FrontConfig, host: str) -> str:
    """The page's Content-Security-Policy: its own files alone, and the gateway, also under the name the page came by."""
    told = (config.gateway_url.rstrip("/"), config.live_url.split("/v1")[0])
    gateways = set(told)
    matched = _HOST.fullmatch(host)
    if matched is not None:
        for url in told:
            scheme, _, rest = url.partition("://")
            _, colon, port = rest.rpartition(":")
            gateways.add(
                f"{scheme}://{matched[1]}{colon}{port}" if colon and port.isdigit() else f"{scheme}://{matched[1]}"
            )
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
        f"manifest-src 'self'; connect-src 'self' {' '.join(sorted(gateways))}; base-uri 'none'; form-action 'self'; "
        "frame-ancestors 'none'"
    )


async def _http_error(web: WebRequest, error: Exception) -> WebResponse:
    """Starlette's own errors (no such path, wrong method) in the contract's form."""
    assert isinstance(error, HTTPException)
    if error.status_code == 405:
        offered = (error.headers or {}).get("Allow", "GET").split(", ")  # static files name none
        try:
            return web_response(answer_other_method(web.method, offered))
        except Problem as wrong_method:
            problem = wrong_method
    elif error.status_code == 404:
        problem = Problem(404, "not_found", "there is no such page")
    else:
        problem = Problem(error.status_code, "malformed", str(error.detail))
    return web_response(problem_response(problem))
