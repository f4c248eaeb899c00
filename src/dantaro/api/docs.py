"""`/docs`: the routes with their parameters and examples on one page, without a script.

FastAPI's own page loads its viewer from the internet; a server that runs offline, or whose operator
allows no foreign scripts, would show an empty page. Any viewer can be pointed at `/openapi.json`.
"""

import asyncio
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

import orjson
from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import HTMLResponse, Response

from dantaro.api.access import serving_of
from dantaro.api.facts import facts_of
from dantaro.api.hot import recognise
from dantaro.api.schemas.more_examples import EXAMPLES
from dantaro.storage.keys import Scope

Json = Mapping[str, Any]
_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1b1f24}
h2{margin-top:2.5rem;border-top:1px solid #d0d7de;padding-top:1rem;font-size:1.1rem}
code,pre{font:14px/1.4 ui-monospace,monospace}pre{background:#f6f8fa;padding:.75rem;overflow:auto}
table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.25rem .75rem .25rem 0;
vertical-align:top;border-bottom:1px solid #eaeef2}.method{font-weight:600;color:#0550ae}
@media(prefers-color-scheme:dark){body{background:#0d1117;color:#e6edf3}pre{background:#161b22}
h2,td,th{border-color:#30363d}.method{color:#79c0ff}a{color:#79c0ff}}
"""
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"

_HEADERS: Mapping[str, str] = {
    "X-Request-Id": "yours, else ours; the log has it",
    "X-Process-Time": "seconds that the answer took",
    "RateLimit-Policy": 'the limit of the key: `"key";q=600;w=60`',
    "RateLimit": 'what is left of it: `"key";r=599;t=60`',
    "Age": "age of the data in seconds, on their clock",
    "Cache-Control": "`private, max-age`: the age and the seconds until the next generation",
    "ETag": "send it back in `If-None-Match`: an unchanged answer is a 304",
}
_ALWAYS = ("X-Request-Id", "X-Process-Time")
_KEYED = ("RateLimit-Policy", "RateLimit")
_AGED = ("Age", "Cache-Control", "ETag")
_AGELESS = ("/health", "/ready", "/api/v1/health", "/metrics")
_TEXT_EXAMPLES = {
    "text/csv": "opened_at_ms,open,high,low,close,volume\n1767222000000,1.0,1.2,0.9,1.1,250.0\n",
    "text/plain": "dantaro_generation 4711.0\n",
}

router = APIRouter(include_in_schema=False)


@router.get("/openapi.json")
async def get_openapi(request: Request) -> Response:
    """The OpenAPI document."""
    _require_open(request)
    texts = await _texts(request.app)
    return Response(texts.document, media_type="application/json")


@router.get("/docs")
async def get_docs(request: Request) -> Response:
    """The routes on one page."""
    _require_open(request)
    texts = await _texts(request.app)
    return HTMLResponse(texts.page, headers={"content-security-policy": _POLICY})


@dataclass(frozen=True, slots=True)
class Texts:
    """The OpenAPI document and the page, ready to be sent."""

    document: bytes
    page: bytes


async def _texts(app: FastAPI) -> Texts:
    """Written once, in a thread: it takes half a second that no other request should wait for."""
    if not hasattr(app.state, "docs"):
        app.state.docs = asyncio.ensure_future(asyncio.to_thread(_write, app))
    texts: Texts = await asyncio.shield(app.state.docs)
    return texts


def _write(app: FastAPI) -> Texts:
    document = openapi_document(app)
    app.openapi_schema = None  # the bytes are kept, a megabyte of dictionaries is not
    return Texts(orjson.dumps(document), page(document).encode())


def openapi_document(app: FastAPI) -> Json:
    """The OpenAPI document of `app`, with examples and headers of every answer.

    The examples are put in here, since FastAPI drops what is null in those of a model.
    """
    document = app.openapi()
    for name, example in EXAMPLES.items():
        document["components"]["schemas"][name]["examples"] = [example]
    for path, methods in document["paths"].items():
        for operation in methods.values():
            answer = operation["responses"]["200"]
            keyed = "security" in operation
            names = [*_ALWAYS, *(_KEYED if keyed else ()), *(_AGED if path not in _AGELESS else ())]
            answer["headers"] = {
                name: {"description": _HEADERS[name], "schema": {"type": "string"}}
                for name in names
            }
            for media_type, text in _TEXT_EXAMPLES.items():
                if media_type in answer["content"]:
                    answer["content"][media_type]["example"] = text
    return document


def page(document: Json) -> str:
    """The HTML page for an OpenAPI document."""
    info = document["info"]
    title = escape(f"{info['title']} {info['version']}")
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<style>{_STYLE}</style><h1>{title}</h1><p>{_marked(info['description'])}</p>"
        '<p>Machine-readable: <a href="/openapi.json">/openapi.json</a>.</p>'
        f"{''.join(_operations(document))}</html>"
    )


def _operations(document: Json) -> Iterator[str]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f'<h2 id="{escape(operation["operationId"])}">'
            yield f'<span class="method">{method.upper()}</span> <code>{escape(path)}</code></h2>'
            yield f"<p>{_marked(operation.get('description', ''))}</p>"
            yield from _parameters(operation.get("parameters", ()))
            yield from _body(document, operation)
            statuses = ", ".join(operation["responses"])
            yield f"<p>Answers: {escape(statuses)}</p><pre>{escape(_curl(method, path, operation))}"
            yield "</pre>"
            yield from _answer(document, operation)


def _parameters(parameters: Any) -> Iterator[str]:
    if not parameters:
        return
    yield "<table><tr><th>parameter</th><th>in</th><th>default</th><th>meaning</th></tr>"
    for parameter in parameters:
        default = parameter["schema"].get("default", "")
        yield f"<tr><td><code>{escape(parameter['name'])}</code></td><td>{parameter['in']}</td>"
        shown = default if isinstance(default, str) else json.dumps(default)
        yield f"<td>{escape(shown)}</td>"
        yield f"<td>{_marked(parameter.get('description', ''))}</td></tr>"
    yield "</table>"


def _marked(text: str) -> str:
    """`text` as HTML, what stands between backticks as code."""
    return re.sub("`([^`]+)`", r"<code>\1</code>", escape(text))


def _body(document: Json, operation: Json) -> Iterator[str]:
    if "requestBody" in operation:
        yield from _example("Body", document, operation["requestBody"]["content"])


def _answer(document: Json, operation: Json) -> Iterator[str]:
    yield from _example("Example answer", document, operation["responses"]["200"]["content"])


def _example(title: str, document: Json, content: Json) -> Iterator[str]:
    reference = content.get("application/json", {}).get("schema", {}).get("$ref", "")
    schema = document["components"]["schemas"].get(reference.rpartition("/")[2], {})
    for example in schema.get("examples", ()):
        yield f"<details><summary>{title}</summary><pre>"
        yield f"{escape(json.dumps(example, indent=2))}</pre></details>"


def _curl(method: str, path: str, operation: Json) -> str:
    parts = ["curl"]
    if operation.get("security"):
        parts.append('-H "Authorization: Bearer $DANTARO_KEY"')
    if method == "post":
        parts.append('--json \'{"symbols": ["BTC"]}\'')
    return f'{" ".join(parts)} "$DANTARO_URL{path.replace("{symbol}", "BTC")}"'


def _require_open(request: Request) -> None:
    serving = serving_of(request)
    if not serving.options.open_docs:
        recognise(serving, facts_of(request.scope), Scope.READ)
