"""Heartbeats of workers, timed by the database's clock."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import select, update

from dantaro.storage.engine import Store
from dantaro.storage.tables import DatabaseNow
from dantaro.storage.tables import workers as workers_table
from dantaro.storage.upsert import insert

DEAD_AFTER_BEATS = 3


@dataclass(frozen=True, slots=True)
class WorkerState:
    """A worker as of its last heartbeat, which is `age_seconds` old by the database's clock.

    `speed` is how fast its clock runs (1.0: real time), `exchanges` are those that it collects from,
    `stopped` whether it said that it ends.
    """

    worker_id: str
    host: str
    pid: int
    version: str
    speed: float
    exchanges: tuple[str, ...]
    started_at_ms: int
    last_beat_ms: int
    age_seconds: float
    current_jobs: tuple[str, ...]
    counts: Mapping[str, int]
    stopped: bool = False

    def is_alive(self, *, heartbeat_seconds: float) -> bool:
        """Whether it has not stopped and its last heartbeat is at most three beats old."""
        return not self.stopped and self.age_seconds <= DEAD_AFTER_BEATS * heartbeat_seconds


def beat(
    store: Store,
    worker_id: str,
    *,
    started_at_ms: int,
    current_jobs: Sequence[str],
    counts: Mapping[str, int],
    host: str,
    pid: int,
    version: str,
    speed: float,
    exchanges: Sequence[str],
) -> None:
    """Record that a worker is alive, now."""
    table = workers_table
    values = {
        "host": host,
        "pid": pid,
        "version": version,
        "speed": speed,
        "exchanges": json.dumps(list(exchanges)),
        "started_at_ms": started_at_ms,
        "last_beat_ms": DatabaseNow(),
        "current_jobs": json.dumps(list(current_jobs)),
        "counts": json.dumps(dict(counts), sort_keys=True),
        "stopped_at_ms": None,
    }
    statement = insert(store, table).values(worker_id=worker_id, **values)
    with store.writing() as connection:
        connection.execute(
            statement.on_conflict_do_update(
                index_elements=[table.c.worker_id],
                set_={name: statement.excluded[name] for name in values},
            )
        )


def say_stopped(store: Store, worker_id: str) -> None:
    """Record that a worker ends of its own will, so that nobody takes it for alive meanwhile."""
    table = workers_table
    with store.writing() as connection:
        connection.execute(
            update(table)
            .where(table.c.worker_id == worker_id)
            .values(stopped_at_ms=DatabaseNow(), current_jobs="[]")
        )


def workers(store: Store) -> tuple[WorkerState, ...]:
    """Every worker that has beaten and is not forgotten yet, the most recent first."""
    table = workers_table
    statement = select(table, DatabaseNow().label("now_ms")).order_by(
        table.c.last_beat_ms.desc(), table.c.worker_id
    )
    with store.reading() as connection:
        rows = connection.execute(statement).all()
    return tuple(
        WorkerState(
            worker_id=row.worker_id,
            host=row.host,
            pid=row.pid,
            version=row.version,
            speed=row.speed,
            exchanges=tuple(json.loads(row.exchanges)),
            started_at_ms=row.started_at_ms,
            last_beat_ms=row.last_beat_ms,
            age_seconds=max(0, row.now_ms - row.last_beat_ms) / 1000,
            current_jobs=tuple(json.loads(row.current_jobs)),
            counts=json.loads(row.counts),
            stopped=row.stopped_at_ms is not None,
        )
        for row in rows
    )
