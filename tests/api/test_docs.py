"""docs/api.md says everything: every route, parameter, error code and metric."""

import re
from http import HTTPStatus
from pathlib import Path
from typing import cast

import pytest
from fastapi import FastAPI

import api_world as world
from api_client import Api, HandClock, serve
from dantaro.api import problems
from dantaro.api.application import Options, assemble
from dantaro.api.docs import Json, openapi_document, page
from dantaro.api.schemas import market_data, operations, ranking, track_record
from dantaro.api.schemas.ranking import BundleRequest
from dantaro.cache.memory import MemoryCache
from dantaro.clock import Clock
from dantaro.errors import RequestError
from dantaro.storage.engine import Store

DOCS = (Path(__file__).parents[2] / "docs" / "api.md").read_text(encoding="utf-8")


def no_store() -> Store:
    raise AssertionError("the documentation needs no database")


@pytest.fixture(scope="module")
def document() -> Json:
    edge = assemble(
        connect=no_store, cache=MemoryCache(), clock=Clock(), options=Options(open_docs=True)
    )
    return openapi_document(cast(FastAPI, edge._app))


def test_every_route_is_in_the_table(document: Json) -> None:
    rows = [line for line in DOCS.splitlines() if line.startswith("| ")]
    for path, methods in document["paths"].items():
        for method in methods:
            assert any(method.upper() in row and f"`{path}`" in row for row in rows), path


def test_every_parameter_is_named_beside_its_route(document: Json) -> None:
    for path, methods in document["paths"].items():
        (row,) = [line for line in DOCS.splitlines() if f"`{path}` |" in line]
        for parameter in methods.get("get", {}).get("parameters", ()):
            if parameter["in"] == "query":
                assert f"`{parameter['name']}`" in row, (path, parameter["name"])


def test_every_code_of_a_problem_is_explained() -> None:
    codes = {kind.code for kind in RequestError.__subclasses__()}
    codes |= set(problems._CODE_OF_STATUS.values()) | {"internal_error", "unavailable"}
    codes |= {"timeout", "not_configured"}
    for code in codes:
        assert f"`{code}`" in DOCS, code


def test_every_status_that_a_route_declares_is_explained(document: Json) -> None:
    for methods in document["paths"].values():
        for operation in methods.values():
            for status in operation["responses"]:
                assert HTTPStatus(int(status))
                assert status == "200" or re.search(rf"^\|[^|]*\b{status}\b", DOCS, re.MULTILINE)


async def test_every_metric_is_explained(
    published: Store, clock: HandClock, options: Options, key: str
) -> None:
    async with serve(published, clock, options, key) as api:
        text = (await api.get("/metrics")).text
    for name in re.findall(r"^# TYPE (dantaro_\w+)", text, re.MULTILINE):
        assert f"`{name}" in DOCS, name


def test_the_page_names_every_route_and_loads_nothing(document: Json) -> None:
    text = page(document)
    for path in document["paths"]:
        assert f"<code>{path}</code>" in text
    assert not re.search(r"<script|<link|<img|src=|url\(|@import", text)


def test_every_answer_has_an_example_with_exactly_its_fields(document: Json) -> None:
    schemas = document["components"]["schemas"]
    BundleRequest.model_validate(schemas["BundleRequest"]["examples"][0])
    shapes = {
        name: shape
        for module in (ranking, market_data, operations, track_record)
        for name, shape in vars(module).items()
    }
    for path, methods in document["paths"].items():
        for operation in methods.values():
            answer = operation["responses"]["200"]
            if "application/json" not in answer["content"]:
                assert path == "/metrics"
                continue
            name = answer["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
            (example,) = schemas[name]["examples"]
            shapes[name].model_validate(example)
            assert set(example) == set(schemas[name]["properties"]), name


def test_every_parameter_says_what_it_is_for(document: Json) -> None:
    for path, methods in document["paths"].items():
        for operation in methods.values():
            for parameter in operation.get("parameters", ()):
                assert parameter.get("description"), (path, parameter["name"])


async def test_every_declared_header_is_sent_and_no_other_of_ours(api: Api, document: Json) -> None:
    world.candles(api.store)
    general = {"content-type", "content-length", "vary", "content-encoding"}
    for path, methods in document["paths"].items():
        if "get" in methods:
            response = await api.get(path.replace("{symbol}", "KRW-BTC"))
            declared = {name.lower() for name in methods["get"]["responses"]["200"]["headers"]}
            keyed = {"ratelimit", "ratelimit-policy"} if path == "/api/v1/health" else set()
            sent = set(response.headers) - general - keyed
            if path in ("/health", "/ready", "/api/v1/health", "/metrics"):
                sent -= {"age", "cache-control"}
            assert sent == declared - keyed, path


def test_the_page_renders_what_it_marks(document: Json) -> None:
    text = page(document)

    assert "<td>true</td>" in text
    assert "<td>True</td>" not in text
    assert "<th></th>" not in text
    assert "<code>Authorization: Bearer dk_...</code>" in text
    assert not re.search(r"<(p|td)>[^<]*`", text)


def test_docs_and_openapi_are_not_in_the_contract_but_in_the_table(document: Json) -> None:
    assert not {"/docs", "/openapi.json"} & set(document["paths"])
    assert "| GET `/docs`, `/openapi.json` |" in DOCS
