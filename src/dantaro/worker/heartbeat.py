"""The sign of life. It starts on the event loop, so a loop that is blocked shows as a dead worker."""

import asyncio
import os
import socket
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial

import structlog

from dantaro import __version__
from dantaro.clock import Clock, real_now_ms
from dantaro.errors import StorageUnavailable
from dantaro.storage.engine import Store
from dantaro.storage.workers import beat, say_stopped
from dantaro.worker.metrics import Metrics

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Heart:
    """Beats every `seconds` of real time until cancelled.

    `threads` is where the database is spoken to: one thread that nothing else keeps busy, so that the
    only thing that can hold a beat back is the loop itself, or the database.
    """

    store: Store
    clock: Clock
    worker_id: str
    exchanges: tuple[str, ...]
    seconds: float
    threads: Executor
    metrics: Metrics
    current_jobs: Callable[[], tuple[str, ...]]
    counts: Callable[[], Mapping[str, int]]

    async def run(self) -> None:
        """Beat until cancelled; a database that is away is logged once and tried again."""
        loop = asyncio.get_running_loop()
        started_at_ms = real_now_ms()
        away = False
        while True:
            try:
                await loop.run_in_executor(self.threads, partial(self._beat, started_at_ms))
            except StorageUnavailable as error:
                if not away:
                    _log.warning("heartbeat_failed", error=str(error))
                away = True
            else:
                away = False
                self.metrics.beat()
            await asyncio.sleep(self.seconds)

    async def stop(self) -> None:
        """Say that there will be no more beats."""
        loop = asyncio.get_running_loop()
        try:
            await loop.run_in_executor(self.threads, say_stopped, self.store, self.worker_id)
        except StorageUnavailable as error:
            _log.warning("heartbeat_failed", error=str(error))

    def _beat(self, started_at_ms: int) -> None:
        beat(
            self.store,
            self.worker_id,
            started_at_ms=started_at_ms,
            current_jobs=self.current_jobs(),
            counts=self.counts(),
            host=socket.gethostname(),
            pid=os.getpid(),
            version=__version__,
            speed=self.clock.speed,
            exchanges=self.exchanges,
        )
