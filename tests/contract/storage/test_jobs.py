"""Slots, leases, fencing tokens and heartbeats, on both databases."""

import subprocess
import sys
import time
from typing import Any

import pytest
from sqlalchemy import Connection, event, insert

from dantaro.errors import StaleWriter
from dantaro.storage import jobs
from dantaro.storage.engine import Store
from dantaro.storage.jobs import RunState
from dantaro.storage.tables import job_runs
from dantaro.storage.workers import beat, workers


def claim(store: Store, job: str = "levels", at_ms: int = 1000, **options: float) -> jobs.Lease:
    lease = jobs.claim(
        store, job, at_ms, worker_id="a", lease_seconds=options.get("lease_seconds", 60)
    )
    assert lease is not None
    return lease


def test_a_slot_is_claimed_once(store: Store) -> None:
    lease = claim(store)
    assert (lease.job, lease.scheduled_at_ms, lease.attempt) == ("levels", 1000, 1)
    assert jobs.claim(store, "levels", 1000, worker_id="b", lease_seconds=60) is None
    assert jobs.claim(store, "levels", 1000, worker_id="a", lease_seconds=60) is None
    assert jobs.claim(store, "levels", 2000, worker_id="b", lease_seconds=60) is not None
    assert jobs.claim(store, "tickers:upbit", 1000, worker_id="b", lease_seconds=60) is not None


def test_a_finished_slot_is_not_claimed_again(store: Store) -> None:
    for at_ms, outcome in enumerate(("succeeded", "failed", "abandoned")):
        jobs.finish(store, claim(store, at_ms=at_ms), outcome=outcome, counts={}, error=None)  # type: ignore[arg-type]  # a literal each
        assert jobs.claim(store, "levels", at_ms, worker_id="b", lease_seconds=60) is None


def test_an_expired_lease_is_taken_over_with_a_larger_token(store: Store) -> None:
    lost = claim(store, lease_seconds=0.5)
    other = claim(store, at_ms=2000)
    assert jobs.claim(store, "levels", 1000, worker_id="b", lease_seconds=60) is None
    time.sleep(0.6)
    taken = jobs.claim(store, "levels", 1000, worker_id="b", lease_seconds=60)
    assert taken is not None
    assert (taken.run_id, taken.attempt, taken.worker_id) == (lost.run_id, 2, "b")
    assert lost.token < other.token < taken.token
    with pytest.raises(StaleWriter, match="levels of 1000 is no longer held by a"):
        jobs.renew(store, lost, lease_seconds=60)
    with pytest.raises(StaleWriter):
        jobs.finish(store, lost, outcome="succeeded", counts={}, error=None)
    jobs.finish(store, taken, outcome="succeeded", counts={"markets": 3}, error=None)
    assert jobs.last_runs(store)[0].state is RunState.RUNNING  # the newer slot
    assert jobs.runs(store, limit=9)[1].counts == {"markets": 3}


def test_a_renewed_lease_is_not_taken_over(store: Store) -> None:
    lease = claim(store, lease_seconds=0.05)
    jobs.renew(store, lease, lease_seconds=60)
    time.sleep(0.1)
    assert jobs.claim(store, "levels", 1000, worker_id="b", lease_seconds=60) is None


def test_an_expired_lease_that_nobody_took_over_can_be_renewed(store: Store) -> None:
    lease = claim(store, lease_seconds=-1)
    assert jobs.runs(store, limit=1)[0].lease_expired
    jobs.renew(store, lease, lease_seconds=60)
    assert not jobs.runs(store, limit=1)[0].lease_expired


def test_a_slot_that_expires_on_its_last_attempt_is_abandoned(store: Store) -> None:
    claim(store, at_ms=1, lease_seconds=-1)
    lease = claim(store, at_ms=1, lease_seconds=-1)
    assert lease.attempt == 2
    assert jobs.claim(store, "levels", 1, worker_id="a", lease_seconds=60, max_attempts=2) is None
    (run,) = jobs.last_runs(store)
    assert run.state is RunState.ABANDONED
    assert run.error == "the lease expired on attempt 2, the last"
    with pytest.raises(StaleWriter):
        jobs.renew(store, lease, lease_seconds=60)


def test_the_newest_outcome_of_a_job_is_told_while_a_newer_slot_runs_or_was_abandoned(
    store: Store,
) -> None:
    for at_ms, outcome in enumerate(("succeeded", "failed", "abandoned")):
        jobs.finish(store, claim(store, at_ms=at_ms), outcome=outcome, counts={}, error=None)  # type: ignore[arg-type]  # a literal each
    claim(store, at_ms=3)
    claim(store, "prices")
    assert [(run.job, run.scheduled_at_ms) for run in jobs.last_outcomes(store)] == [("levels", 1)]
    assert [(run.job, run.scheduled_at_ms) for run in jobs.last_runs(store)] == [
        ("levels", 3),
        ("prices", 1000),
    ]


def test_a_store_without_runs_has_no_newest_ones(store: Store) -> None:
    assert jobs.last_runs(store) == jobs.last_outcomes(store) == ()


def test_the_newest_runs_are_found_without_reading_all_that_are_kept(store: Store) -> None:
    kept = [
        {
            "job": f"{kind}:{exchange}",
            "scheduled_at_ms": at_ms,
            "state": "succeeded",
            "token": 1,
            "worker_id": "a",
            "attempt": 1,
            "claimed_at_ms": at_ms,
            "lease_expires_at_ms": at_ms,
            "finished_at_ms": at_ms,
            "counts": "{}",
        }
        for kind in ("tickers", "candles")
        for exchange in ("upbit", "okx")
        for at_ms in range(5_000)
    ]
    with store.writing() as connection:
        connection.execute(insert(job_runs), kept)
    started = time.process_time()
    for _ in range(20):
        newest = jobs.last_outcomes(store)
    assert len(newest) == 4
    assert {run.scheduled_at_ms for run in newest} == {4_999}
    plan = _plan(store)
    assert "Seq Scan on job_runs" not in plan
    assert "SCAN job_runs\n" not in plan
    assert time.process_time() - started < 2


def _plan(store: Store) -> str:
    """How the database looks for the newest outcomes."""
    seen: list[str] = []

    def explain(
        connection: Connection, _cursor: object, statement: str, parameters: Any, *_: object
    ) -> None:
        if statement.startswith("WITH RECURSIVE"):
            seen.append(statement)
            prefix = "EXPLAIN QUERY PLAN" if store.dialect == "sqlite" else "EXPLAIN"
            rows = connection.exec_driver_sql(f"{prefix} {statement}", parameters).all()
            seen.extend(str(row[-1]) for row in rows)

    with store.writing() as connection:
        connection.exec_driver_sql("ANALYZE")
    event.listen(store.engine, "before_cursor_execute", explain)
    jobs.last_outcomes(store)
    event.remove(store.engine, "before_cursor_execute", explain)
    assert seen
    return "\n".join([*seen[1:], ""])


def test_runs_are_listed_newest_first_and_per_job(store: Store) -> None:
    for job, at_ms in (("levels", 1), ("levels", 3), ("prices", 2)):
        jobs.finish(store, claim(store, job, at_ms), outcome="failed", counts={}, error="why")
    assert [(run.job, run.scheduled_at_ms) for run in jobs.runs(store, limit=2)] == [
        ("levels", 3),
        ("prices", 2),
    ]
    assert [run.scheduled_at_ms for run in jobs.runs(store, job="levels", limit=9)] == [3, 1]
    assert [(run.job, run.scheduled_at_ms) for run in jobs.last_runs(store)] == [
        ("levels", 3),
        ("prices", 2),
    ]
    run = jobs.runs(store, limit=1)[0]
    assert run.error == "why"
    assert run.finished_at_ms is not None
    assert run.claimed_at_ms <= run.finished_at_ms


_CLAIMER = """
import sys
from dantaro.storage.engine import open_store
from dantaro.storage.jobs import claim
store = open_store(sys.argv[1])
sys.stdin.readline()
for slot in range(100):
    lease = claim(store, "job", slot, worker_id=sys.argv[2], lease_seconds=60)
    if lease:
        print(slot, lease.token)
"""


def test_two_processes_claim_every_slot_exactly_once(store: Store, store_url: str) -> None:
    command = [sys.executable, "-c", _CLAIMER, store_url]
    processes = [
        subprocess.Popen([*command, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for name in "ab"
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    claimed = []
    for process in processes:
        output, _ = process.communicate(timeout=60)
        assert process.returncode == 0
        claimed += [tuple(map(int, line.split())) for line in output.splitlines()]
    assert sorted(slot for slot, _ in claimed) == list(range(100))
    assert len({token for _, token in claimed}) == 100
    by_state = {run.state for run in jobs.runs(store, limit=200)}
    assert by_state == {RunState.RUNNING}


def test_a_heartbeat_replaces_the_one_before_and_ages_by_the_databases_clock(
    store: Store,
) -> None:
    started_ms = 1_700_000_000_000
    for jobs_now in (["levels", "prices"], ["prices"]):
        beat(
            store,
            "host-1",
            started_at_ms=started_ms,
            current_jobs=jobs_now,
            counts={"candles": 7},
            host="host",
            pid=42,
            version="0.1",
            speed=60.0,
            exchanges=["upbit", "okx"],
        )
    time.sleep(0.05)
    (state,) = workers(store)
    assert state.current_jobs == ("prices",)
    assert state.counts == {"candles": 7}
    assert state.exchanges == ("upbit", "okx")
    assert (state.host, state.pid, state.version, state.speed) == ("host", 42, "0.1", 60.0)
    assert state.started_at_ms == started_ms
    assert abs(state.last_beat_ms - time.time() * 1000) < 60_000
    assert 0.04 <= state.age_seconds < 30
