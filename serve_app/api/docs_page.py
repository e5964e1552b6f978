"""The page at `/docs`: the OpenAPI document as plain HTML, with everything it needs in itself: no script, no CDN."""

from __future__ import annotations

import base64
import hashlib
import json
from html import escape
from typing import Any, Final

from serve_app.http.problems import CODES

_STYLE: Final = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 60rem; margin: 0 auto; padding: 1rem; }
code, pre { font: 0.9em ui-monospace, monospace; }
pre { overflow-x: auto; padding: 0.75rem; border: 1px solid #8886; border-radius: 0.4rem; }
details { border: 1px solid #8886; border-radius: 0.4rem; margin: 0.5rem 0; padding: 0.25rem 0.75rem; }
summary { cursor: pointer; padding: 0.35rem 0; }
.method { display: inline-block; min-width: 4.5rem; font-weight: 700; }
table { border-collapse: collapse; width: 100%; margin: 0.5rem 0; }
th, td { text-align: left; vertical-align: top; padding: 0.3rem 0.6rem 0.3rem 0; border-bottom: 1px solid #8884; }
"""
STYLE_HASH: Final = "sha256-" + base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
DOCS_CSP: Final = (
    f"default-src 'none'; style-src '{STYLE_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def docs_page(document: dict[str, Any]) -> bytes:
    """The page of an OpenAPI document."""
    info = document["info"]
    calls = "".join(
        _call(method.upper(), path, operation)
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    )
    schemas = "".join(
        f'<details id="schema-{escape(name)}"><summary><code>{escape(name)}</code> '
        f"{escape(schema.get('description', ''))}</summary>{_json(schema)}</details>"
        for name, schema in document["components"]["schemas"].items()
    )
    codes = "".join(
        f'<tr id="{code}"><td><code>{code}</code></td><td>{status}</td><td>{escape(title)}</td></tr>'
        for code, (status, title) in CODES.items()
    )
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(info["title"])} API</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head><body>'
        f"<h1>{escape(info['title'])} API {escape(info['version'])}</h1>"
        "<p>Ids are decimal strings, scores numbers with at most 2 decimals, times RFC 3339 in UTC. Send a token as "
        '<code>Authorization: Bearer &lt;JWT&gt;</code>. For machines: <a href="openapi.json">openapi.json</a>.</p>'
        f"<h2>Calls</h2>{calls}<h2>Errors</h2><p>Errors are <code>application/problem+json</code> with a stable code."
        f"</p><table><tr><th>Code</th><th>Status</th><th>Meaning</th></tr>{codes}</table>"
        f"<h2>Schemas</h2>{schemas}</body></html>"
    ).encode()


def _call(method: str, path: str, operation: dict[str, Any]) -> str:
    rows = "".join(
        f"<tr><td><code>{escape(one['name'])}</code></td><td>{one['in']}</td><td>{escape(one['description'])}</td></tr>"
        for one in operation.get("parameters", [])
    )
    parameters = f"<table><tr><th>Parameter</th><th>In</th><th></th></tr>{rows}</table>" if rows else ""
    body = "".join(
        f"<p>Body, <code>{escape(kind)}</code>: {_schema_link(content['schema'])}</p>"
        for kind, content in operation.get("requestBody", {}).get("content", {}).items()
    )
    answers = "".join(
        f"<tr><td>{status}</td><td>{escape(answer['description'])}</td><td>"
        + "".join(_schema_link(content["schema"]) for content in answer.get("content", {}).values())
        + "</td></tr>"
        for status, answer in operation["responses"].items()
    )
    return (
        f'<details id="{operation["operationId"]}"><summary><span class="method">{method}</span> <code>{escape(path)}'
        f"</code> {escape(operation['summary'])}</summary><p>{escape(operation['description'])}</p>{parameters}{body}"
        f"<table><tr><th>Status</th><th></th><th>Body</th></tr>{answers}</table></details>"
    )


def _schema_link(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        name = escape(schema["$ref"].rsplit("/", 1)[-1])
        return f'<a href="#schema-{name}"><code>{name}</code></a>'
    return f"a list of {_schema_link(schema['items'])}" if "items" in schema else "<code>JSON</code>"


def _json(value: object) -> str:
    return f"<pre>{escape(json.dumps(value, indent=2))}</pre>"
