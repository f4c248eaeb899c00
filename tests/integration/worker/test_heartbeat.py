import asyncio
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from dantaro.clock import Clock, real_now_ms
from dantaro.storage.engine import Store
from dantaro.storage.workers import workers
from dantaro.worker.heartbeat import Heart
from dantaro.worker.metrics import Metrics


@pytest.fixture
def pulse() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as threads:
        yield threads


def _heart(store: Store, pulse: ThreadPoolExecutor) -> Heart:
    return Heart(
        store,
        Clock(),
        "w1",
        ("upbit",),
        0.1,
        pulse,
        Metrics(),
        lambda: ("candles:upbit",),
        lambda: {"runs_succeeded": 7},
    )


async def _stop(task: "asyncio.Task[None]") -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_a_worker_says_what_it_does_and_since_when(
    store: Store, pulse: ThreadPoolExecutor
) -> None:
    beating = asyncio.create_task(_heart(store, pulse).run())
    await asyncio.sleep(0.5)
    (state,) = workers(store)
    await _stop(beating)
    assert state.last_beat_ms > state.started_at_ms  # not the first beat any more
    assert state.current_jobs == ("candles:upbit",)
    assert state.counts == {"runs_succeeded": 7}
    assert state.exchanges == ("upbit",)


async def test_a_blocked_event_loop_shows_as_a_dead_worker(
    store: Store, pulse: ThreadPoolExecutor
) -> None:
    beating = asyncio.create_task(_heart(store, pulse).run())
    await asyncio.sleep(0.25)
    time.sleep(0.6)  # noqa: ASYNC251 - blocking the loop is what is tested
    (state,) = workers(store)
    await _stop(beating)
    assert state.age_seconds > 3 * 0.1


async def test_busy_threads_do_not_hold_a_beat_back(
    store: Store, pulse: ThreadPoolExecutor
) -> None:
    beating = asyncio.create_task(_heart(store, pulse).run())
    release = threading.Event()
    working = asyncio.gather(*(asyncio.to_thread(release.wait, 20.0) for _ in range(64)))
    await asyncio.sleep(0.1)
    begun_ms = real_now_ms()
    try:
        async with asyncio.timeout(10):
            # The rows of the database are what tells.
            while not any(s.last_beat_ms > begun_ms + 200 for s in workers(store)):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
    finally:
        release.set()
        await _stop(beating)
        await working
