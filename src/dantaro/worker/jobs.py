"""What a job is: something that runs once for every slot over all workers of a store."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from dantaro.pipeline.outcome import Outcome
from dantaro.storage.jobs import Lease

_SHARE_FOR_WORK = 0.8
"""A job is asked to come to an end when this share of its time-out has passed."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One attempt at one slot: the lease under which it may write, and how long it may take."""

    lease: Lease
    timeout_seconds: float
    started: float = field(default_factory=time.monotonic)

    def enough(self) -> bool:
        """Whether the job should stop before its next market, to be finished in time."""
        return time.monotonic() - self.started > _SHARE_FOR_WORK * self.timeout_seconds


@dataclass(frozen=True, slots=True)
class Job:
    """A named piece of work with its period.

    Slots are the multiples of `period_ms` since the epoch, on the clock of the data; a slot is due
    `delay_ms` after it. A `lengthy` job may not take the last free place on a worker, so that short
    ones are never kept waiting by it.
    """

    name: str
    period_ms: int
    run: Callable[[Turn], Awaitable[Outcome]]
    delay_ms: int = 0
    lengthy: bool = False

    def newest_slot(self, now_ms: int) -> int:
        """The newest slot that is due at `now_ms`; older ones need not be made up for."""
        due_ms = now_ms - self.delay_ms
        return due_ms - due_ms % self.period_ms

    def next_due(self, now_ms: int) -> int:
        """When the next slot after `newest_slot` is due."""
        return self.newest_slot(now_ms) + self.period_ms + self.delay_ms
