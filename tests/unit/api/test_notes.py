"""What answers say beside their figures: silent workers, old prices."""

import pytest

from dantaro.api.bodies.workers import worker_state
from dantaro.api.notes import price_note, silence_of
from dantaro.api.serving import Options
from dantaro.storage.workers import WorkerState

OPTIONS = Options(periods={"tickers": 60, "recommendations": 300})


@pytest.mark.parametrize(
    ("speed", "seconds"),
    [
        (1.0, 480),  # three rounds of tickers and one of recommendations
        (6.0, 480),
        (60.0, 70 * 60),  # the ten real seconds that a ticker holds, and a real minute
        (600.0, 70 * 600),
    ],
)
def test_prices_may_be_older_the_faster_the_clock_runs(speed: float, seconds: int) -> None:
    assert OPTIONS.price_limit_ms(speed=speed) == seconds * 1000


def test_at_six_hundred_times_real_time_prices_that_are_kept_up_are_not_noted() -> None:
    limit_ms = OPTIONS.price_limit_ms(speed=600.0)
    assert limit_ms is not None
    # collected twelve real seconds ago: two hours of the clock
    now_ms = 12 * 600 * 1000
    assert price_note({"okx": 0}, now_ms=now_ms, limit_ms=limit_ms) == (None, limit_ms + 1)

    note, _ = price_note({"okx": 0}, now_ms=limit_ms + 1, limit_ms=limit_ms)
    assert note == "prices of okx are 11 h old"


def test_without_the_periods_no_limit_is_known() -> None:
    assert Options(periods={"tickers": 60}).price_limit_ms(speed=1.0) is None


def _worker(age_seconds: float, *, stopped: bool = False) -> WorkerState:
    return WorkerState(
        worker_id=f"worker-{age_seconds}",
        host="box",
        pid=42,
        version="0.1.0",
        speed=1.0,
        exchanges=("okx",),
        started_at_ms=0,
        last_beat_ms=0,
        age_seconds=age_seconds,
        current_jobs=(),
        counts={},
        stopped=stopped,
    )


@pytest.mark.parametrize(
    ("age_seconds", "state", "text"),
    [
        (0.0, "stopped", "the worker was stopped a few seconds ago"),
        (9.9, "stopped", "the worker was stopped a few seconds ago"),
        (10.0, "stopped", "the worker was stopped 10 s ago"),
        (59.0, "stopped", "the worker was stopped 50 s ago"),
        (130.0, "stopped", "the worker was stopped 120 s ago"),
        (4.0, "silent", "no worker has been heard for a few seconds"),
        (31.0, "silent", "no worker has been heard for 30 s"),
        (130.0, "silent", "no worker has been heard for 120 s"),
    ],
)
def test_a_stopped_worker_and_a_silent_one_are_told_apart(
    age_seconds: float, state: str, text: str
) -> None:
    states = [_worker(age_seconds, stopped=state == "stopped")]
    assert worker_state(states, heartbeat_seconds=1) == state
    assert silence_of(state, states) == text


def test_of_several_workers_that_are_gone_the_last_one_heard_decides() -> None:
    crashed, stopped = _worker(100.0), _worker(5.0, stopped=True)
    assert worker_state([stopped, crashed], heartbeat_seconds=10) == "stopped"
    assert worker_state([_worker(40.0), _worker(50.0, stopped=True)], heartbeat_seconds=10) == (
        "silent"
    )


def test_one_worker_that_works_is_enough() -> None:
    states = [_worker(1.0, stopped=True), _worker(2.0)]
    state = worker_state(states, heartbeat_seconds=10)
    assert (state, silence_of(state, states)) == ("active", None)


def test_before_the_first_worker_nothing_is_said_of_one() -> None:
    assert worker_state([], heartbeat_seconds=10) == "unknown"
    assert silence_of("unknown", []) == "no worker has been heard of"
