"""The api: FastAPI over the same handlers as the gateway, with the page, the documentation and the metrics."""

from __future__ import annotations

import asyncio
import functools
import hashlib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.requests import Request as WebRequest
from starlette.responses import Response as WebResponse
from starlette.staticfiles import StaticFiles

from serve_app.api.bundle import bundled
from serve_app.api.calls import CallReader
from serve_app.api.docs_page import DOCS_CSP, SWAGGER_UI, docs_page
from serve_app.api.responses import DESCRIPTION, openapi_document
from serve_app.api.routers import ROUTERS
from serve_app.api.security_headers import ASKED_METHOD, SecurityHeaders, web_response
from serve_app.config import FrontConfig
from serve_app.handlers.routes import ROUTES, Paths, answer_other_method
from serve_app.http.bodies import wrong_fields
from serve_app.http.cors import EMBED_MODULE
from serve_app.http.problems import FieldError, Problem, problem_response
from serve_app.metrics import exposition
from serve_app.services.container import Services

WEB_DIR: Final = Path(__file__).parents[1] / "web"
_HOST: Final = re.compile(r"([A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::\d{1,5})?")

_PATHS: Final = Paths(ROUTES)


def create_app(services: Services, config: FrontConfig | None = None) -> FastAPI:
    """The api of one process. The services are opened and closed by whoever calls this."""
    config = config or services.config
    app = FastAPI(
        title="Palio",
        version=config.version,
        description=DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    calls = app.state.calls = CallReader(services)
    for router in ROUTERS:
        app.router.routes.extend(router.routes)  # each router included has 15-25 us of every call
    app.openapi = lambda: openapi_document(app)  # type: ignore[method-assign]  # FastAPI's documented way to extend it
    _add_pages(app, config)

    async def problem(web: WebRequest, error: Exception) -> WebResponse:
        del web
        return web_response(calls.handlers.errors.response(error, "api"))

    app.add_exception_handler(Problem, problem)
    app.add_exception_handler(ClientDisconnect, _nobody_is_there)
    app.add_exception_handler(RequestValidationError, _wrong_parameters)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_middleware(SecurityHeaders, cors=services.cors)
    return app


def _add_pages(app: FastAPI, config: FrontConfig) -> None:
    docs = docs_page()

    async def page(file: str, web: WebRequest) -> WebResponse:
        content = await asyncio.to_thread((WEB_DIR / file).read_bytes)
        headers = {
            "content-security-policy": page_csp(config, web.headers.get("host", "")),
            "cache-control": "no-cache",
        }
        return WebResponse(content, headers=headers, media_type="text/html")

    board = bundled(WEB_DIR / "embed" / "element.js").encode()
    board_tag = f'"{hashlib.sha256(board).hexdigest()[:32]}"'

    async def board_module(web: WebRequest) -> WebResponse:
        headers = {
            "etag": board_tag,
            "cache-control": "public, max-age=300",
        }  # an update reaches other sites in minutes
        if board_tag in web.headers.get("if-none-match", ""):
            return WebResponse(status_code=304, headers=headers)
        return WebResponse(board, headers=headers, media_type="text/javascript")

    async def documentation(web: WebRequest) -> WebResponse:
        del web
        return WebResponse(docs, headers={"content-security-policy": DOCS_CSP}, media_type="text/html")

    async def metrics(web: WebRequest) -> WebResponse:
        del web
        content, media_type = await asyncio.to_thread(exposition)
        return WebResponse(content, headers={"content-type": media_type, "cache-control": "no-store"})

    for path, endpoint in (
        ("/", functools.partial(page, "index.html")),
        ("/console", functools.partial(page, "console/index.html")),
        ("/embed", functools.partial(page, "embed/index.html")),
        (EMBED_MODULE, board_module),
        ("/docs", documentation),
        ("/metrics", metrics),
    ):
        app.add_route(path, endpoint, methods=["GET"])
    app.mount("/web", StaticFiles(directory=WEB_DIR), name="web")
    app.mount("/swagger-ui", StaticFiles(directory=SWAGGER_UI), name="swagger-ui")


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
        try:
            return web_response(answer_other_method(web.scope[ASKED_METHOD], _offered(web.scope["path"])))
        except Problem as wrong_method:
            problem = wrong_method
    elif error.status_code == 404:
        problem = Problem(404, "not_found", "there is no such page")
    else:
        problem = Problem(error.status_code, "malformed", str(error.detail))
    return web_response(problem_response(problem))


def _offered(path: str) -> Iterable[str]:
    """The methods of a path: of all its path operations, of which Starlette names one; the pages have GET alone."""
    return _PATHS.match(path)[0] or {"GET"}


async def _wrong_parameters(web: WebRequest, error: Exception) -> WebResponse:
    """FastAPI's own validation, for path operations whose parameters have types: ours are texts, which handlers read."""
    del web
    assert isinstance(error, RequestValidationError)
    errors = [FieldError(".".join(map(str, wrong["loc"][1:])), wrong["msg"]) for wrong in error.errors()]
    return web_response(problem_response(wrong_fields(errors)))


async def _nobody_is_there(web: WebRequest, error: Exception) -> WebResponse:
    del web, error
    return WebResponse(status_code=400)  # nobody is there to read it
