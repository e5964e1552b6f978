"""The page at `/docs`: Swagger UI over the OpenAPI document, with what it needs from this server alone, and the codes of problems."""

from __future__ import annotations

from importlib import resources
from typing import Final

from serve_app.http.problems import CODES

# The package is used for its files alone: a distribution of Swagger UI.
SWAGGER_UI: Final = str(resources.files("fastapi_swagger.resources"))
DOCS_CSP: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def docs_page() -> bytes:
    """The page. The `type` of problems points at their codes in it."""
    codes = "".join(
        f'<tr id="{code}"><td><code>{code}</code></td><td>{status}</td><td>{title}</td></tr>'
        for code, (status, title) in CODES.items()
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Palio API</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<link rel="icon" href="web/favicon.svg"><link rel="stylesheet" href="swagger-ui/swagger-ui.css">'
        '<script src="swagger-ui/swagger-ui-bundle.js" defer></script><script src="web/docs.js" defer></script></head>'
        '<body class="swagger-ui"><details class="wrapper"><summary>Codes of problems</summary>'
        f"<table><thead><tr><th>Code</th><th>Status</th><th>Meaning</th></tr></thead><tbody>{codes}</tbody></table>"
        '</details><p class="wrapper">Beside it: <a href="asyncapi.json">AsyncAPI</a> of the live socket and of the Kafka '
        'topic, and <a href="schemas/">JSON Schemas</a> of their messages.</p>'
        '<div id="swagger-ui"></div></body></html>'
    ).encode()
