"""The API as one ASGI application, built from what it is given."""

import asyncio
import ipaddress
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.routing import APIRoute

from dantaro import __version__
from dantaro.api import docs, problems
from dantaro.api.background import watch_generations, watch_keys, watch_workers
from dantaro.api.hot import Edge
from dantaro.api.routes import analysis, market_data, operations
from dantaro.api.serving import Options, Serving
from dantaro.app.api import ApiApp
from dantaro.cache import Cache
from dantaro.clock import Clock
from dantaro.queries import Reader
from dantaro.storage.engine import Store
from dantaro.storage.schema import require_schema

__all__ = ["Options", "assemble", "build_application"]

_DESCRIPTION = (
    "Ranked coins, support and resistance, and the state of the market, read-only. Every answer says "
    "how old its data are. Send an API key as `Authorization: Bearer dk_...`."
)


def build_application(api: ApiApp) -> Edge:
    """The application that serves with `api`, which it closes in the end."""
    settings = api.settings

    def connect() -> Store:
        # Asked for again when the database was away at the start.
        require_schema(api.store)
        return api.store

    options = Options(
        rate_limit_per_minute=settings.rate_limit_per_minute,
        periods={
            "markets": settings.markets_seconds,
            "tickers": settings.tickers_seconds,
            "candles": min(frame.milliseconds for frame in settings.timeframes) // 1000,
            "gaps": settings.gaps_seconds,
            "market_status": settings.market_status_seconds,
            "recommendations": settings.recommendations_seconds,
            "levels": settings.levels_seconds,
            "cleanup": settings.cleanup_seconds,
        },
        heartbeat_seconds=settings.heartbeat_seconds,
        # On an address that others can reach, even the list of routes needs a key.
        open_docs=is_loopback(settings.host),
    )
    return assemble(
        connect=connect, cache=api.cache, clock=api.clock, options=options, close=api.close
    )


def assemble(
    *,
    connect: Callable[[], Store],
    cache: Cache,
    clock: Clock,
    options: Options,
    close: Callable[[], None] = lambda: None,
) -> Edge:
    """The application from its parts. Its lifespan starts and stops the tasks that look for news.

    `connect` gives the open database and is asked again until it does. `clock` is made to follow the
    time of the exchange that the store's data come from. `close` is called when serving ends.
    """
    serving = Serving(Reader(connect, cache, clock), cache, clock, options)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        watching = [watch_generations(serving), watch_keys(serving), watch_workers(serving)]
        tasks = [asyncio.create_task(task) for task in watching]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await serving.close()
            await asyncio.to_thread(close)

    app = FastAPI(
        title="Dantaro Central",
        version=__version__,
        description=_DESCRIPTION,
        lifespan=lifespan,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=_operation_id,
    )
    app.state.serving = serving
    for router in (analysis.router, market_data.router, operations.router, docs.router):
        app.include_router(router)
    problems.install(app, serving.failures)
    return Edge(app, serving)


def _operation_id(route: APIRoute) -> str:
    return route.name


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a server that listens on `host`."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"
