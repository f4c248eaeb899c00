"""What goes on beside the requests: looking for generations, keys and workers.

Each task runs until it is cancelled and survives whatever happens to the database and the cache.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable

import structlog

from dantaro.api.bodies.workers import worker_state
from dantaro.api.notes import silence_of
from dantaro.api.serving import Serving
from dantaro.cache import Subscription
from dantaro.cache.keys import generation_channel
from dantaro.errors import DantaroError
from dantaro.queries.reach import collected_exchanges, unreachable_exchanges
from dantaro.storage.jobs import JobRun, last_outcomes
from dantaro.storage.keys import active_keys
from dantaro.storage.workers import WorkerState, workers

_log = structlog.get_logger(__name__)

KEYS_SECONDS = 1.0
_RETRY_SECONDS = 1.0


async def watch_generations(serving: Serving) -> None:
    """Show each new generation: told by the cache, found by polling at the latest."""
    woken = asyncio.Event()
    subscription: Subscription | None = None
    try:
        while True:
            woken.clear()
            reached = await serving.refresh()
            if subscription is None and reached and serving.cache.kind != "memory":
                subscription = _subscribe(serving, woken)
            pause = serving.options.poll_seconds if reached else _RETRY_SECONDS
            await _first_of(woken, pause)
    finally:
        if subscription is not None:
            await asyncio.to_thread(subscription.close)


async def watch_keys(serving: Serving) -> None:
    """Know the keys of the database, at most a second late."""

    async def look() -> None:
        try:
            records = await serving.observed(lambda: active_keys(serving.reader.store()))
        except DantaroError as error:
            serving.keys_error = error
            raise
        serving.keys_error = None
        serving.keys.replace(records)

    await _repeat("keys_not_read", KEYS_SECONDS, look)


async def watch_workers(serving: Serving) -> None:
    """Know whether some worker is alive, and which exchanges it cannot reach."""
    heartbeat_seconds = serving.options.heartbeat_seconds
    unreachable: tuple[str, ...] = ()

    def read() -> tuple[tuple[WorkerState, ...], tuple[JobRun, ...]]:
        store = serving.reader.store()
        return workers(store), last_outcomes(store)

    async def look() -> None:
        nonlocal unreachable
        try:
            states, runs = await serving.observed(read)
        except DantaroError:
            serving.show_workers("unknown", unreachable)
            raise
        collected = collected_exchanges(states, heartbeat_seconds=heartbeat_seconds)
        unreachable = tuple(unreachable_exchanges(runs, collected=collected))
        state = worker_state(states, heartbeat_seconds=heartbeat_seconds)
        serving.show_workers(
            state, unreachable, collected=collected, silence=silence_of(state, states)
        )

    await _repeat("workers_not_read", serving.options.workers_seconds, look)


async def _repeat(event: str, seconds: float, look: Callable[[], Awaitable[None]]) -> None:
    """Look every `seconds`; log the first of several failures, and when they are over."""
    failing = False
    while True:
        started = time.monotonic()
        try:
            await look()
        except Exception as error:  # noqa: BLE001 - the task's boundary: it must go on
            if not failing:
                unexpected = None if isinstance(error, DantaroError | TimeoutError) else error
                _log.warning(event, reason=str(error), exc_info=unexpected)
            failing = True
        else:
            if failing:
                _log.info(event, reason="over: the database answers again")
            failing = False
        await asyncio.sleep(max(0.0, seconds - (time.monotonic() - started)))


def _subscribe(serving: Serving, woken: asyncio.Event) -> Subscription | None:
    store_id = serving.reader.store_id
    if store_id is None:
        return None
    loop = asyncio.get_running_loop()

    def wake(_message: bytes) -> None:
        loop.call_soon_threadsafe(woken.set)

    return serving.cache.subscribe(generation_channel(store_id), wake)


async def _first_of(woken: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await woken.wait()
    except TimeoutError:
        pass
