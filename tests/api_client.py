"""A running API over a real store, asked in process; its clock is set by hand."""

import asyncio
from collections.abc import AsyncIterator, Callable, MutableMapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from dantaro.api.application import Options, assemble
from dantaro.api.hot import Edge
from dantaro.api.serving import Serving
from dantaro.cache import Cache
from dantaro.cache.memory import MemoryCache
from dantaro.clock import Clock
from dantaro.market.clocks import ClockReading
from dantaro.queries import Snapshot
from dantaro.storage.engine import Store

Headers = list[tuple[bytes, bytes]]


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
    def serving(self) -> Serving:
        return self.edge._serving

    @property
    def view(self) -> Snapshot:
        """The generation that is served."""
        assert self.serving.view is not None
        return self.serving.view

    async def get(self, path: str, **options: Any) -> httpx.Response:
        return await self.client.get(path, **options)

    async def raw(self, path: str, **headers: bytes | None) -> tuple[int, Headers, bytes]:
        """Status, headers and body exactly as the application sends them."""
        given: dict[str, bytes | None] = {"authorization": f"Bearer {self.key}".encode(), **headers}
        return await ask(
            self.edge,
            path,
            headers=[
                (name.replace("_", "-").encode(), value)
                for name, value in given.items()
                if value is not None
            ],
        )

    async def look(self) -> None:
        """Show what is newest now, instead of waiting for the poll."""
        # The first may join a look that began before what the test wants to see.
        assert await self.serving.refresh()
        assert await self.serving.refresh()


async def ask(
    edge: Edge,
    path: str,
    *,
    method: str = "GET",
    query: bytes = b"",
    headers: Headers = [],  # noqa: B006 - it is only read
    body_seconds: float = 0.0,
) -> tuple[int, Headers, bytes]:
    """Speak one request to `edge`, whose body comes after `body_seconds`."""
    sent: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        await asyncio.sleep(body_seconds)
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    scope: MutableMapping[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query,
        "root_path": "",
        "headers": headers,
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
        "state": {},
    }
    await edge(scope, receive, send)
    body = b"".join(part.get("body", b"") for part in sent[1:])
    return sent[0]["status"], sent[0]["headers"], body


@asynccontextmanager
async def running(edge: Edge) -> AsyncIterator[None]:
    """Run the application's lifespan, as a server does."""
    inbox: asyncio.Queue[MutableMapping[str, Any]] = asyncio.Queue()
    started, stopped = asyncio.Event(), asyncio.Event()

    async def send(message: MutableMapping[str, Any]) -> None:
        (started if message["type"] == "lifespan.startup.complete" else stopped).set()

    scope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}
    task = asyncio.ensure_future(edge(scope, inbox.get, send))
    await inbox.put({"type": "lifespan.startup"})
    await asyncio.wait_for(started.wait(), 10)
    try:
        yield
    finally:
        await inbox.put({"type": "lifespan.shutdown"})
        await asyncio.wait_for(stopped.wait(), 10)
        await task


@asynccontextmanager
async def serve(
    store: Store, clock: HandClock, options: Options, key: str, cache: Cache | None = None
) -> AsyncIterator[Api]:
    """The API over `store`, started."""
    edge = assemble(
        connect=lambda: store, cache=cache or MemoryCache(), clock=clock, options=options
    )
    async with running(edge), client_of(edge, key) as client:
        api = Api(edge, client, clock, store, key)
        await until(lambda: api.serving.keys.is_loaded)
        await api.look()
        yield api


def client_of(edge: Edge, key: str | None = None) -> httpx.AsyncClient:
    """A client that asks `edge` in process, with a key when given."""
    headers = {} if key is None else {"authorization": f"Bearer {key}"}
    transport = httpx.ASGITransport(edge)
    return httpx.AsyncClient(transport=transport, base_url="http://api", headers=headers)


async def until(condition: Callable[[], object], seconds: float = 10.0) -> None:
    """Wait for `condition` to hold."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - what is waited for tells nobody
            await asyncio.sleep(0.01)
