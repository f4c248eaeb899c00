"""Who runs a scheduled slot: leases on the database's clock, with fencing tokens.

A slot `(job, scheduled_at_ms)` is one row and is claimed by inserting it. The token of a claim is larger
than any before it in this store, so a holder that lost its slot is recognised whenever it writes.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, Row, func, select, true, update

from dantaro.errors import StaleWriter
from dantaro.storage.engine import Store
from dantaro.storage.tables import DatabaseNow, counters, job_runs
from dantaro.storage.upsert import insert

Outcome = Literal["succeeded", "failed", "abandoned"]


class RunState(StrEnum):
    """What became of a claimed slot."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    ABANDONED = "abandoned"


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to run one slot; `attempt` counts from 1."""

    run_id: int
    job: str
    scheduled_at_ms: int
    token: int
    worker_id: str
    attempt: int


@dataclass(frozen=True, slots=True)
class JobRun:
    """One slot's record. `scheduled_at_ms` is of the followed clock, the others of the database's.

    `lease_expired` tells a run that still counts as running while its holder is silent.
    """

    run_id: int
    job: str
    scheduled_at_ms: int
    state: RunState
    worker_id: str
    attempt: int
    claimed_at_ms: int
    finished_at_ms: int | None
    counts: Mapping[str, int]
    error: str | None
    lease_expired: bool


def claim(
    store: Store,
    job: str,
    scheduled_at_ms: int,
    *,
    worker_id: str,
    lease_seconds: float,
    max_attempts: int = 3,
) -> Lease | None:
    """Claim a slot, or take it over from a holder whose lease has expired; None if it is not to be had.

    A slot that expired on its last attempt is marked as abandoned.
    """
    with store.writing() as connection:
        now_ms = _now(connection)
        statement = insert(store, job_runs).values(
            job=job,
            scheduled_at_ms=scheduled_at_ms,
            state=RunState.RUNNING.value,
            token=0,
            worker_id=worker_id,
            attempt=0,
            claimed_at_ms=now_ms,
            lease_expires_at_ms=now_ms,
            counts="{}",
        )
        connection.execute(statement.on_conflict_do_nothing())
        run = connection.execute(
            select(job_runs)
            .where(job_runs.c.job == job, job_runs.c.scheduled_at_ms == scheduled_at_ms)
            .with_for_update()
        ).one()
        # Read again: the row may have been waited for.
        now_ms = _now(connection)
        if run.state != RunState.RUNNING or run.lease_expires_at_ms > now_ms:
            return None
        if run.attempt >= max_attempts:
            _abandon(connection, run)
            return None
        lease = Lease(
            run_id=run.id,
            job=job,
            scheduled_at_ms=scheduled_at_ms,
            token=_next_token(store, connection),
            worker_id=worker_id,
            attempt=run.attempt + 1,
        )
        _take(connection, lease, now_ms=now_ms, lease_seconds=lease_seconds)
        return lease


def renew(store: Store, lease: Lease, *, lease_seconds: float) -> None:
    """Extend a lease from now on.

    Raises:
        StaleWriter: somebody else has taken the slot over, or it is finished.
    """
    with store.writing() as connection:
        require_held(connection, lease)
        expires_at_ms = _now(connection) + round(lease_seconds * 1000)
        connection.execute(_of(lease).values(lease_expires_at_ms=expires_at_ms))


def finish(
    store: Store,
    lease: Lease,
    *,
    outcome: Outcome,
    counts: Mapping[str, int],
    error: str | None,
) -> None:
    """Record how a run ended.

    Raises:
        StaleWriter: somebody else has taken the slot over, or it is finished.
    """
    with store.writing() as connection:
        require_held(connection, lease)
        connection.execute(
            _of(lease).values(
                state=RunState(outcome).value,
                finished_at_ms=DatabaseNow(),
                counts=json.dumps(dict(counts), sort_keys=True),
                error=error,
            )
        )


def require_held(connection: Connection, lease: Lease) -> None:
    """Refuse to go on unless `lease` still holds; nobody can take it over before this transaction ends.

    An expired lease that nobody took over still holds.

    Raises:
        StaleWriter: somebody else has taken the slot over, or it is finished.
    """
    row = connection.execute(
        select(job_runs.c.token, job_runs.c.worker_id, job_runs.c.state)
        .where(job_runs.c.id == lease.run_id)
        .with_for_update()
    ).first()
    if row != (lease.token, lease.worker_id, RunState.RUNNING):
        raise StaleWriter(
            f"{lease.job} of {lease.scheduled_at_ms} is no longer held by {lease.worker_id} "
            f"(token {lease.token}); nothing was written"
        )


def last_runs(store: Store) -> tuple[JobRun, ...]:
    """The newest slot of each job, ordered by job."""
    return _newest_of_each_job(store, true())


def last_outcomes(store: Store) -> tuple[JobRun, ...]:
    """The newest slot of each job that succeeded or failed, ordered by job."""
    ended = job_runs.c.state.in_((RunState.SUCCEEDED.value, RunState.FAILED.value))
    return _newest_of_each_job(store, ended)


def _newest_of_each_job(store: Store, condition: ColumnElement[bool]) -> tuple[JobRun, ...]:
    """One look into an index for each job, however many runs are kept."""
    names = select(func.min(job_runs.c.job).label("job")).cte("names", recursive=True)
    following = select(func.min(job_runs.c.job)).where(job_runs.c.job > names.c.job)
    names = names.union_all(select(following.scalar_subquery()).where(names.c.job.is_not(None)))
    newest = (
        select(job_runs.c.id)
        # Not `==`: PostgreSQL would then walk the index over times and skip other jobs' runs.
        .where(job_runs.c.job.between(names.c.job, names.c.job), condition)
        .order_by(job_runs.c.job.desc(), job_runs.c.scheduled_at_ms.desc())
        .limit(1)
        .correlate(names)
        .scalar_subquery()
    )
    with store.reading() as connection:
        # In two steps: PostgreSQL may prefer to read the whole table when it sees them joined.
        ids = connection.scalars(select(newest).select_from(names)).all()
        statement = select(job_runs, DatabaseNow().label("now_ms"))
        rows = connection.execute(
            statement.where(job_runs.c.id.in_([found for found in ids if found is not None]))
        ).all()
    return tuple(sorted(map(_job_run, rows), key=lambda run: run.job))


def runs(store: Store, *, job: str | None = None, limit: int) -> tuple[JobRun, ...]:
    """Slots (of one job), newest first."""
    statement = (
        select(job_runs, DatabaseNow().label("now_ms"))
        .order_by(job_runs.c.scheduled_at_ms.desc(), job_runs.c.id.desc())
        .limit(limit)
    )
    if job is not None:
        statement = statement.where(job_runs.c.job == job)
    with store.reading() as connection:
        return tuple(map(_job_run, connection.execute(statement)))


def _now(connection: Connection) -> int:
    return connection.scalars(select(DatabaseNow())).one()


def _take(connection: Connection, lease: Lease, *, now_ms: int, lease_seconds: float) -> None:
    connection.execute(
        _of(lease).values(
            token=lease.token,
            worker_id=lease.worker_id,
            attempt=lease.attempt,
            claimed_at_ms=now_ms,
            lease_expires_at_ms=now_ms + round(lease_seconds * 1000),
        )
    )


def _abandon(connection: Connection, run: Row[Any]) -> None:
    connection.execute(
        update(job_runs)
        .where(job_runs.c.id == run.id)
        .values(
            state=RunState.ABANDONED.value,
            finished_at_ms=DatabaseNow(),
            error=f"the lease expired on attempt {run.attempt}, the last",
        )
    )


def _next_token(store: Store, connection: Connection) -> int:
    statement = insert(store, counters).values(name="fencing_token", value=1)
    statement = statement.on_conflict_do_update(
        index_elements=[counters.c.name], set_={"value": counters.c.value + 1}
    )
    token: int = connection.scalars(statement.returning(counters.c.value)).one()
    return token


def _of(lease: Lease) -> Any:
    return update(job_runs).where(job_runs.c.id == lease.run_id)


def _job_run(row: Row[Any]) -> JobRun:
    state = RunState(row.state)
    return JobRun(
        run_id=row.id,
        job=row.job,
        scheduled_at_ms=row.scheduled_at_ms,
        state=state,
        worker_id=row.worker_id,
        attempt=row.attempt,
        claimed_at_ms=row.claimed_at_ms,
        finished_at_ms=row.finished_at_ms,
        counts=json.loads(row.counts),
        error=row.error,
        lease_expired=state is RunState.RUNNING and row.lease_expires_at_ms <= row.now_ms,
    )
