"""Heartbeats: who is alive, who is silent, who has stopped."""

from dataclasses import replace

import pytest

from dantaro.storage.engine import Store
from dantaro.storage.workers import beat, say_stopped, workers


def _beat(store: Store, worker_id: str = "a:1") -> None:
    beat(
        store,
        worker_id,
        started_at_ms=1_000,
        current_jobs=("levels",),
        counts={"runs": 3},
        host="a",
        pid=1,
        version="0",
        speed=1.0,
        exchanges=("upbit", "okx"),
    )


def test_a_worker_that_beats_is_alive_until_it_says_that_it_stops(store: Store) -> None:
    _beat(store)
    (beating,) = workers(store)
    assert beating.is_alive(heartbeat_seconds=10)
    assert beating.exchanges == ("upbit", "okx")
    say_stopped(store, "a:1")
    (stopped,) = workers(store)
    assert stopped.stopped
    assert not stopped.is_alive(heartbeat_seconds=10)
    assert stopped.current_jobs == ()
    assert stopped.counts == {"runs": 3}


def test_a_worker_that_beats_again_is_alive_again(store: Store) -> None:
    _beat(store)
    say_stopped(store, "a:1")
    _beat(store)
    (again,) = workers(store)
    assert again.is_alive(heartbeat_seconds=10)


def test_one_that_stops_does_not_stop_another(store: Store) -> None:
    _beat(store, "a:1")
    _beat(store, "a:2")
    say_stopped(store, "a:1")
    assert {state.worker_id: state.stopped for state in workers(store)} == {
        "a:1": True,
        "a:2": False,
    }


@pytest.mark.parametrize(("age_seconds", "alive"), [(30.0, True), (30.1, False)])
def test_three_beats_without_a_word_are_too_many(
    store: Store, age_seconds: float, *, alive: bool
) -> None:
    _beat(store)
    (state,) = workers(store)
    silent = replace(state, age_seconds=age_seconds)
    assert silent.is_alive(heartbeat_seconds=10) is alive
