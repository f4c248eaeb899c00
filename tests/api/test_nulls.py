"""Every null in an answer has its reason beside it, or above it under its dotted name."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

import pytest

import api_world as world
from api_client import Api, HandClock, serve
from dantaro.api.application import Options
from dantaro.market.documents import document
from dantaro.market.results import PartKind
from dantaro.storage.engine import Store

MEANT = {"data_note", "message", "error"}
"""Null says that there is nothing to say."""
PATHS = (
    "/api/v1/recommendations",
    "/api/v1/recommendations?exchange=upbit",
    "/api/v1/recommendations/BTC",
    "/api/v1/recommendations/SOL",
    "/api/v1/support-levels/BTC",
    "/api/v1/support-levels/upbit:ETH",
    "/api/v1/market-status",
    "/api/v1/market-status?exchange=upbit&quote=USDT",
    "/api/v1/track-record",
    "/api/v1/rating/BTC",
    "/api/v1/exclusions",
    "/api/v1/premium",
    "/api/v1/premium?coin=INDEX",
    "/api/v1/markets",
    "/api/v1/coins",
    "/api/v1/candles/KRW-BTC",
    "/api/v1/generations",
    "/api/v1/worker/status",
)
Reasons = tuple[tuple[str, Mapping[str, str]], ...]
"""For each `unavailable` above a place, the dotted way from it to that place."""


def unexplained(value: object, reasons: Reasons = (), where: str = "") -> Iterator[str]:
    """The places of nulls without a reason."""
    if isinstance(value, list):
        for item in value:
            # an item of a list has no name: what it holds is explained within it, or by its name alone
            yield from unexplained(item, (), f"{where}[]")
        return
    if not isinstance(value, dict):
        return
    if "unavailable" in value:
        reasons = (*reasons, ("", value["unavailable"]))
    for name, inner in value.items():
        if inner is None and name not in MEANT and not _has_reason(name, reasons):
            yield f"{where}.{name}"
        deeper = tuple((f"{way}{name}.", known) for way, known in reasons)
        yield from unexplained(inner, deeper, f"{where}.{name}")


def _has_reason(name: str, reasons: Reasons) -> bool:
    # features and indicators are named alone, since their names are nobody else's
    return any(f"{way}{name}" in known or name in known for way, known in reasons)


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("path", PATHS)
async def test_every_null_has_a_reason(api: Api, path: str) -> None:
    world.candles(api.store)
    response = await api.get(path)

    assert response.status_code == 200
    assert list(unexplained(response.json())) == []


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
async def test_every_null_of_a_bundle_has_a_reason(api: Api) -> None:
    answer = (await api.client.post("/api/v1/bundle", json={"symbols": ["BTC", "ETH"]})).json()

    assert list(unexplained(answer)) == []


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("path", PATHS[:8])
async def test_every_null_of_a_record_with_holes_has_a_reason(api: Api, path: str) -> None:
    holes = [
        replace(row, value=None, low=None, high=None, t_stat=None, beats_baselines=None)
        for row in world.records()
    ]
    published = document(PartKind.TRACK_RECORD, holes)
    world.publish(api.store, published, at_ms=world.PUBLISHED_MS + 1_000)
    await api.look()

    answer = (await api.get(path)).json()

    assert list(unexplained(answer)) == []


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
async def test_every_null_has_a_reason_without_prices_levels_and_ratings(
    store: Store, clock: HandClock, options: Options, key: str
) -> None:
    world.settle(store)
    world.publish(store, world.recommendations())
    async with serve(store, clock, options, key) as api:
        answers = [(await api.get(path)).json() for path in PATHS[:4]]
        bundle = (await api.client.post("/api/v1/bundle", json={})).json()

    assert [list(unexplained(answer)) for answer in (*answers, bundle)] == [[]] * 5


def test_a_null_without_a_reason_would_be_found() -> None:
    assert list(unexplained({"a": {"b": None}, "unavailable": {}})) == [".a.b"]
    assert list(unexplained({"a": {"b": None}, "unavailable": {"a.b": "why"}})) == []
    assert list(unexplained([{"x": None}])) == ["[].x"]
