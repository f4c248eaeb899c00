"""`dantaro backfill`: collect past candles now, and show how far it is."""

import asyncio
import os
import socket
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

from dantaro.app.worker import WorkerApp, build_worker
from dantaro.errors import ConfigurationError, GiveUp, RetryLater, VenueUnavailable
from dantaro.logs import configure_logs
from dantaro.market.timeframes import Timeframe
from dantaro.pipeline.collect import CollectionPlan, collect_candles
from dantaro.pipeline.collect import Progress as OnProgress
from dantaro.settings import Settings, load_settings
from dantaro.storage.schema import migrate
from dantaro.venues.venue import Venue
from dantaro.worker.fleet import Fleet

_LINE_SECONDS = 10.0
"""In a log, how long a series may go without a line of progress while markets get done."""


def run(*, exchanges: Sequence[str], timeframes: Sequence[str], days: int | None) -> None:
    """Back-fill the chosen exchanges and timeframes (empty: all of the settings).

    The database is migrated first, so that a new one can be filled at once.

    Raises:
        ConfigurationError: a choice is not among the settings, or they contradict each other.
        RetryLater: an exchange or the database is away; what was stored stays.
    """
    settings = _chosen(load_settings(), exchanges, timeframes, days)
    # Standard output stays free; the bar and the log share standard error without tearing.
    with _progress() as progress:
        level = "warning" if settings.log_level == "info" else settings.log_level
        configure_logs(log_format=settings.log_format, level=level, process="backfill")
        counts, unreachable = asyncio.run(_collect(settings, progress))
    complete = not (unreachable or counts["failed"] or counts["remaining"])
    screen = Console(soft_wrap=True, highlight=False)
    if complete and not counts["markets"]:
        screen.print("Nothing is missing.")
    else:
        screen.print(
            f"{counts['candles_stored']} candles of {counts['markets']} series stored, "
            f"{counts['failed']} series failed. What is stored is not asked for again."
        )
    if not complete:
        away = f"; could not be reached: {', '.join(unreachable)}" if unreachable else ""
        raise VenueUnavailable(f"the back-fill is not complete: run the command again{away}")


def _chosen(
    settings: Settings, exchanges: Sequence[str], timeframes: Sequence[str], days: int | None
) -> Settings:
    for exchange in exchanges:
        if exchange not in settings.exchanges:
            raise ConfigurationError(
                f"--exchange {exchange} is not collected from: DANTARO_EXCHANGES has "
                f"{', '.join(settings.exchanges)}"
            )
    collected: dict[str, Timeframe] = {item.name: item for item in settings.timeframes}
    for name in timeframes:
        if name not in collected:
            raise ConfigurationError(
                f"--timeframe {name} is not collected: DANTARO_TIMEFRAMES has "
                f"{', '.join(collected)}"
            )
    chosen = tuple(collected[name] for name in dict.fromkeys(timeframes))
    if days is not None and days > settings.retain_hourly_days:
        raise ConfigurationError(
            f"--days {days} is longer than candles are kept: "
            f"raise DANTARO_RETAIN_HOURLY_DAYS ({settings.retain_hourly_days}) first"
        )
    return replace(
        settings,
        exchanges=tuple(exchanges) or settings.exchanges,
        timeframes=chosen or settings.timeframes,
        backfill_hourly_days=days or settings.backfill_hourly_days,
        backfill_daily_days=days or settings.backfill_daily_days,
    )


class _Bars:
    """One bar for each exchange and timeframe."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._bars: dict[str, TaskID] = {}

    def __call__(self, done: int, total: int, *, exchange: str, timeframe: str) -> None:
        name = f"{exchange} {timeframe}"
        if name not in self._bars:
            self._bars[name] = self._progress.add_task(name, total=total)
        self._progress.update(self._bars[name], completed=done, total=total)


class ProgressLines:
    """A line at each tenth of every exchange's timeframe, and at least every `_LINE_SECONDS`: for a log,
    in which a bar would show nothing before its end.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._shown: dict[str, tuple[int, float]] = {}

    def __call__(self, done: int, total: int, *, exchange: str, timeframe: str) -> None:
        """Called with how many of `total` markets are done."""
        name = f"{exchange} {timeframe}"
        tenth = done * 10 // max(total, 1)
        shown, at_seconds = self._shown.get(name, (-1, 0.0))
        if tenth > shown or time.monotonic() - at_seconds >= _LINE_SECONDS:
            self._shown[name] = (tenth, time.monotonic())
            self._console.print(f"{name}: {done} of {total} markets", markup=False)


def _progress() -> Progress:
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("markets"),
        TimeElapsedColumn(),
        console=console,
        disable=not console.is_terminal,
    )


async def _collect(settings: Settings, progress: Progress) -> tuple[Counter[str], list[str]]:
    """Counts over all exchanges, and the exchanges that could not be reached."""
    app = build_worker(settings)
    admitted: list[Venue] = []
    fleet = Fleet(
        app.store,
        app.venues,
        app.clock,
        worker_id=f"backfill-{socket.gethostname()}-{os.getpid()}",
        on_admitted=admitted.append,
        on_refused=lambda _: None,
        on_clock=lambda: None,
    )
    show = ProgressLines(progress.console) if progress.disable else _Bars(progress)
    try:
        await asyncio.to_thread(migrate, app.store)
        await fleet.connect()
        first = tuple(admitted)
        done = await asyncio.gather(
            *(
                _collect_one(app, fleet, venue, settings, show=show, console=progress.console)
                for venue in first
            )
        )
    finally:
        await fleet.close()
        await app.close()
    reached = {venue.exchange for venue, ok in zip(first, done, strict=True) if ok[1]}
    counts = sum((count for count, _ in done), Counter[str]())
    return counts, [exchange for exchange in settings.exchanges if exchange not in reached]


async def _collect_one(
    app: WorkerApp,
    fleet: Fleet,
    venue: Venue,
    settings: Settings,
    *,
    show: OnProgress,
    console: Console,
) -> tuple[Counter[str], bool]:
    """What was counted at one exchange, and whether it went on answering."""
    plan = CollectionPlan.of(
        quotes=settings.quotes,
        universe_size=settings.universe_size,
        timeframes=settings.timeframes,
        hourly_days=settings.backfill_hourly_days,
        daily_days=settings.backfill_daily_days,
    )
    if fleet.origin is None:
        raise RuntimeError("an exchange is admitted for its origin")
    try:
        outcome = await collect_candles(
            venue, app.store, plan, origin=fleet.origin, now_ms=app.clock.now_ms, on_progress=show
        )
    except (RetryLater, GiveUp) as error:
        console.print(f"{venue.exchange}: {error}", markup=False, style="red")
        return Counter(), False
    return outcome.counts, outcome.error is None
