"""The circuit breaker."""

import threading

import pytest

from dantaro.cache.breaker import Breaker
from dantaro.errors import CacheUnavailable


class _Time:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time() -> _Time:
    return _Time()


@pytest.fixture
def breaker(time: _Time) -> Breaker:
    return Breaker(failures=2, open_seconds=1.0, monotonic=time)


def _fail(breaker: Breaker) -> None:
    with pytest.raises(OSError, match=r"away"), breaker.guard(OSError):
        raise OSError("away")


def _succeed(breaker: Breaker) -> None:
    with breaker.guard(OSError):
        pass


def _is_refused(breaker: Breaker) -> bool:
    try:
        _succeed(breaker)
    except CacheUnavailable:
        return True
    return False


def test_it_opens_after_failures_in_a_row_only(breaker: Breaker) -> None:
    _fail(breaker)
    _succeed(breaker)
    _fail(breaker)
    assert not _is_refused(breaker)
    _fail(breaker)
    _fail(breaker)
    assert _is_refused(breaker)


def test_after_a_while_one_success_closes_it(breaker: Breaker, time: _Time) -> None:
    _fail(breaker)
    _fail(breaker)
    time.now += 0.99
    assert _is_refused(breaker)
    time.now += 0.01
    assert not _is_refused(breaker)
    assert not breaker.is_open


def test_a_failed_probe_opens_it_for_another_while(breaker: Breaker, time: _Time) -> None:
    _fail(breaker)
    _fail(breaker)
    time.now += 1
    _fail(breaker)
    assert _is_refused(breaker)
    time.now += 1
    assert not _is_refused(breaker)


def test_only_one_call_probes_while_the_others_are_refused(breaker: Breaker, time: _Time) -> None:
    _fail(breaker)
    _fail(breaker)
    time.now += 1
    entered, leave = threading.Event(), threading.Event()

    def probe() -> None:
        with breaker.guard(OSError):
            entered.set()
            leave.wait(5)

    thread = threading.Thread(target=probe)
    thread.start()
    assert entered.wait(5)
    assert _is_refused(breaker)
    leave.set()
    thread.join(5)
    assert not _is_refused(breaker)


def test_an_error_of_another_kind_neither_opens_it_nor_keeps_the_probe(
    breaker: Breaker, time: _Time
) -> None:
    _fail(breaker)
    _fail(breaker)
    time.now += 1
    with pytest.raises(KeyError), breaker.guard(OSError):
        raise KeyError("not the server's health")
    assert not _is_refused(breaker)


def test_a_late_success_of_a_call_from_before_does_not_close_it(breaker: Breaker) -> None:
    with breaker.guard(OSError):
        _fail(breaker)
        _fail(breaker)
    assert breaker.is_open
