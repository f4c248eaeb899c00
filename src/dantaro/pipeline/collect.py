"""Market lists, tickers and candles: from an exchange into the store."""

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Protocol

import structlog

from dantaro.clock import Clock
from dantaro.errors import (
    DantaroError,
    RetryLater,
    VenueAnswerInvalid,
    VenueRateLimited,
    VenueRefused,
    VenueUnavailable,
)
from dantaro.market.markets import Origin, Ticker
from dantaro.market.outcomes import HORIZONS_DAYS
from dantaro.market.timeframes import DAY_MS, Timeframe
from dantaro.pipeline.admit import require_origin
from dantaro.pipeline.outcome import Enough, Now, Outcome, never
from dantaro.pipeline.pages import PageWriter
from dantaro.pipeline.ranges import horizon, missing_ranges
from dantaro.pipeline.universe import choose_universe
from dantaro.storage.candles import Coverage, coverage
from dantaro.storage.catalogue import (
    StoredMarket,
    latest_tickers,
    save_markets,
    save_tickers,
    stored_markets,
)
from dantaro.storage.engine import Store
from dantaro.storage.facts import clock_reading
from dantaro.storage.outcomes import follow_markets, followed
from dantaro.venues.venue import Venue

log = structlog.get_logger()

_TRIES = 2
"""How often one market is asked for within a run before it counts as failed."""

_DEAD_AFTER = 5
"""Failures to reach the exchange in a row, over markets, after which the run stops asking it."""

_AGAIN_SECONDS = 20.0

FOLLOWED_MS = (max(HORIZONS_DAYS) + 1) * DAY_MS
"""How long a market that left the universe is collected on: until what became of its last
recommendation is known. Without it those that fell out, the worst, would be missing in the record.
"""


@dataclass(frozen=True, slots=True)
class CollectionPlan:
    """What is collected from every exchange.

    `horizon_days` by timeframe name says how far back candles are wanted; `concurrency` how many
    markets of one exchange are asked for at a time (the exchange's own limits hold in any case).
    """

    quotes: tuple[str, ...]
    universe_size: int
    timeframes: tuple[Timeframe, ...]
    horizon_days: Mapping[str, int]
    concurrency: int = 8

    @classmethod
    def of(
        cls,
        *,
        quotes: Iterable[str],
        universe_size: int,
        timeframes: Iterable[Timeframe],
        hourly_days: int,
        daily_days: int,
    ) -> "CollectionPlan":
        """`daily_days` holds for days and longer, `hourly_days` for everything shorter."""
        frames = tuple(timeframes)
        days = {
            frame.name: daily_days if frame.milliseconds >= DAY_MS else hourly_days
            for frame in frames
        }
        return cls(tuple(quotes), universe_size, frames, days)


class Progress(Protocol):
    """Told how many markets of a timeframe are done."""

    def __call__(self, done: int, total: int, *, exchange: str, timeframe: str) -> None: ...


def silent(done: int, total: int, *, exchange: str, timeframe: str) -> None:
    """Progress that nobody watches."""


async def collect_markets(venue: Venue, store: Store, *, origin: Origin, now_ms: Now) -> Outcome:
    """Store the exchange's market list; markets no longer in it become unlisted.

    Raises:
        RetryLater, GiveUp: the exchange or the store failed; nothing was changed.
        OriginMismatch: the exchange now announces another origin than the store's.
    """
    markets = await venue.markets()
    require_origin(venue, origin)
    await asyncio.to_thread(save_markets, store, venue.exchange, markets, at_ms=now_ms())
    counts = Counter(markets=len(markets), flagged=sum(bool(market.flags) for market in markets))
    log.info("markets_collected", exchange=venue.exchange, **counts)
    return Outcome(counts)


async def collect_tickers(
    venue: Venue, store: Store, plan: CollectionPlan, *, origin: Origin
) -> Outcome:
    """Store the latest tickers of all listed markets with the configured quotes, and when they were
    collected on the clock that the store keeps.

    Raises: as `collect_markets`.
    """
    stored = await asyncio.to_thread(stored_markets, store, exchange=venue.exchange)
    wanted = [s.market for s in stored if s.market.listed and s.market.quote in plan.quotes]
    if not wanted:
        return Outcome(Counter(tickers=0))
    tickers = await venue.tickers(wanted)
    require_origin(venue, origin)
    usable = [ticker for ticker in tickers if _is_usable(ticker)]
    await asyncio.to_thread(_keep_tickers, store, usable)
    counts = Counter(
        tickers=len(usable),
        tickers_rejected=len(tickers) - len(usable),
        tickers_missing=len(wanted) - len(tickers),
    )
    log.info("tickers_collected", exchange=venue.exchange, **counts)
    return Outcome(counts)


def _keep_tickers(store: Store, tickers: Sequence[Ticker]) -> None:
    collected_at_ms = Clock(clock_reading(store)).now_ms()
    save_tickers(store, tickers, collected_at_ms=collected_at_ms)


def _is_usable(ticker: Ticker) -> bool:
    figures = (ticker.price, ticker.change_24h, ticker.turnover_24h)
    finite = all(figure is None or isfinite(figure) for figure in figures)
    return finite and ticker.price > 0 and (ticker.turnover_24h or 0) >= 0


async def collect_candles(
    venue: Venue,
    store: Store,
    plan: CollectionPlan,
    *,
    origin: Origin,
    now_ms: Now,
    enough: Enough = never,
    on_progress: Progress = silent,
    on_stored: Callable[[str, Timeframe], None] | None = None,
) -> Outcome:
    """Ask for every closed candle of the universe that was never asked for, and store the answers.

    The longest timeframe first, the largest turnover first, then the markets that left the universe not
    long ago. What was asked is remembered page by
    page, so a run that is stopped (by `enough`, a failure or a kill) is resumed by the next one.
    A market that fails is counted and logged; after a few failures in a row to reach the exchange at
    all, or when every market of the universe fails, the run ends with the failure as the outcome's
    `error`. `on_stored` is told the exchange and each timeframe for which something was stored, as
    soon as its markets are through.

    Raises:
        StorageUnavailable: the store failed; what was stored before stays.
        RetryLater, GiveUp: there are no tickers yet, and the exchange gave none.
        OriginMismatch: the exchange now announces another origin than the store's.
    """
    outcome = Outcome()
    if not await asyncio.to_thread(latest_tickers, store, exchange=venue.exchange):
        # Without turnovers the universe would be the first markets of the alphabet.
        await collect_tickers(venue, store, plan, origin=origin)
    universe = await asyncio.to_thread(_universe, store, venue.exchange, plan)
    left = await asyncio.to_thread(_left_behind, store, venue.exchange, universe, now_ms())
    for timeframe in sorted(plan.timeframes, key=lambda frame: -frame.milliseconds):
        if not venue.supports(timeframe):
            log.info("timeframe_unsupported", exchange=venue.exchange, timeframe=timeframe.name)
            outcome.counts[f"unsupported_{timeframe}"] += 1
            continue
        covered = await asyncio.to_thread(
            coverage, store, timeframe=timeframe.name, exchange=venue.exchange
        )
        horizon_ms = horizon(timeframe, days=plan.horizon_days[timeframe.name], now_ms=now_ms())
        pass_ = _Pass(venue, store, timeframe, horizon_ms, origin, now_ms, enough, on_progress)
        await pass_.run(pass_.tasks((*universe, *left), covered), concurrency=plan.concurrency)
        if on_stored is not None and pass_.counts["candles_stored"]:
            on_stored(venue.exchange, timeframe)
        outcome.counts.update(pass_.counts)
        outcome.error = pass_.dead
        if outcome.error is None and pass_.counts["failed"] >= len(universe) > 0:
            # One market may have its own trouble; when each has, it is the exchange's.
            outcome.error = pass_.last_failure
        if outcome.error is not None or enough():
            break
    outcome.counts["universe"] = len(universe)
    outcome.counts["followed"] = len(left)
    outcome.again_in_seconds = _again(outcome, stopped=enough())
    log.info("candles_collected", exchange=venue.exchange, **outcome.counts)
    return outcome


def _again(outcome: Outcome, *, stopped: bool) -> float | None:
    if stopped:
        return 0.0
    unfinished = (
        outcome.counts["failed"] + outcome.counts["remaining"] + outcome.counts["unsettled"]
    )
    return _AGAIN_SECONDS if unfinished else None


def _universe(store: Store, exchange: str, plan: CollectionPlan) -> tuple[StoredMarket, ...]:
    tickers = {
        f"{ticker.exchange}:{ticker.symbol}": ticker
        for ticker in latest_tickers(store, exchange=exchange)
    }
    return choose_universe(
        stored_markets(store, exchange=exchange),
        tickers,
        quotes=plan.quotes,
        size=plan.universe_size,
    )


def _left_behind(
    store: Store, exchange: str, universe: Sequence[StoredMarket], now_ms: int
) -> tuple[StoredMarket, ...]:
    """Listed markets that left the universe less than `FOLLOWED_MS` ago; today's are noted for later."""
    wanted = followed(store, at_ms=now_ms)
    follow_markets(store, [stored.id for stored in universe], until_ms=now_ms + FOLLOWED_MS)
    inside = {stored.id for stored in universe}
    return tuple(
        stored
        for stored in stored_markets(store, exchange=exchange)
        if stored.id in wanted and stored.id not in inside and stored.market.listed
    )


@dataclass(slots=True)
class _Task:
    """One market, and the interval that was asked for so far."""

    stored: StoredMarket
    covered: tuple[int, int] | None
    tries: int = 0


@dataclass(slots=True)
class _Pass:
    """One timeframe of one exchange: several markets at a time until none is left to do."""

    venue: Venue
    store: Store
    timeframe: Timeframe
    horizon_ms: int
    origin: Origin
    now_ms: Now
    enough: Enough
    on_progress: Progress
    counts: Counter[str] = field(default_factory=Counter)
    dead: RetryLater | None = None
    last_failure: DantaroError | None = None
    _failures_in_row: int = 0
    _done: int = 0

    def tasks(
        self, universe: Iterable[StoredMarket], covered: Mapping[tuple[int, str], Coverage]
    ) -> deque[_Task]:
        """The markets of which something is missing, in the order of `universe`."""
        tasks: deque[_Task] = deque()
        for stored in universe:
            known = covered.get((stored.id, self.timeframe.name))
            task = _Task(stored, None if known is None else (known.start_ms, known.end_ms))
            if self._missing(task):
                tasks.append(task)
        return tasks

    def _missing(self, task: _Task) -> tuple[tuple[int, int], ...]:
        return missing_ranges(
            task.covered, self.timeframe, horizon_ms=self.horizon_ms, now_ms=self.now_ms()
        )

    async def run(self, tasks: deque[_Task], *, concurrency: int) -> None:
        total = len(tasks)
        self.on_progress(0, total, **self._names())
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(concurrency, total)):
                    group.create_task(self._work_off(tasks, total))
        except ExceptionGroup as failures:
            # The first failure cancelled the others; it alone says what happened.
            raise failures.exceptions[0] from None
        self.counts["remaining"] += len(tasks)

    def _names(self) -> dict[str, str]:
        return {"exchange": self.venue.exchange, "timeframe": self.timeframe.name}

    async def _work_off(self, tasks: deque[_Task], total: int) -> None:
        while tasks and self.dead is None and not self.enough():
            task = tasks.popleft()
            if await self._finish(task):
                self._done += 1
                self.on_progress(self._done, total, **self._names())
            else:
                tasks.append(task)

    async def _finish(self, task: _Task) -> bool:
        """Ask for one market's ranges; False when it should be tried again later in this run."""
        task.tries += 1
        try:
            await self._fetch(task)
        except (VenueUnavailable, VenueRateLimited) as error:
            self._failures_in_row += 1
            if self._failures_in_row >= _DEAD_AFTER:
                self.dead = error
            if task.tries < _TRIES:
                return False
            self._failed(task, error)
        except (VenueRefused, VenueAnswerInvalid) as error:
            self._failures_in_row = 0
            self._failed(task, error)
        else:
            self._failures_in_row = 0
            self.counts["markets"] += 1
        return True

    async def _fetch(self, task: _Task) -> None:
        writer = PageWriter(
            self.store, task.stored, self.timeframe, covered=task.covered, now_ms=self.now_ms
        )
        try:
            for start_ms, end_ms in self._missing(task):
                pages = self.venue.candles(
                    task.stored.market, self.timeframe, start_ms=start_ms, end_ms=end_ms
                )
                async for page in pages:
                    require_origin(self.venue, self.origin)
                    await writer.add(page)
        finally:
            task.covered = writer.covered
            self.counts.update(writer.counts)

    def _failed(self, task: _Task, error: DantaroError) -> None:
        self.counts["failed"] += 1
        self.last_failure = error
        log.warning(
            "candles_failed", market=task.stored.market.symbol, error=str(error), **self._names()
        )
