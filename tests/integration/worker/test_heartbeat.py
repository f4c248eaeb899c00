import asyncio
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from dantaro.clock import Clock
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
    await asyncio.sleep(0.35)
    (state,) = workers(store)
    await _stop(beating)
    assert state.age_seconds < 0.3
    assert state.current_jobs == ("candles:upbit",)
    assert state.counts == {"runs_succeeded": 7}
    assert state.last_beat_ms >= state.started_at_ms


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
    busy = [asyncio.to_thread(time.sleep, 0.6) for _ in range(64)]
    working = asyncio.gather(*busy[:40])
    for unused in busy[40:]:
        unused.close()
    await asyncio.sleep(0.5)
    (state,) = workers(store)
    await _stop(beating)
    working.cancel()
    assert state.age_seconds < 0.3
