import time

from dantaro.pipeline.outcome import Outcome
from dantaro.storage.jobs import Lease
from dantaro.worker.jobs import Job, Turn

HOUR = 3_600_000


async def _nothing(_: Turn) -> Outcome:
    return Outcome()


def test_a_slot_is_due_only_when_its_delay_has_passed() -> None:
    job = Job("candles:upbit", HOUR, _nothing, delay_ms=5_000)
    assert job.newest_slot(10 * HOUR + 4_999) == 9 * HOUR
    assert job.newest_slot(10 * HOUR + 5_000) == 10 * HOUR


def test_the_next_slot_is_due_a_period_after_the_newest() -> None:
    job = Job("candles:upbit", HOUR, _nothing, delay_ms=5_000)
    assert job.next_due(10 * HOUR + 4_999) == 10 * HOUR + 5_000
    assert job.next_due(10 * HOUR + 5_000) == 11 * HOUR + 5_000


def test_a_turn_has_had_enough_well_before_its_time_out() -> None:
    lease = Lease(1, "candles:upbit", 0, 1, "w", 1)
    now = time.monotonic()
    assert not Turn(lease, 300.0, started=now - 200).enough()
    assert Turn(lease, 300.0, started=now - 241).enough()
