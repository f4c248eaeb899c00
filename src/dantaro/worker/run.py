"""Running jobs: claim the slot, keep the lease, bound the time, try again, write down what happened."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Executor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Literal, Self, TypeVar

import structlog

from dantaro.errors import RetryLater, StaleWriter, StorageUnavailable, VenueRateLimited
from dantaro.pipeline.outcome import Outcome
from dantaro.storage.engine import Store
from dantaro.storage.jobs import Lease, claim, finish, renew
from dantaro.worker.jobs import Job, Turn
from dantaro.worker.metrics import Metrics
from dantaro.worker.plan import Limits

_log = structlog.get_logger(__name__)
_T = TypeVar("_T")

_STORE_PAUSE_SECONDS = 1.0
_LONGEST_BACKOFF_SECONDS = 30.0
_RECORDING_TRIES = 5


@dataclass(frozen=True, slots=True)
class Finished:
    """A slot that this worker ran to its end."""

    job: Job
    slot_ms: int
    outcome: Outcome


class Runner:
    """Runs offered slots, a bounded number at once, each job one slot at a time.

    While a job waits for a place its newest offer replaces older ones. `on_finished` is told of every
    slot that ran here, `on_taken` of every slot that another worker has or had. `ledger` are the threads that only talk to the ledger of jobs, so that a lease
    is never lost because all other threads are busy.
    """

    def __init__(
        self,
        store: Store,
        *,
        worker_id: str,
        limits: Limits,
        ledger: Executor,
        metrics: Metrics,
        on_finished: Callable[[Finished], None],
        on_taken: Callable[[Job], None],
    ) -> None:
        self._store = store
        self._worker_id = worker_id
        self._limits = limits
        self._ledger = ledger
        self._metrics = metrics
        self._on_finished = on_finished
        self._on_taken = on_taken
        self._places = asyncio.Semaphore(limits.concurrency)
        self._lengthy_places = asyncio.Semaphore(max(1, limits.concurrency - 1))
        self._offered: dict[str, int] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._current: dict[str, Lease] = {}
        self._waiting: set[str] = set()
        self._closing = False

    @property
    def current_jobs(self) -> tuple[str, ...]:
        """Names of the jobs that are running now."""
        return tuple(sorted(self._current))

    def offer(self, job: Job, slot_ms: int) -> None:
        """Run `slot_ms` of `job` as soon as there is a place, unless another worker has it."""
        if self._closing:
            return
        self._offered[job.name] = max(slot_ms, self._offered.get(job.name, slot_ms))
        if job.name not in self._tasks:
            self._tasks[job.name] = asyncio.create_task(self._work_off(job), name=job.name)

    async def close(self, *, finish_seconds: float, abandon_seconds: float) -> None:
        """Start nothing more; give running jobs `finish_seconds`, then cancel them.

        A cancelled job's run is recorded as abandoned; what it had stored stays stored.
        """
        self._closing = True
        self._offered.clear()
        for name in self._waiting:
            self._tasks[name].cancel()
        if self._tasks:
            await asyncio.wait(self._tasks.values(), timeout=finish_seconds)
        for task in self._tasks.values():
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks.values(), timeout=abandon_seconds)

    async def _work_off(self, job: Job) -> None:
        try:
            while job.name in self._offered:
                await self._run_slot(job)
        except Exception:  # noqa: BLE001 - also a job's boundary: what goes wrong around it is heard
            _log.exception("slot_failed", job=job.name)
        finally:
            del self._tasks[job.name]

    async def _run_slot(self, job: Job) -> None:
        """One slot: all its attempts, its lease kept all along, its outcome written down."""
        self._waiting.add(job.name)
        async with _Place(self._places_of(job)) as place:
            self._waiting.discard(job.name)
            lease = await self._claim(job)
            if lease is None:
                return
            self._current[job.name] = lease
            try:
                await self._hold(job, lease, place)
            finally:
                del self._current[job.name]

    def _places_of(self, job: Job) -> tuple[asyncio.Semaphore, ...]:
        return (self._lengthy_places, self._places) if job.lengthy else (self._places,)

    async def _hold(self, job: Job, lease: Lease, place: "_Place") -> None:
        keeping = asyncio.create_task(self._keep(lease))
        try:
            outcome = await self._attempts(job, lease, place, keeping)
        except asyncio.CancelledError:
            await self._record(lease, "abandoned", Counter(), "the worker was stopped")
            raise
        finally:
            keeping.cancel()
        error = None if outcome.error is None else _text(outcome.error)
        await self._record(lease, "succeeded" if error is None else "failed", outcome.counts, error)
        self._on_finished(Finished(job, lease.scheduled_at_ms, outcome))

    async def _attempts(
        self, job: Job, lease: Lease, place: "_Place", keeping: "asyncio.Task[None]"
    ) -> Outcome:
        """Try until it succeeds, cannot succeed, or was tried often enough; counts are summed."""
        counts: Counter[str] = Counter()
        for attempt in range(1, self._limits.attempts + 1):
            outcome = await self._attempt(job, lease, keeping)
            counts.update(outcome.counts)
            counts["attempts"] = attempt
            if not isinstance(outcome.error, RetryLater) or attempt == self._limits.attempts:
                break
            # Others take the place meanwhile: a dead exchange must not hold them up.
            async with place.vacated():
                await asyncio.sleep(self._backoff(attempt, outcome.error))
        return Outcome(counts, outcome.again_in_seconds, outcome.error)

    async def _attempt(self, job: Job, lease: Lease, keeping: "asyncio.Task[None]") -> Outcome:
        """One attempt. Whatever it raises becomes an outcome here, at the job's boundary."""
        work = asyncio.ensure_future(job.run(Turn(lease, self._limits.timeout_seconds)))
        log = _log.bind(job=job.name, slot=lease.scheduled_at_ms)
        with self._metrics.running(job.name):
            try:
                await asyncio.wait(
                    {work, keeping},
                    timeout=self._limits.timeout_seconds,
                    return_when=asyncio.FIRST_COMPLETED,
                )
                if work.done():
                    return work.result()
            except RetryLater as error:
                log.warning("job_attempt_failed", error=_text(error))
                return Outcome(error=error)
            except Exception as error:  # the boundary of a job: anything else is recorded
                log.exception("job_failed")
                return Outcome(error=error)
            finally:
                work.cancel()
        await asyncio.wait({work})
        if keeping.done():
            log.warning("job_lost_its_lease")
            return Outcome(error=StaleWriter(f"the lease of {job.name} was lost"))
        log.error("job_timed_out", timeout_seconds=self._limits.timeout_seconds)
        return Outcome(
            error=TimeoutError(f"not finished within {self._limits.timeout_seconds:g} s")
        )

    async def _claim(self, job: Job) -> Lease | None:
        """Claim the newest offer, waiting for a database that is away; None if it is not to be had."""
        while (slot_ms := self._offered.pop(job.name, None)) is not None:
            try:
                lease = await self._in_ledger(
                    claim,
                    self._store,
                    job.name,
                    slot_ms,
                    worker_id=self._worker_id,
                    lease_seconds=self._limits.lease_seconds,
                )
            except StorageUnavailable as error:
                _log.warning("claim_failed", job=job.name, slot=slot_ms, error=str(error))
            else:
                if lease is None:
                    self._on_taken(job)
                return lease
            if self._closing:
                break
            self._offered.setdefault(job.name, slot_ms)
            await asyncio.sleep(_STORE_PAUSE_SECONDS)
        return None

    async def _keep(self, lease: Lease) -> None:
        """Renew the lease until cancelled; returns when it is lost."""
        while True:
            await asyncio.sleep(self._limits.lease_seconds / 3)
            try:
                await self._in_ledger(
                    renew, self._store, lease, lease_seconds=self._limits.lease_seconds
                )
            except StaleWriter:
                return
            except StorageUnavailable as error:
                _log.warning("lease_not_renewed", job=lease.job, error=str(error))

    async def _record(
        self,
        lease: Lease,
        outcome: Literal["succeeded", "failed", "abandoned"],
        counts: Counter[str],
        error: str | None,
    ) -> None:
        self._metrics.finished(lease.job, outcome, counts)
        for _ in range(_RECORDING_TRIES):
            try:
                await self._in_ledger(
                    finish, self._store, lease, outcome=outcome, counts=counts, error=error
                )
            except StaleWriter:
                _log.warning("run_not_recorded", job=lease.job, reason="the lease was lost")
            except StorageUnavailable as failure:
                _log.warning("run_not_recorded", job=lease.job, reason=str(failure))
                await asyncio.sleep(_STORE_PAUSE_SECONDS)
                continue
            return

    async def _in_ledger(
        self, call: Callable[..., _T], /, *arguments: object, **named: object
    ) -> _T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._ledger, partial(call, *arguments, **named))

    def _backoff(self, attempt: int, error: RetryLater) -> float:
        pause = self._limits.backoff_seconds * 4.0 ** (attempt - 1)
        if isinstance(error, VenueRateLimited) and error.retry_after_seconds is not None:
            pause = max(pause, error.retry_after_seconds)
        return min(pause, _LONGEST_BACKOFF_SECONDS)


class _Place:
    """A job's place among those that run at once."""

    def __init__(self, semaphores: tuple[asyncio.Semaphore, ...]) -> None:
        self._semaphores = semaphores
        self._held: list[asyncio.Semaphore] = []

    async def __aenter__(self) -> Self:
        try:
            for semaphore in self._semaphores:
                await semaphore.acquire()
                self._held.append(semaphore)
        except asyncio.CancelledError:
            self._leave()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        self._leave()

    @asynccontextmanager
    async def vacated(self) -> AsyncIterator[None]:
        """Leave the place to others while the block runs, then wait for one again."""
        self._leave()
        yield
        await self.__aenter__()

    def _leave(self) -> None:
        while self._held:
            self._held.pop().release()


def _text(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
