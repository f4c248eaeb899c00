"""An API over a store in which nothing, or one generation, is published."""

from collections.abc import AsyncIterator

import pytest

import api_world as world
from api_client import Api, HandClock, serve, until
from dantaro.api.application import Options
from dantaro.storage.engine import Store
from dantaro.storage.keys import create_key

PERIODS = {"tickers": 60, "market_status": 120, "recommendations": 300, "levels": 900}


@pytest.fixture
def clock() -> HandClock:
    """Half a minute after the close of the newest candle."""
    return HandClock(world.PUBLISHED_MS + 20_000)


@pytest.fixture
def key(store: Store) -> str:
    """A key that may read everything."""
    return create_key(store, name="test", scopes=["read", "metrics"]).plain


@pytest.fixture
def options() -> Options:
    return Options(
        rate_limit_per_minute=10_000, periods=PERIODS, poll_seconds=0.05, workers_seconds=0.05
    )


@pytest.fixture
async def empty_api(
    store: Store, clock: HandClock, options: Options, key: str
) -> AsyncIterator[Api]:
    """The API over a store in which nothing is published, and no market is known."""
    async with serve(store, clock, options, key) as api:
        yield api


@pytest.fixture
def published(store: Store) -> Store:
    """A store with one generation, and a worker that was heard just now."""
    world.settle(store)
    world.publish(store)
    world.beat(store)
    return store


@pytest.fixture
async def api(published: Store, clock: HandClock, options: Options, key: str) -> AsyncIterator[Api]:
    """The API over a store with one generation."""
    async with serve(published, clock, options, key) as api:
        await until(lambda: api.serving.worker == "active")
        yield api
