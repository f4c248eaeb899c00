from collections.abc import Mapping

import pytest

from dantaro.queries.reach import collected_exchanges, has_answered, unreachable_exchanges
from dantaro.storage.jobs import JobRun, RunState
from dantaro.storage.workers import WorkerState

DEAD = "VenueUnavailable: upbit does not answer"


def _run(
    job: str,
    finished_at_ms: int,
    *,
    error: str | None = None,
    state: RunState | None = None,
    counts: Mapping[str, int] | None = None,
) -> JobRun:
    return JobRun(
        run_id=1,
        job=job,
        scheduled_at_ms=0,
        state=state or (RunState.SUCCEEDED if error is None else RunState.FAILED),
        worker_id="w1",
        attempt=1,
        claimed_at_ms=0,
        finished_at_ms=finished_at_ms,
        counts={"tickers": 3, "markets": 3} if counts is None else counts,
        error=error,
        lease_expired=False,
    )


def _worker(exchanges: tuple[str, ...], *, age_seconds: float) -> WorkerState:
    return WorkerState(
        "w1", "h", 1, "0", 1.0, exchanges, 0, 0, age_seconds, current_jobs=(), counts={}
    )


def test_an_exchange_whose_newest_job_met_its_silence_is_unreachable_with_the_error() -> None:
    runs = [
        _run("connect:upbit", 1),
        _run("markets:upbit", 2),
        _run("tickers:upbit", 3, error=DEAD),
    ]
    assert unreachable_exchanges(runs) == {"upbit": DEAD}


def test_an_exchange_is_back_with_the_first_job_that_it_gives_something() -> None:
    runs = [_run("connect:upbit", 1, error=DEAD), _run("tickers:upbit", 2)]
    assert unreachable_exchanges(runs) == {}


@pytest.mark.parametrize(
    "later",
    [
        _run("gaps:upbit", 2, counts={"gaps_due": 0, "gaps_repaired": 0}),
        _run("candles:upbit", 2, counts={"universe": 200, "failed": 3}),
        _run("tickers:upbit", 2, counts={"tickers": 0}),
        _run("tickers:upbit", 2, error="StorageUnavailable: the database is away"),
        _run("candles:upbit", 2, error="the worker was stopped", state=RunState.ABANDONED),
        _run("levels", 2),
        _run("tickers:okx", 2),
    ],
)
def test_a_run_to_which_the_exchange_gave_nothing_does_not_bring_it_back(later: JobRun) -> None:
    assert unreachable_exchanges([_run("markets:upbit", 1, error=DEAD), later]) == {"upbit": DEAD}


@pytest.mark.parametrize(
    "error", ["StorageUnavailable: locked", "TimeoutError: not finished", "ValueError: 1", "hm"]
)
def test_a_failure_of_ours_is_not_the_exchanges(error: str) -> None:
    assert unreachable_exchanges([_run("tickers:upbit", 1, error=error)]) == {}


@pytest.mark.parametrize(
    "name",
    [
        "VenueUnavailable",
        "VenueRateLimited",
        "VenueRefused",
        "VenueAnswerInvalid",
        "OriginMismatch",
    ],
)
def test_every_error_of_an_exchange_counts(name: str) -> None:
    assert list(unreachable_exchanges([_run("connect:okx", 1, error=f"{name}: why")])) == ["okx"]


def test_an_exchange_that_nobody_collects_any_more_is_left_out() -> None:
    runs = [_run("tickers:upbit", 1, error=DEAD), _run("tickers:okx", 1, error=DEAD)]
    assert list(unreachable_exchanges(runs, collected={"okx"})) == ["okx"]
    assert list(unreachable_exchanges(runs, collected=None)) == ["okx", "upbit"]


def test_the_exchanges_of_all_living_workers_are_collected() -> None:
    states = [
        _worker(("upbit",), age_seconds=1),
        _worker(("okx", "gate"), age_seconds=30),
        _worker(("binance",), age_seconds=31),
    ]
    assert collected_exchanges(states, heartbeat_seconds=10) == frozenset({"upbit", "okx", "gate"})
    assert collected_exchanges(states[2:], heartbeat_seconds=10) is None


def test_to_be_admitted_is_an_answer() -> None:
    assert has_answered("connect:upbit", {})
    assert not has_answered("cleanup", {"markets": 3})
