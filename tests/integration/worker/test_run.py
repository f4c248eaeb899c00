import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from sqlalchemy import update

from dantaro.errors import GiveUp, VenueRateLimited, VenueUnavailable
from dantaro.pipeline.outcome import Outcome
from dantaro.storage.engine import Store
from dantaro.storage.jobs import JobRun, claim, runs
from dantaro.storage.tables import job_runs
from dantaro.worker.jobs import Job, Turn
from dantaro.worker.metrics import Metrics
from dantaro.worker.plan import Limits
from dantaro.worker.run import Finished, Runner

LIMITS = Limits(timeout_seconds=5.0, lease_seconds=3.0, backoff_seconds=0.01)
Work = Callable[[Turn], Awaitable[Outcome]]


@pytest.fixture
def ledger() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as threads:
        yield threads


class Desk:
    """A runner, and what it said."""

    def __init__(
        self, store: Store, ledger: ThreadPoolExecutor, *, limits: Limits = LIMITS, name: str = "w1"
    ) -> None:
        self.finished: list[Finished] = []
        self.taken: list[str] = []
        self.metrics = Metrics()
        self._told = asyncio.Event()
        self.runner = Runner(
            store,
            worker_id=name,
            limits=limits,
            ledger=ledger,
            metrics=self.metrics,
            on_finished=self._note,
            on_taken=self._note_taken,
        )

    async def until(self, slots: int, *, seconds: float = 10.0) -> None:
        async with asyncio.timeout(seconds):
            while len(self.finished) + len(self.taken) < slots:
                self._told.clear()
                await self._told.wait()

    def _note(self, finished: Finished) -> None:
        self.finished.append(finished)
        self._told.set()

    def _note_taken(self, job: Job) -> None:
        self.taken.append(job.name)
        self._told.set()


@asynccontextmanager
async def _open(
    store: Store, ledger: ThreadPoolExecutor, *, limits: Limits = LIMITS, name: str = "w1"
) -> AsyncIterator[Desk]:
    desk = Desk(store, ledger, limits=limits, name=name)
    yield desk
    await desk.runner.close(finish_seconds=2.0, abandon_seconds=1.0)


def _job(work: Work, name: str = "tickers:upbit", *, lengthy: bool = False) -> Job:
    return Job(name, 60_000, work, lengthy=lengthy)


async def _fine(_: Turn) -> Outcome:
    return Outcome(Counter(tickers=3))


def _failing(*errors: Exception) -> Work:
    """Work that raises each error in turn, then succeeds."""
    left = list(errors)

    async def work(_: Turn) -> Outcome:
        if left:
            raise left.pop(0)
        return Outcome(Counter(done=1))

    return work


def _only(store: Store) -> JobRun:
    (run,) = runs(store, limit=9)
    return run


async def test_a_run_is_recorded_with_its_counts(store: Store, ledger: ThreadPoolExecutor) -> None:
    async with _open(store, ledger) as desk:
        desk.runner.offer(_job(_fine), 60_000)
        await desk.until(1)
    run = _only(store)
    assert (run.job, run.scheduled_at_ms, run.state, run.worker_id) == (
        "tickers:upbit",
        60_000,
        "succeeded",
        "w1",
    )
    assert run.counts == {"tickers": 3, "attempts": 1}
    assert run.error is None
    assert run.finished_at_ms is not None


async def test_what_may_succeed_later_is_tried_three_times(
    store: Store, ledger: ThreadPoolExecutor
) -> None:
    async with _open(store, ledger) as desk:
        desk.runner.offer(_job(_failing(*[VenueUnavailable("reset")] * 2)), 60_000)
        await desk.until(1)
        assert _only(store).state == "succeeded"
        assert _only(store).counts == {"done": 1, "attempts": 3}
        desk.runner.offer(_job(_failing(*[VenueUnavailable("reset")] * 3)), 120_000)
        await desk.until(2)
    failed = runs(store, limit=1)[0]
    assert (failed.state, failed.counts["attempts"]) == ("failed", 3)
    assert failed.error == "VenueUnavailable: reset"


@pytest.mark.parametrize("error", [GiveUp("no such market"), ValueError("a bug"), TimeoutError()])
async def test_what_cannot_succeed_is_tried_once_and_recorded(
    store: Store, ledger: ThreadPoolExecutor, error: Exception
) -> None:
    async with _open(store, ledger) as desk:
        desk.runner.offer(_job(_failing(error)), 60_000)
        await desk.until(1)
    run = _only(store)
    assert (run.state, run.counts["attempts"]) == ("failed", 1)
    assert run.error == f"{type(error).__name__}: {error}"


async def test_the_pause_that_an_exchange_asks_for_is_kept(
    store: Store, ledger: ThreadPoolExecutor
) -> None:
    async with _open(store, ledger) as desk:
        loop = asyncio.get_running_loop()
        started = loop.time()
        work = _failing(VenueRateLimited("slow down", retry_after_seconds=0.6))
        desk.runner.offer(_job(work), 60_000)
        await desk.until(1)
        assert loop.time() - started >= 0.6
    assert _only(store).state == "succeeded"


async def test_a_run_that_takes_too_long_is_ended_and_not_tried_again(
    store: Store, ledger: ThreadPoolExecutor
) -> None:
    cancelled = []

    async def hang(_: Turn) -> Outcome:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.append(True)
            raise
        return Outcome()

    async with _open(store, ledger, limits=replace(LIMITS, timeout_seconds=0.1)) as desk:
        desk.runner.offer(_job(hang), 60_000)
        await desk.until(1)
    run = _only(store)
    assert (run.state, run.counts["attempts"], cancelled) == ("failed", 1, [True])
    assert run.error == "TimeoutError: not finished within 0.1 s"


class Crowd:
    """Work that notes how many run at once."""

    def __init__(self) -> None:
        self.now: Counter[str] = Counter()
        self.most = 0

    async def __call__(self, turn: Turn) -> Outcome:
        self.now[turn.lease.job] += 1
        assert self.now[turn.lease.job] == 1
        self.most = max(self.most, self.now.total())
        await asyncio.sleep(0.05)
        self.now[turn.lease.job] -= 1
        return Outcome()


async def test_three_jobs_run_at_once_and_no_more(store: Store, ledger: ThreadPoolExecutor) -> None:
    crowd = Crowd()
    async with _open(store, ledger) as desk:
        for i in range(9):
            desk.runner.offer(_job(crowd, f"tickers:{i}"), 60_000)
        await desk.until(9)
    assert crowd.most == 3


async def test_lengthy_jobs_leave_a_place_to_the_others(
    store: Store, ledger: ThreadPoolExecutor
) -> None:
    release = asyncio.Event()

    async def wait(_: Turn) -> Outcome:
        await release.wait()
        return Outcome()

    async with _open(store, ledger) as desk:
        for i in range(5):
            desk.runner.offer(_job(wait, f"candles:{i}", lengthy=True), 60_000)
        await asyncio.sleep(0.1)
        desk.runner.offer(_job(_fine), 60_000)
        await desk.until(1)
        assert [finished.job.name for finished in desk.finished] == ["tickers:upbit"]
        assert len(desk.runner.current_jobs) == 2
        release.set()
        await desk.until(6)


async def test_the_place_is_free_while_a_failed_job_waits_for_its_next_attempt(
    store: Store, ledger: ThreadPoolExecutor
) -> None:
    limits = replace(LIMITS, concurrency=1, backoff_seconds=0.5)
    async with _open(store, ledger, limits=limits) as desk:
        desk.runner.offer(_job(_failing(VenueUnavailable("reset")), "tickers:dead"), 60_000)
        await asyncio.sleep(0.1)
        desk.runner.offer(_job(_fine, "tickers:alive"), 60_000)
        await desk.until(2)
    assert [finished.job.name for finished in desk.finished] == ["tickers:alive", "tickers:dead"]


async def test_slots_missed_while_a_job_ran_are_made_up_for_by_the_newest_alone(
    store: Store, ledger: ThreadPoolExecutor
) -> None:
    release = asyncio.Event()

    async def wait(_: Turn) -> Outcome:
        await release.wait()
        return Outcome()

    async with _open(store, ledger) as desk:
        job = _job(wait)
        desk.runner.offer(job, 60_000)
        await asyncio.sleep(0.1)
        for minute in range(2, 7):
            desk.runner.offer(job, minute * 60_000)
        release.set()
        await desk.until(2)
    assert [run.scheduled_at_ms for run in runs(store, limit=9)] == [360_000, 60_000]


async def test_the_lease_is_kept_while_a_job_runs_longer_than_it(
    store: Store, ledger: ThreadPoolExecutor
) -> None:
    async def slow(_: Turn) -> Outcome:
        await asyncio.sleep(1.2)
        return Outcome()

    async with _open(store, ledger, limits=replace(LIMITS, lease_seconds=0.5)) as desk:
        desk.runner.offer(_job(slow), 60_000)
        await asyncio.sleep(1.0)
        assert claim(store, "tickers:upbit", 60_000, worker_id="w2", lease_seconds=9) is None
        await desk.until(1)
    assert _only(store).state == "succeeded"


async def test_a_job_whose_slot_was_taken_over_is_ended_and_records_nothing(
    store: Store, ledger: ThreadPoolExecutor
) -> None:
    async with _open(store, ledger, limits=replace(LIMITS, lease_seconds=0.6)) as desk:
        ended = []

        async def hang(_: Turn) -> Outcome:
            try:
                await asyncio.sleep(60)
            finally:
                ended.append(True)
            return Outcome()

        desk.runner.offer(_job(hang), 60_000)
        await asyncio.sleep(0.1)
        with store.writing() as connection:  # as if it had been stopped past its lease
            connection.execute(update(job_runs).values(lease_expires_at_ms=0))
        taken = claim(store, "tickers:upbit", 60_000, worker_id="w2", lease_seconds=60)
        assert taken is not None
        await desk.until(1)
        assert ended == [True]
    run = _only(store)
    assert (run.worker_id, run.state) == ("w2", "running")


async def test_two_workers_share_the_slots_and_each_runs_once(
    store: Store, ledger: ThreadPoolExecutor
) -> None:
    ran: Counter[int] = Counter()

    async def note(turn: Turn) -> Outcome:
        ran[turn.lease.scheduled_at_ms] += 1
        return Outcome()

    job = _job(note)
    async with _open(store, ledger) as one, _open(store, ledger, name="w2") as two:
        for slot in range(1, 41):
            one.runner.offer(job, slot * 60_000)
            two.runner.offer(job, slot * 60_000)
            await one.until(slot)
            await two.until(slot)
    assert ran == {slot * 60_000: 1 for slot in range(1, 41)}
    assert len(one.finished) + len(two.finished) == 40
    assert len(one.taken) + len(two.taken) == 40


async def test_a_stopping_worker_lets_short_jobs_finish_and_abandons_the_others(
    store: Store, ledger: ThreadPoolExecutor
) -> None:
    begun = asyncio.Barrier(3)

    async def short(_: Turn) -> Outcome:
        await begun.wait()
        await asyncio.sleep(0.2)
        return Outcome(Counter(done=1))

    async def long(_: Turn) -> Outcome:
        await begun.wait()
        await asyncio.sleep(60)
        return Outcome()

    async with _open(store, ledger) as desk:
        desk.runner.offer(_job(short, "tickers:upbit"), 60_000)
        desk.runner.offer(_job(long, "candles:upbit"), 60_000)
        await begun.wait()
        loop = asyncio.get_running_loop()
        started = loop.time()
        await desk.runner.close(finish_seconds=1.0, abandon_seconds=1.0)
        assert loop.time() - started < 2.0
        desk.runner.offer(_job(_fine, "late"), 60_000)
    found = {run.job: (run.state, run.error) for run in runs(store, limit=9)}
    assert found == {
        "tickers:upbit": ("succeeded", None),
        "candles:upbit": ("abandoned", "the worker was stopped"),
    }


async def test_what_ran_is_counted_in_the_metrics(store: Store, ledger: ThreadPoolExecutor) -> None:
    async with _open(store, ledger) as desk:
        desk.runner.offer(_job(_fine), 60_000)
        await desk.until(1)
        desk.runner.offer(_job(_failing(GiveUp("no"))), 120_000)
        await desk.until(2)
        value = desk.metrics.registry.get_sample_value
        runs_total = "dantaro_worker_job_runs_total"
        assert value(runs_total, {"task": "tickers:upbit", "outcome": "succeeded"}) == 1
        assert value(runs_total, {"task": "tickers:upbit", "outcome": "failed"}) == 1
        items = {"task": "tickers:upbit", "item": "tickers"}
        assert value("dantaro_worker_job_items_total", items) == 3
        assert value("dantaro_worker_jobs_running") == 0
