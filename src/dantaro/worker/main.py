"""`dantaro worker`: one worker process, from its settings to its last breath."""

import asyncio
import os
import signal
import threading

import structlog

from dantaro.app.memory import share_heaps
from dantaro.app.worker import WorkerApp, build_worker, wait_for_schema
from dantaro.settings import Settings
from dantaro.worker.plan import WorkerPlan
from dantaro.worker.program import run_worker

_log = structlog.get_logger(__name__)

_PATIENCE_SECONDS = 300.0
_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def main(settings: Settings) -> None:
    """Run a worker until SIGTERM or SIGINT; it ends within ten seconds of either.

    Raises:
        ConfigurationError: something that the operator must change; the message says what.
        StorageUnavailable: the database did not appear within five minutes.
    """
    share_heaps()
    app = build_worker(settings)
    try:
        wait_for_schema(app.store, patience_seconds=_PATIENCE_SECONDS)
    except BaseException:
        asyncio.run(app.close())
        raise
    asyncio.run(_run(app, WorkerPlan.of(settings)))


async def _run(app: WorkerApp, plan: WorkerPlan) -> None:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()

    def on_signal() -> None:
        if not stop.is_set():
            _log.info("worker_stopping")
            _end_in_any_case(plan.limits.stop_seconds)
        stop.set()

    for number in _SIGNALS:
        loop.add_signal_handler(number, on_signal)
    try:
        await run_worker(
            plan, store=app.store, cache=app.cache, clock=app.clock, venues=app.venues, stop=stop
        )
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)
        await app.close()


def _end_in_any_case(seconds: float) -> None:
    """End the process after `seconds` even if a thread hangs in a database that does not answer.

    Every write is one transaction and every lease runs out, so nothing is left half done.
    """
    timer = threading.Timer(seconds - 0.5, os._exit, (0,))
    timer.daemon = True
    timer.start()
