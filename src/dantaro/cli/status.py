"""`dantaro status`: how the system is, from what the database knows."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from rich.console import Console
from rich.table import Table

from dantaro import __version__
from dantaro.cli.store import opened_store
from dantaro.clock import Clock
from dantaro.logs import mask
from dantaro.market.timeframes import HOURLY
from dantaro.queries.reach import CONNECT, unreachable_exchanges
from dantaro.settings import Settings, load_settings
from dantaro.storage.candles import coverage
from dantaro.storage.catalogue import stored_markets
from dantaro.storage.engine import Store
from dantaro.storage.facts import clock_reading, origin
from dantaro.storage.generations import current_manifest
from dantaro.storage.jobs import JobRun, RunState, last_outcomes, last_runs
from dantaro.storage.workers import workers

_LATE_AFTER = 2
"""An exchange's candles are late when so many closes have passed without a new one."""


@dataclass(frozen=True, slots=True)
class WorkerReport:
    """One worker, and whether it has been heard lately."""

    worker: str
    alive: bool
    stopped: bool
    heard_seconds_ago: float
    started_at: str
    current_jobs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PublicationReport:
    """What is served now. `age_seconds` is how old the newest candle behind it is, on its clock."""

    generation: int
    status: str
    published_at: str
    data_as_of: str
    age_seconds: int


@dataclass(frozen=True, slots=True)
class ExchangeReport:
    """One exchange: `state` is fresh, late, collecting or unreachable; `problem` says why."""

    exchange: str
    state: str
    markets: int
    collected: int
    newest_candle_closed_at: str | None
    problem: str | None


@dataclass(frozen=True, slots=True)
class JobReport:
    """The newest run of a job; times are real."""

    job: str
    state: str
    started_at: str
    seconds: float | None
    error: str | None


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that `dantaro status` says. `now` is the time of the data's clock.

    `problems` is empty when everything is well.
    """

    version: str
    database: str
    origin: str | None
    now: str
    summary: tuple[str, ...]
    problems: tuple[str, ...]
    publication: PublicationReport | None
    workers: tuple[WorkerReport, ...]
    exchanges: tuple[ExchangeReport, ...]
    jobs: tuple[JobReport, ...]


def run(*, as_json: bool, check: bool = False) -> int:
    """Print the report, or with `check` only what is not well; returns the exit code.

    Raises:
        ConfigurationError, StorageUnavailable: the database cannot be read.
    """
    settings = load_settings()
    with opened_store(settings) as store:
        report = read_report(store, settings)
    if as_json:
        Console(soft_wrap=True).print_json(mask(json.dumps(asdict(report))))
    elif check:
        _print_problems(report)
    else:
        _print(report)
    return 1 if check and report.problems else 0


def read_report(store: Store, settings: Settings) -> Report:
    """The report on `store`, for the exchanges of `settings`."""
    clock = Clock(clock_reading(store))
    now_ms = clock.now_ms()
    outcomes = last_outcomes(store)
    unreachable = unreachable_exchanges(outcomes)
    worker_reports = tuple(_workers(store, settings.heartbeat_seconds))
    publication = _publication(store, now_ms)
    exchanges = tuple(
        _exchange(store, exchange, unreachable.get(exchange), now_ms=now_ms)
        for exchange in settings.exchanges
    )
    problems = tuple(_problems(worker_reports, publication, exchanges))
    where = origin(store)
    return Report(
        version=__version__,
        database=store.url_display,
        origin=None if where is None else where.value,
        now=_time(now_ms),
        summary=(*problems, *_served(publication)),
        problems=(*problems, *_failing_jobs(outcomes, exchanges)),
        publication=publication,
        workers=worker_reports,
        exchanges=exchanges,
        jobs=tuple(map(_job, last_runs(store))),
    )


def _state(report: WorkerReport) -> str:
    if report.stopped:
        return "stopped"
    return "alive" if report.alive else "silent"


def _workers(store: Store, heartbeat_seconds: int) -> Iterator[WorkerReport]:
    for state in workers(store):
        yield WorkerReport(
            worker=state.worker_id,
            alive=state.is_alive(heartbeat_seconds=heartbeat_seconds),
            stopped=state.stopped,
            heard_seconds_ago=round(state.age_seconds, 1),
            started_at=_time(state.started_at_ms),
            current_jobs=state.current_jobs,
        )


def _publication(store: Store, now_ms: int) -> PublicationReport | None:
    manifest = current_manifest(store)
    if manifest is None:
        return None
    fresh = "provisional" if manifest.status == "provisional" else "fresh"
    return PublicationReport(
        generation=manifest.generation,
        status="stale" if now_ms >= manifest.stale_after_ms else fresh,
        published_at=_time(manifest.published_at_ms),
        data_as_of=_time(manifest.data_as_of_ms),
        age_seconds=max(0, now_ms - manifest.data_as_of_ms) // 1000,
    )


def _exchange(store: Store, exchange: str, problem: str | None, *, now_ms: int) -> ExchangeReport:
    listed = [row for row in stored_markets(store, exchange=exchange) if row.market.listed]
    covered = coverage(store, timeframe=HOURLY, exchange=exchange).values()
    opened = [item.last_candle_ms for item in covered if item.last_candle_ms is not None]
    closed_at_ms = max(opened) + HOURLY.milliseconds if opened else None
    if problem is not None:
        state = "unreachable"
    elif closed_at_ms is None:
        state = "collecting"
    else:
        late = now_ms - closed_at_ms >= _LATE_AFTER * HOURLY.milliseconds
        state = "late" if late else "fresh"
    return ExchangeReport(
        exchange=exchange,
        state=state,
        markets=len(listed),
        collected=len(opened),
        newest_candle_closed_at=None if closed_at_ms is None else _time(closed_at_ms),
        problem=problem,
    )


def _job(job_run: JobRun) -> JobReport:
    ended = job_run.finished_at_ms
    silent = job_run.lease_expired
    return JobReport(
        job=job_run.job,
        state="silent" if silent else job_run.state.value,
        started_at=_time(job_run.claimed_at_ms),
        seconds=None if ended is None else (ended - job_run.claimed_at_ms) / 1000,
        error=job_run.error,
    )


def _problems(
    all_workers: tuple[WorkerReport, ...],
    publication: PublicationReport | None,
    exchanges: tuple[ExchangeReport, ...],
) -> Iterator[str]:
    """What is not well in plain words, the most important first."""
    if not any(worker.alive for worker in all_workers):
        yield "No worker is running: start one with `dantaro up` or `dantaro worker`."
    for report in exchanges:
        if report.state == "unreachable":
            yield f"{report.exchange} cannot be collected from: {report.problem}"
        elif report.state == "late":
            yield f"{report.exchange} has sent no new candle since {report.newest_candle_closed_at}."
    if publication is None:
        yield "Nothing is published yet: the first candles are still to come."
    elif publication.status == "stale":
        yield f"What is served is stale: its oldest part rests on candles closed at {publication.data_as_of}."


def _served(publication: PublicationReport | None) -> Iterator[str]:
    if publication is not None and publication.status != "stale":
        yield f"Generation {publication.generation} is served, {publication.status}."


def _failing_jobs(
    outcomes: Sequence[JobRun], exchanges: tuple[ExchangeReport, ...]
) -> Iterator[str]:
    """Jobs whose newest run failed, unless that is told already by the state of their exchange."""
    well = {report.exchange for report in exchanges if report.state != "unreachable"}
    for outcome in outcomes:
        kind, _, exchange = outcome.job.partition(":")
        told = kind == CONNECT or (exchange and exchange not in well)
        if outcome.state is RunState.FAILED and not told:
            yield f"The job {outcome.job} failed: {outcome.error}"


def _print_problems(report: Report) -> None:
    screen = Console(highlight=False, soft_wrap=True)
    for sentence in report.problems or ("Everything is well.",):
        screen.print(mask(sentence), markup=False)


def _print(report: Report) -> None:
    screen = Console(highlight=False)
    screen.print(f"Dantaro Central {report.version}", style="bold")
    for label, value in (
        ("database", report.database),
        ("data", report.origin or "none yet"),
        ("time", f"{report.now} (of the data's clock)"),
    ):
        screen.print(f"{label:<9} {value}", markup=False)
    for sentence in report.summary:
        screen.print(f"- {sentence}", markup=False, soft_wrap=True)
    if report.publication is not None:
        shown = report.publication
        screen.print(
            f"\ngeneration {shown.generation}: {shown.status}, published {shown.published_at}, "
            f"data as of {shown.data_as_of} ({_span(shown.age_seconds)} old)",
            markup=False,
            soft_wrap=True,
        )
    _table(
        screen,
        ("worker", "state", "heard", "running"),
        [
            (
                item.worker,
                _state(item),
                f"{_span(item.heard_seconds_ago)} ago",
                ", ".join(item.current_jobs) or "idle",
            )
            for item in report.workers
        ],
    )
    _table(
        screen,
        ("exchange", "state", "markets", "collected", "newest candle closed"),
        [
            (
                item.exchange,
                item.state,
                str(item.markets),
                str(item.collected),
                item.newest_candle_closed_at or "",
            )
            for item in report.exchanges
        ],
    )
    _table(
        screen,
        ("job", "last run", "started", "took", "error"),
        [
            (
                item.job,
                item.state,
                item.started_at,
                "" if item.seconds is None else f"{item.seconds:.1f} s",
                mask(item.error or ""),
            )
            for item in report.jobs
        ],
    )


def _table(screen: Console, columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    if not rows:
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*row)
    screen.print()
    screen.print(table, markup=False)


def _span(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h" if seconds < 172_800 else f"{seconds / 86_400:.0f} days"


def _time(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
