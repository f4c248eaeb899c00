"""The worker: exchanges, schedule, runner and heartbeat, started in order and stopped in time."""

import asyncio
import os
import secrets
import socket
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import psutil
import structlog

from dantaro.cache import Cache
from dantaro.clock import Clock
from dantaro.errors import StorageUnavailable
from dantaro.market.timeframes import Timeframe
from dantaro.pipeline.analyse import Analyst
from dantaro.queries.reach import exchange_of
from dantaro.storage.engine import Store
from dantaro.storage.jobs import RunState, runs
from dantaro.venues.venue import Venue
from dantaro.worker.fleet import Fleet
from dantaro.worker.heartbeat import Heart
from dantaro.worker.jobs import Job
from dantaro.worker.metrics import Metrics, MetricsServer
from dantaro.worker.plan import WorkerPlan
from dantaro.worker.run import Finished, Runner
from dantaro.worker.schedule import Schedule
from dantaro.worker.table import ANALYSES, Bench

_log = structlog.get_logger(__name__)

_STORE_THREADS = 4
_SHARE_TO_FINISH = 0.6
_SHARE_TO_ABANDON = 0.2


async def run_worker(
    plan: WorkerPlan,
    *,
    store: Store,
    cache: Cache,
    clock: Clock,
    venues: Sequence[Venue],
    stop: asyncio.Event,
    worker_id: str | None = None,
) -> None:
    """Collect, analyse and publish until `stop` is set; then end within `plan.limits.stop_seconds`.

    `venues` are the exchanges of `plan`, not asked yet. `store`, `cache` and `venues` stay open.

    Raises:
        OriginMismatch, ClockMismatch: every exchange answered at the start and none may feed this store.
        ConfigurationError: the metrics' port is taken.
        StorageUnavailable: the database is away at the start; once it runs, the worker waits for it.
    """
    worker_id = worker_id or f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(3)}"
    loop = asyncio.get_running_loop()
    threads = ThreadPoolExecutor(_STORE_THREADS, thread_name_prefix="dantaro-work")
    loop.set_default_executor(threads)
    worker = _Worker(plan, store, cache, clock, venues=venues, worker_id=worker_id)
    _log.info("worker_started", worker=worker_id, exchanges=list(plan.exchanges))
    try:
        await worker.run(stop)
    finally:
        await worker.close()
        _log.info("worker_stopped", worker=worker_id)


class _Worker:
    """The parts of a running worker and what each tells the others."""

    def __init__(
        self,
        plan: WorkerPlan,
        store: Store,
        cache: Cache,
        clock: Clock,
        *,
        venues: Sequence[Venue],
        worker_id: str,
    ) -> None:
        self._plan = plan
        self._worker_id = worker_id
        self._clock = clock
        analyst = Analyst(store, plan.parameters, exchanges=plan.exchanges)
        # One analysis at a time: side by side they would only share the processor, and each would
        # hold its own copies of the arrays.
        self._analysis = ThreadPoolExecutor(1, thread_name_prefix="dantaro-analysis")
        self._bench = Bench(store, cache, clock, plan, analyst, self._analysis)
        self._metrics = Metrics()
        self._metrics_server: MetricsServer | None = None
        # One thread each, so that neither waits for anything but the database.
        self._ledger = ThreadPoolExecutor(2, thread_name_prefix="dantaro-ledger")
        self._pulse = ThreadPoolExecutor(1, thread_name_prefix="dantaro-pulse")
        self._runner = Runner(
            store,
            worker_id=worker_id,
            limits=plan.limits,
            ledger=self._ledger,
            metrics=self._metrics,
            on_finished=self._finished,
            on_taken=self._taken,
        )
        self._schedule = Schedule(clock, self._runner.offer)
        self._fleet = Fleet(
            store,
            venues,
            clock,
            worker_id=worker_id,
            on_admitted=self._admitted,
            on_refused=self._refused,
            on_clock=self._schedule.clock_changed,
        )
        self._heart = Heart(
            store,
            clock,
            worker_id,
            plan.exchanges,
            plan.limits.heartbeat_seconds,
            self._pulse,
            self._metrics,
            lambda: self._runner.current_jobs,
            lambda: self._metrics.totals,
        )
        self._exchange_jobs: dict[str, tuple[Job, ...]] = {}
        self._caught_up: set[str] = set()
        self._looking: set[asyncio.Task[None]] = set()

    async def run(self, stop: asyncio.Event) -> None:
        if self._plan.metrics_port:
            self._metrics_server = MetricsServer(
                self._metrics, host=self._plan.metrics_host, port=self._plan.metrics_port
            )
        beating = asyncio.create_task(self._heart.run())
        stopping = asyncio.create_task(stop.wait())
        connecting = asyncio.create_task(self._connect())
        try:
            done, _ = await asyncio.wait(
                {beating, stopping, connecting}, return_when=asyncio.FIRST_COMPLETED
            )
            if connecting in done:
                connecting.result()
                done, _ = await asyncio.wait(
                    {beating, stopping}, return_when=asyncio.FIRST_COMPLETED
                )
            if beating in done:
                beating.result()  # it ends only by a fault of ours
            self._schedule.close()
            seconds = self._plan.limits.stop_seconds
            await self._runner.close(
                finish_seconds=_SHARE_TO_FINISH * seconds,
                abandon_seconds=_SHARE_TO_ABANDON * seconds,
            )
        finally:
            tasks = (beating, stopping, connecting)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._heart.stop()

    async def close(self) -> None:
        """Close what was opened here."""
        self._schedule.close()
        await self._fleet.close()
        self._analysis.shutdown(wait=False, cancel_futures=True)
        self._ledger.shutdown(wait=False)
        self._pulse.shutdown(wait=False)
        if self._metrics_server is not None:
            self._metrics_server.close()

    async def _connect(self) -> None:
        self._schedule.start()
        await self._fleet.connect()
        if self._fleet.origin is not None:
            self._schedule_common_jobs()

    def _schedule_common_jobs(self) -> None:
        # Not before the origin is known: until then nobody knows whose time the slots are on.
        if self._schedule.job(ANALYSES[0]) is None:
            self._schedule.add(self._bench.common_jobs())

    def _admitted(self, venue: Venue) -> None:
        origin = self._fleet.origin
        assert origin is not None  # noqa: S101 - an exchange is admitted for its origin
        jobs = self._bench.exchange_jobs(venue, origin, on_stored=self._stored)
        self._exchange_jobs[venue.exchange] = jobs
        self._schedule_common_jobs()
        self._schedule.add(jobs)

    def _refused(self, venue: Venue) -> None:
        self._schedule.remove(self._exchange_jobs.pop(venue.exchange, ()))

    def _stored(self, exchange: str, timeframe: Timeframe) -> None:
        """New candles are in: do not wait for the next regular slots to publish what they say."""
        _log.debug("candles_ready", exchange=exchange, timeframe=timeframe.name)
        for name in ANALYSES:
            if (job := self._schedule.job(name)) is not None:
                self._schedule.offer_now(job)

    def _finished(self, finished: Finished) -> None:
        job, outcome = finished.job, finished.outcome
        self._fleet.reach.note(job.name, outcome)
        if exchange := exchange_of(job.name):
            self._fleet.watch(exchange)
        if outcome.again_in_seconds is not None:
            self._schedule.offer_now(job, in_seconds=max(1.0, outcome.again_in_seconds))

    def _taken(self, job: Job) -> None:
        """Another worker, or an earlier life of this one, has the slot."""
        task = asyncio.create_task(self._look_after(job))
        self._looking.add(task)
        task.add_done_callback(self._looking.discard)

    async def _look_after(self, job: Job) -> None:
        """See to it that a slot whose worker died, or work that a stop cut short, is taken up."""
        lease_seconds = self._plan.limits.lease_seconds
        if job.period_ms / 1000 / self._clock.speed <= 2 * lease_seconds:
            return  # the next slot does it as soon
        try:
            newest = await asyncio.to_thread(runs, self._bench.store, job=job.name, limit=1)
        except StorageUnavailable:
            return
        running = bool(newest) and newest[0].state is RunState.RUNNING
        if job.lengthy and (not running or _has_died(newest[0].worker_id, self._worker_id)):
            if job.name not in self._caught_up:
                self._caught_up.add(job.name)
                self._schedule.offer_now(job)
        elif running:
            wait_seconds = 0.0 if newest[0].lease_expired else lease_seconds
            self._schedule.offer_again(job, newest[0].scheduled_at_ms, in_seconds=wait_seconds)


def _has_died(worker_id: str, own_id: str) -> bool:
    """Whether another worker was a process of this machine that is no more.

    Its lease need not be waited for then. Of workers elsewhere only their leases tell.
    """
    host, _, rest = worker_id.partition(":")
    pid = rest.partition(":")[0]
    if worker_id == own_id or host != socket.gethostname() or not pid.isdigit():
        return False
    # In a container every life of a worker has the same number: an older one with ours is dead.
    return int(pid) == os.getpid() or not psutil.pid_exists(int(pid))
