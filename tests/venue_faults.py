"""A loopback server that answers as an exchange or as a hostile one, and a venue that talks to it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from dantaro.venues.adapters.base import Adapter
from dantaro.venues.gateway import Gateway
from dantaro.venues.session import VenueSession
from dantaro.venues.venue import Venue, open_venue

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

# A stand-in that says so is not paced, so that the tests do not wait for a real exchange's limits.
STAND_IN = {"X-Dantaro-Origin": "recorded", "X-Dantaro-Limits": "none"}


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[str]:
    """The address of a server that gives every request to `handler`."""
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def venue_at(
    exchange: str,
    handler: Handler,
    *,
    adapter: Callable[[Gateway], Adapter] | None = None,
    **session_options: Any,
) -> AsyncIterator[Venue]:
    """The production venue of `exchange`, its address replaced by that of `handler`.

    `adapter`: another one than `open_venue` chooses.
    """
    session = VenueSession(**session_options)
    try:
        async with serving(handler) as url:
            if adapter is None:
                yield open_venue(exchange, session=session, base_url=url)
            else:
                yield Venue(adapter(Gateway(exchange, session=session, base_url=url)))
            await session.close()
    finally:
        await session.close()


def always(
    body: bytes | str, *, status: int = 200, headers: dict[str, str] | None = None
) -> Handler:
    """A handler that answers everything alike, as JSON unless `headers` say otherwise."""
    content = body.encode() if isinstance(body, str) else body

    async def answer(_: web.Request) -> web.Response:
        told = {"Content-Type": "application/json", **STAND_IN, **(headers or {})}
        return web.Response(body=content, status=status, headers=told)

    return answer
