"""Every endpoint answers the same on SQLite and on PostgreSQL."""

import pytest

import api_world as world
from api_client import Api, HandClock, serve, until
from dantaro.api.application import Options
from dantaro.storage.engine import Store

PATHS = [
    "/api/v1/recommendations",
    "/api/v1/recommendations?use_cache=false",
    "/api/v1/recommendations?as_of=2026-01-01T00:00:20Z",
    "/api/v1/recommendations/BTC",
    "/api/v1/support-levels/BTC",
    "/api/v1/market-status",
    "/api/v1/track-record",
    "/api/v1/rating/BTC",
    "/api/v1/exclusions",
    "/api/v1/premium",
    "/api/v1/markets",
    "/api/v1/coins",
    "/api/v1/candles/BTC",
    "/api/v1/generations",
    "/api/v1/worker/status",
    "/api/v1/health",
    "/health",
    "/ready",
    "/metrics",
]


async def test_every_endpoint_answers(
    published: Store, clock: HandClock, options: Options, key: str
) -> None:
    world.candles(published)
    world.beat(published)
    async with serve(published, clock, options, key) as api:
        answers = {path: await api.get(path) for path in PATHS}
        bundle = await api.client.post("/api/v1/bundle", json={"symbols": ["BTC"]})

    assert {path: response.status_code for path, response in answers.items()} == dict.fromkeys(
        PATHS, 200
    )
    assert bundle.status_code == 200
    health = answers["/api/v1/health"].json()
    assert (health["database"]["kind"], health["status"]) == (published.dialect, "healthy")


async def test_a_new_generation_is_shown_without_being_asked_for(api: Api) -> None:
    world.publish(api.store, *world.every_part(lift=0.01), at_ms=world.PUBLISHED_MS + 5_000)

    await until(lambda: api.view.generation == 2)

    answer = (await api.get("/api/v1/recommendations")).json()
    assert answer["generation"] == 2
    assert answer["recommendations"][0]["total_score"] == pytest.approx(0.91)
