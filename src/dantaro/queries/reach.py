"""Which exchanges answer: one rule for the workers, the API and `dantaro status`.

A job that failed by an error of the exchange says no, one that was given something by it says yes, and
the newest of them counts. Failures of ours, such as a database that is away, say nothing, and neither
does a job that found nothing to ask for.
"""

from collections.abc import Collection, Mapping, Sequence

from dantaro.errors import (
    ClockMismatch,
    OriginMismatch,
    VenueAnswerInvalid,
    VenueRateLimited,
    VenueRefused,
    VenueUnavailable,
)
from dantaro.queries.stored import alive
from dantaro.storage.jobs import JobRun, RunState
from dantaro.storage.workers import WorkerState

CONNECT = "connect"
"""The job as which a worker records its attempts to be admitted to `connect:EXCHANGE`."""

EXCHANGE_ERRORS = (VenueUnavailable, VenueRateLimited, VenueRefused, VenueAnswerInvalid)
"""What says that an exchange cannot be collected from, whatever job met it."""

_ERROR_NAMES = {error.__name__ for error in (*EXCHANGE_ERRORS, OriginMismatch, ClockMismatch)}
_GIVEN_BY_JOB: Mapping[str, tuple[str, ...]] = {
    "markets": ("markets",),
    "tickers": ("tickers",),
    "candles": ("markets",),
    "gaps": ("gaps_repaired", "gaps_confirmed", "gaps_open"),
}
"""What a job counts only when the exchange gave it something."""


def exchange_of(job: str) -> str:
    """The exchange of the job `KIND:EXCHANGE`; empty for one that concerns none."""
    return job.partition(":")[2]


def has_answered(job: str, counts: Mapping[str, int]) -> bool:
    """Whether a success of `job` that counted `counts` shows that its exchange answers."""
    kind = job.partition(":")[0]
    given = sum(counts.get(name, 0) for name in _GIVEN_BY_JOB.get(kind, ()))
    return kind == CONNECT or given > 0


def unreachable_exchanges(
    runs: Sequence[JobRun], *, collected: Collection[str] | None = None
) -> Mapping[str, str]:
    """The exchanges that do not answer, in their order, each with the newest error.

    `runs` are the newest that ended of each job (`last_outcomes`). Exchanges that are not `collected`
    any more are left out; None: it is not known which are.
    """
    newest: dict[str, JobRun] = {}
    for run in sorted(runs, key=lambda run: run.finished_at_ms or 0):
        exchange = exchange_of(run.job)
        if exchange and (collected is None or exchange in collected) and _tells(run):
            newest[exchange] = run
    return {
        exchange: run.error
        for exchange, run in sorted(newest.items())
        if run.state is RunState.FAILED and run.error is not None
    }


def collected_exchanges(
    states: Sequence[WorkerState], *, heartbeat_seconds: int
) -> frozenset[str] | None:
    """The exchanges of the workers that are alive; None when none is."""
    living = alive(states, heartbeat_seconds=heartbeat_seconds)
    return frozenset().union(*(state.exchanges for state in living)) if living else None


def _tells(run: JobRun) -> bool:
    if run.state is RunState.SUCCEEDED:
        return has_answered(run.job, run.counts)
    # The record of a failure begins with the name of its type.
    return run.state is RunState.FAILED and (run.error or "").partition(":")[0] in _ERROR_NAMES
