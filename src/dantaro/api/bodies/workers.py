"""Who works, what ran last and what runs next."""

from collections.abc import Mapping, Sequence

from dantaro.api.bodies.reading import AgeFields
from dantaro.api.schemas.operations import JobItem, WorkerItem, WorkersState, WorkerStatusAnswer
from dantaro.api.times import rfc3339, rfc3339_or_none
from dantaro.clock import Clock
from dantaro.queries.stored import Activity, alive
from dantaro.storage.jobs import JobRun, RunState
from dantaro.storage.workers import WorkerState

_ERROR_CHARACTERS = 300


def worker_state(states: Sequence[WorkerState], *, heartbeat_seconds: int) -> WorkersState:
    """Whether some worker is alive; `unknown` before the first heartbeat ever.

    When none is, the one that was heard last tells whether it was `stopped` or fell `silent`.
    """
    if alive(states, heartbeat_seconds=heartbeat_seconds):
        return "active"
    if not states:
        return "unknown"
    return "stopped" if min(states, key=lambda state: state.age_seconds).stopped else "silent"


def worker_status_body(
    found: Activity,
    clock: Clock,
    fields: AgeFields,
    *,
    heartbeat_seconds: int,
    periods: Mapping[str, int],
) -> WorkerStatusAnswer:
    """The workers and the newest run of each job."""
    now_ms = clock.now_ms()
    return WorkerStatusAnswer(
        success=True,
        status=worker_state(found.workers, heartbeat_seconds=heartbeat_seconds),
        workers=[_worker(state, heartbeat_seconds) for state in found.workers],
        jobs=[_job(run, now_ms, periods) for run in found.runs],
        clock=rfc3339(now_ms),
        clock_speed=clock.speed,
        **fields,
    )


def _worker(state: WorkerState, heartbeat_seconds: int) -> WorkerItem:
    return WorkerItem(
        worker_id=state.worker_id,
        host=state.host,
        pid=state.pid,
        version=state.version,
        speed=state.speed,
        alive=state.is_alive(heartbeat_seconds=heartbeat_seconds),
        stopped=state.stopped,
        started_at=rfc3339(state.started_at_ms),
        uptime_seconds=max(0, state.last_beat_ms - state.started_at_ms) / 1000,
        last_beat_at=rfc3339(state.last_beat_ms),
        heartbeat_age_seconds=state.age_seconds,
        current_jobs=list(state.current_jobs),
        counts=state.counts,
    )


def _job(run: JobRun, now_ms: int, periods: Mapping[str, int]) -> JobItem:
    finished = run.finished_at_ms
    next_at = rfc3339_or_none(_next_slot(run.job, now_ms, periods))
    unavailable = {} if finished else dict.fromkeys(("finished_at", "seconds"), "not_finished")
    if next_at is None:
        unavailable["next_run_at"] = "not_scheduled"
    error = None if run.error is None else run.error[:_ERROR_CHARACTERS]
    return JobItem(
        job=run.job,
        state=run.state.value,
        scheduled_at=rfc3339(run.scheduled_at_ms),
        next_run_at=next_at,
        worker_id=run.worker_id,
        attempt=run.attempt,
        started_at=rfc3339(run.claimed_at_ms),
        finished_at=rfc3339_or_none(finished),
        seconds=None if finished is None else (finished - run.claimed_at_ms) / 1000,
        counts=run.counts,
        failed=run.lease_expired or run.state in (RunState.FAILED, RunState.ABANDONED),
        error=error,
        unavailable=unavailable,
    )


def _next_slot(job: str, now_ms: int, periods: Mapping[str, int]) -> int | None:
    """The next multiple of the job's period on the clock; None for one without."""
    period = periods.get(job.partition(":")[0])
    if period is None:
        return None
    return now_ms - now_ms % (period * 1000) + period * 1000
