"""A running API over a real store, asked in process; its clock is set by hand."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx
import pytest
from tests import api_world as world

from dantaro.api.application import Options, assemble
from dantaro.api.hot import Edge
from dantaro.cache.memory import MemoryCache
from dantaro.clock import Clock
from dantaro.market.clocks import ClockReading
from dantaro.storage.engine import Store
from dantaro.storage.keys import create_key

PERIODS = {"tickers": 60, "market_status": 120, "recommendations": 300, "levels": 900}


class HandClock(Clock):
    """A clock that shows what it was set to."""

    def __init__(self, now_ms: int) -> None:
        super().__init__()
        self.at_ms = now_ms

    def now_ms(self) -> int:
        return self.at_ms

    def follow(self, reading: ClockReading | None) -> None:
        """Stay: the test sets the time."""


@dataclass
class Api:
    """The application under test, with a client that sends a valid key."""

    edge: Edge
    client: httpx.AsyncClient
    clock: HandClock
    store: Store
    key: str

    @property
    def serving(self):
        return self.edge._serving

    async def get(self, path: str, **options) -> httpx.Response:
        return await self.client.get(path, **options)

    async def until(self, condition) -> None:
        """Wait for `condition` to hold."""
        await until(condition)

    async def look(self) -> None:
        """Show what is newest now, instead of waiting for the poll."""
        assert await self.serving.refresh()


@pytest.fixture
def clock() -> HandClock:
    return HandClock(world.PUBLISHED_MS + 20_000)


@pytest.fixture
def key(store: Store) -> str:
    return create_key(store, name="test", scopes=["read", "metrics"]).plain


@pytest.fixture
def options() -> Options:
    return Options(rate_limit_per_minute=10_000, periods=PERIODS, poll_seconds=0.05)


@asynccontextmanager
async def running(edge: Edge) -> AsyncIterator[None]:
    """Run the application's lifespan, as a server does."""
    inbox: asyncio.Queue[dict[str, str]] = asyncio.Queue()
    started, stopped = asyncio.Event(), asyncio.Event()

    async def send(message):
        (started if message["type"] == "lifespan.startup.complete" else stopped).set()

    scope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}
    task = asyncio.create_task(edge(scope, inbox.get, send))
    await inbox.put({"type": "lifespan.startup"})
    await asyncio.wait_for(started.wait(), 10)
    try:
        yield
    finally:
        await inbox.put({"type": "lifespan.shutdown"})
        await asyncio.wait_for(stopped.wait(), 10)
        await task


@asynccontextmanager
async def serving_api(
    store: Store, clock: HandClock, options: Options, key: str, cache=None
) -> AsyncIterator[Api]:
    edge = assemble(
        connect=lambda: store, cache=cache or MemoryCache(), clock=clock, options=options
    )
    transport = httpx.ASGITransport(edge)
    headers = {"authorization": f"Bearer {key}"}
    async with (
        running(edge),
        httpx.AsyncClient(transport=transport, base_url="http://api", headers=headers) as client,
    ):
        api = Api(edge, client, clock, store, key)
        await until(lambda: api.serving.keys.is_loaded)
        await api.look()
        yield api


async def until(condition, seconds: float = 10.0) -> None:
    """Wait for `condition` to hold."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)


@pytest.fixture
def serve():
    """Run the API over a store: `serve(store, clock, options, key)`."""
    return serving_api


@pytest.fixture
async def empty_api(store, clock, options, key) -> AsyncIterator[Api]:
    """The API over a store in which nothing is published, and no market is known."""
    async with serving_api(store, clock, options, key) as api:
        yield api


@pytest.fixture
def published(store: Store) -> Iterator[Store]:
    """A store with one generation."""
    world.settle(store)
    world.publish(store)
    return store


@pytest.fixture
async def api(published, clock, options, key) -> AsyncIterator[Api]:
    """The API over a store with one generation."""
    async with serving_api(published, clock, options, key) as api:
        yield api
