"""What every request is answered from: the current view, and the ways to look further."""

import asyncio
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypeVar

import structlog

from dantaro.api.answers import Answers
from dantaro.api.auth import KeyRing
from dantaro.api.bodies.reading import Reading
from dantaro.api.limits import Limits
from dantaro.api.metrics import Metrics
from dantaro.api.notes import Fleet, price_note
from dantaro.api.probe import NOTHING_ANSWERS, Probe, probe
from dantaro.api.problems import Failures
from dantaro.api.schemas.base import Source
from dantaro.app.memory import give_back_memory
from dantaro.cache import Cache
from dantaro.clock import TICKER_LIFE_REAL_SECONDS, Clock
from dantaro.errors import DantaroError, RetryLater
from dantaro.market.results import PartKind
from dantaro.queries import Reader, Snapshot

_log = structlog.get_logger(__name__)
_T = TypeVar("_T")

_READERS = 3
_READ_SECONDS = 15.0
_POLL_SECONDS = 2.0
_PROBE_SECONDS = 1.0
_CLOSE_SECONDS = 3.0
_PATIENCE_SECONDS = 1.0
_AWAY = "the database cannot be reached; this is the newest generation read before"
_NEVER_READ = "the database cannot be reached"
_NOTHING_YET = "nothing has been published yet"
_UNREADABLE = "a newer generation cannot be read; this is the newest good one"


@dataclass(frozen=True, slots=True)
class Options:
    """The values of the settings that the API needs.

    `periods` maps a job's name to its seconds between two slots on the clock. `open_docs` lets
    `/docs` and `/openapi.json` be read without a key.
    """

    rate_limit_per_minute: int = 600
    periods: Mapping[str, int] = field(default_factory=dict)
    heartbeat_seconds: int = 10
    open_docs: bool = False
    poll_seconds: float = 0.25
    workers_seconds: float = 2.0

    @property
    def generation_seconds(self) -> int:
        """The shortest time between two scheduled generations, on the clock."""
        publishing = ("market_status", "recommendations", "levels")
        return min((self.periods[job] for job in publishing if job in self.periods), default=120)

    def price_limit_ms(self, *, speed: float) -> int | None:
        """How old prices may be without a word: three rounds of tickers, and the time until the next
        recommendations take them up. On a clock so fast that rounds cannot keep to their periods: as
        long as a ticker holds, and one round, in real time. None when the periods are not known.
        """
        if not {"tickers", "recommendations"} <= set(self.periods):
            return None
        round_seconds = self.periods["tickers"]
        by_rounds = 3 * round_seconds + self.periods["recommendations"]
        by_real_time = (TICKER_LIFE_REAL_SECONDS + round_seconds) * speed
        return round(1000 * max(by_rounds, by_real_time))


class Serving:
    """The collaborators of the edge and the routes, and the view that they answer from.

    `view` is the current generation, `note` why it may not be the newest, `fleet` who collects and
    from where. They change on the event loop only.
    """

    def __init__(self, reader: Reader, cache: Cache, clock: Clock, options: Options) -> None:
        self.reader = reader
        self.cache = cache
        self.clock = clock
        self.options = options
        self.keys = KeyRing()
        self.limits = Limits(per_minute=options.rate_limit_per_minute)
        self.answers = Answers()
        self.metrics = Metrics()
        self.failures = Failures()
        self.view: Snapshot | None = None
        self.note: str | None = None
        self.fleet = Fleet()
        self.keys_error: DantaroError | None = None
        self._probing: asyncio.Future[Probe] | None = None
        self._probe = NOTHING_ANSWERS
        self._probed_at = float("-inf")
        self._threads = ThreadPoolExecutor(_READERS, thread_name_prefix="api-read")
        # Looking beside the requests has threads of its own, so that neither holds up the other.
        self._observers = ThreadPoolExecutor(2, thread_name_prefix="api-observe")
        self._poller = ThreadPoolExecutor(1, thread_name_prefix="api-poll")
        self._polling: asyncio.Future[bool] | None = None
        self._failing_since: float | None = None

    @property
    def worker(self) -> str:
        """Whether some worker is `active`; else whether it is `silent`, `stopped` or `unknown`."""
        return self.fleet.worker

    @property
    def unreachable_exchanges(self) -> tuple[str, ...]:
        """The exchanges that do not answer."""
        return self.fleet.unreachable

    @property
    def notes(self) -> tuple[str, ...]:
        """What every answer about now has to say beside its figures."""
        return (*(() if self.note is None else (self.note,)), *self.fleet.notes)

    @property
    def data_note(self) -> str | None:
        """The same as one text; None when there is nothing to say."""
        return "; ".join(self.notes) or None

    @property
    def nothing_yet(self) -> str:
        """Why nothing is published yet, and what to do about it."""
        if self.note is not None:
            return f"{_NOTHING_YET}: {self.note}"
        return self.fleet.waiting_for(_NOTHING_YET)

    @property
    def no_market_list(self) -> str:
        """Why no market is known yet."""
        what = "no market list has been collected yet"
        return self.fleet.waiting_for(what) if self.note is None else f"{what}: {self.note}"

    async def read(self, work: Callable[[], _T]) -> _T:
        """What `work` returns; it may wait for the database and runs in a thread.

        Raises:
            TimeoutError: it took more than 15 s.
        """
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(_READ_SECONDS):
            return await loop.run_in_executor(self._threads, work)

    async def observed(self, work: Callable[[], _T]) -> _T:
        """As `read`, for the background tasks."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(_READ_SECONDS):
            return await loop.run_in_executor(self._observers, work)

    async def probed(self) -> Probe:
        """How the backends do, at most a second old; what hangs counts as not answering."""
        if time.monotonic() - self._probed_at < _PROBE_SECONDS:
            return self._probe
        if self._probing is None:
            loop = asyncio.get_running_loop()
            work = partial(probe, self.reader, self.cache)
            self._probing = loop.run_in_executor(self._observers, work)
        probing = self._probing
        done, _ = await asyncio.wait({probing}, timeout=_POLL_SECONDS)
        if not done:
            return NOTHING_ANSWERS
        if self._probing is probing:
            self._probing = None
            self._probe, self._probed_at = probing.result(), time.monotonic()
        return self._probe

    async def reading(
        self,
        parts: tuple[PartKind, ...],
        *,
        as_of_ms: int | None = None,
        use_cache: bool = True,
        priced: bool = False,
    ) -> Reading | None:
        """The generation to answer from, its `parts` decoded; None while nothing is published.

        `priced` answers say when their prices are old.

        Raises:
            NotFound: nothing had been published by `as_of_ms`.
            StorageUnavailable: the past is asked for and the database is away.
        """
        source: Source = "cache"
        if not use_cache and await self.refresh():
            source = "database"
        snapshot, now_ms, notes = self.view, self.clock.now_ms(), self.notes
        detached = self.note is not None
        if as_of_ms is not None and as_of_ms < now_ms:
            if snapshot is None or self.is_settled(as_of_ms):
                snapshot = await self.read(partial(self.reader.as_of, as_of_ms))
                source, detached = "database", False
            # Who worked then is not on record, and who works now says nothing about then.
            now_ms, notes = as_of_ms, () if self.note is None or not detached else (self.note,)
        if snapshot is None:
            return None
        if not snapshot.is_ready(parts):
            await self.read(partial(snapshot.prepare, parts))
        reading = Reading(snapshot, now_ms, source, notes, self.nothing_yet, detached=detached)
        return self._with_prices(reading) if priced else reading

    def is_settled(self, as_of_ms: int) -> bool:
        """Whether what was served at `as_of_ms` is on record for good: something was published, or found
        unchanged, after it.
        """
        return self.view is not None and as_of_ms < self.view.manifest.verified_at_ms

    async def refresh(self) -> bool:
        """Look for a newer generation and show it; whether the database answered.

        At most one look is under way; one that takes more than two seconds goes on by itself.
        """
        if self._polling is None:
            loop = asyncio.get_running_loop()
            self._polling = loop.run_in_executor(self._poller, self._poll)
        polling = self._polling
        done, _ = await asyncio.wait({polling}, timeout=_POLL_SECONDS)
        if not done:
            self._failed(RetryLater("the database does not answer"))
            return False
        if self._polling is polling:
            self._polling = None
        error = polling.exception()
        if error is None:
            self._failing_since = None
            self.show(self.reader.current, None)
            return True
        self._failed(error)
        return False

    def show(self, view: Snapshot | None, note: str | None) -> None:
        """Answer from `view` from now on."""
        if view is None and note is not None:
            note = _NEVER_READ
        if view is not self.view or note != self.note:
            self.view, self.note = view, note
            self.answers.forget()

    def show_workers(
        self,
        worker: str,
        unreachable_exchanges: tuple[str, ...],
        *,
        collected: frozenset[str] | None = None,
        silence: str | None = None,
    ) -> None:
        """Tell from now on that some worker is `worker`, which exchanges nobody reaches of those that
        are `collected`, and since when no worker is there.
        """
        inputs = {} if self.view is None else self.view.manifest.inputs
        known = collected or frozenset((*self.reader.catalogue.exchanges, *inputs))
        fleet = Fleet(worker, silence, unreachable_exchanges, known)
        if fleet != self.fleet:
            self.fleet = fleet
            self.answers.forget()

    async def close(self) -> None:
        """Stop the threads, and wait a little for what they are doing, so that the store can close."""
        executors = (self._threads, self._observers, self._poller)
        for executor in executors:
            executor.shutdown(wait=False, cancel_futures=True)
        try:
            async with asyncio.timeout(_CLOSE_SECONDS):
                for executor in executors:
                    await asyncio.to_thread(executor.shutdown)
        except TimeoutError:
            _log.warning("database_still_busy", reason="a read did not end before the shutdown")

    def _with_prices(self, reading: Reading) -> Reading:
        prices = reading.snapshot.prices
        limit_ms = self.options.price_limit_ms(speed=self.clock.speed)
        if prices is None or limit_ms is None:
            return reading
        note, until_ms = price_note(prices.newest_at_ms, now_ms=reading.now_ms, limit_ms=limit_ms)
        notes = (*reading.notes, note) if note is not None else reading.notes
        return replace(reading, notes=notes, notes_until_ms=until_ms)

    def _poll(self) -> bool:
        changed = self.reader.poll()
        if changed:
            give_back_memory()
        return changed

    def _failed(self, error: BaseException) -> None:
        now = time.monotonic()
        if self._failing_since is None:
            self._failing_since = now
            unexpected = None if isinstance(error, DantaroError) else error
            _log.warning("generation_not_read", reason=str(error), exc_info=unexpected)
        # A single failure, of a busy database say, is not worth another encoding of everything.
        if now - self._failing_since >= _PATIENCE_SECONDS:
            self.show(self.view, _AWAY if isinstance(error, RetryLater) else _UNREADABLE)
