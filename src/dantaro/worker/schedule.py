"""When jobs are offered: APScheduler's timers, on the clock of the data.

A slot is a multiple of the job's period on that clock, which may run many times as fast as real time;
here it becomes a real moment. Which worker runs the slot is decided by the database, not here.
"""

import asyncio
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.base import BaseTrigger

from dantaro.clock import Clock
from dantaro.worker.jobs import Job

_SHORTEST_SECONDS = 0.05
"""On a very fast clock slots pass more quickly than they can run; the newest one is enough."""

_TICK_SECONDS = 0.005
"""A timer may fire this much early."""


class SlotTrigger(BaseTrigger):  # type: ignore[misc]  # APScheduler has no types
    """Fires when the next slot of a job is due on `clock`."""

    def __init__(self, job: Job, clock: Clock) -> None:
        self._job = job
        self._clock = clock

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime:
        """The real time at which the first slot after now is due (APScheduler's interface)."""
        del previous_fire_time
        due_ms = self._job.next_due(self._clock.now_ms())
        seconds = max(self._clock.seconds_until(due_ms), _SHORTEST_SECONDS)
        return now + timedelta(seconds=seconds)


class Schedule:
    """Offers each job's newest slot now and whenever the next one is due.

    `offer` receives the job and the slot, in UTC milliseconds of `clock`.
    """

    def __init__(self, clock: Clock, offer: Callable[[Job, int], None]) -> None:
        self._clock = clock
        self._offer = offer
        self._scheduler = AsyncIOScheduler(
            timezone=UTC,
            # A slot that is due late is still wanted, but only the newest of several.
            job_defaults={"coalesce": True, "misfire_grace_time": None, "max_instances": 1},
        )
        self._jobs: dict[str, Job] = {}
        self._soon: set[asyncio.TimerHandle] = set()

    def start(self) -> None:
        """Start the timers. Needs a running event loop."""
        self._scheduler.start()

    def add(self, jobs: Iterable[Job]) -> None:
        """Schedule `jobs`, and offer the newest slot of each at once."""
        for job in jobs:
            self._jobs[job.name] = job
            self._scheduler.add_job(
                self._offer_newest,
                SlotTrigger(job, self._clock),
                args=(job,),
                id=job.name,
                next_run_time=datetime.now(UTC),
            )

    def job(self, name: str) -> Job | None:
        """The scheduled job of that name."""
        return self._jobs.get(name)

    def remove(self, jobs: Iterable[Job]) -> None:
        """Offer no more slots of `jobs`."""
        for job in jobs:
            if self._jobs.pop(job.name, None) is not None:
                self._scheduler.remove_job(job.name)

    def offer_now(self, job: Job, *, in_seconds: float = 0.0) -> None:
        """Offer a slot between the regular ones, `in_seconds` of real time from now.

        Its time is the next whole second, so that two workers who have the same idea run it once; and
        it is not begun before that, so that whoever asked for it is sure to be heard.
        """
        wanted_ms = self._clock.now_ms() + round(in_seconds * self._clock.speed * 1000)
        slot_ms = (wanted_ms // 1000 + 1) * 1000
        self._later(self._clock.seconds_until(slot_ms) + _TICK_SECONDS, job, lambda: slot_ms)

    def offer_again(self, job: Job, slot_ms: int, *, in_seconds: float) -> None:
        """Offer `slot_ms` again later, unless a newer slot is due by then."""

        def still_newest() -> int | None:
            return slot_ms if job.newest_slot(self._clock.now_ms()) <= slot_ms else None

        self._later(in_seconds, job, still_newest)

    def _later(self, seconds: float, job: Job, slot: Callable[[], int | None]) -> None:
        def fire() -> None:
            self._soon.discard(handle)
            slot_ms = slot()
            if slot_ms is not None and job.name in self._jobs:
                self._offer(job, slot_ms)

        handle = asyncio.get_running_loop().call_later(seconds, fire)
        self._soon.add(handle)

    def clock_changed(self) -> None:
        """Work out anew when every job's next slot is due."""
        for name, job in self._jobs.items():
            self._scheduler.reschedule_job(name, trigger=SlotTrigger(job, self._clock))

    def close(self) -> None:
        """Offer nothing more."""
        for handle in self._soon:
            handle.cancel()
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)

    async def _offer_newest(self, job: Job) -> None:
        # A coroutine, because APScheduler calls plain functions on threads.
        self._offer(job, job.newest_slot(self._clock.now_ms()))
