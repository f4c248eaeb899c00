import asyncio
from datetime import UTC, datetime

from dantaro.clock import Clock, real_now_ms
from dantaro.market.clocks import ClockReading
from dantaro.pipeline.outcome import Outcome
from dantaro.worker.jobs import Job, Turn
from dantaro.worker.schedule import Schedule, SlotTrigger

MINUTE = 60_000


async def _nothing(_: Turn) -> Outcome:
    return Outcome()


def _job(period_ms: int = MINUTE, delay_ms: int = 0, name: str = "tickers:upbit") -> Job:
    return Job(name, period_ms, _nothing, delay_ms=delay_ms)


def _clock(venue_ms: int, *, speed: float = 1.0) -> Clock:
    return Clock(ClockReading(venue_ms, real_now_ms(), speed))


class _Offers:
    def __init__(self) -> None:
        self.made: list[tuple[str, int]] = []

    def __call__(self, job: Job, slot_ms: int) -> None:
        self.made.append((job.name, slot_ms))


def _seconds_until_next(trigger: SlotTrigger) -> float:
    now = datetime.now(UTC)
    return (trigger.get_next_fire_time(None, now) - now).total_seconds()


def test_a_slot_of_a_fast_clock_comes_sooner_in_real_time() -> None:
    slow = SlotTrigger(_job(), _clock(100 * MINUTE + 30_000))
    fast = SlotTrigger(_job(), _clock(100 * MINUTE + 30_000, speed=60.0))
    assert 29.5 < _seconds_until_next(slow) <= 30.0
    assert 0.4 < _seconds_until_next(fast) <= 0.51


def test_slots_never_follow_each_other_faster_than_they_could_be_offered() -> None:
    trigger = SlotTrigger(_job(), _clock(100 * MINUTE, speed=1e6))
    assert _seconds_until_next(trigger) >= 0.05


async def test_the_newest_slot_is_offered_at_once_and_the_older_ones_are_not_made_up_for() -> None:
    offers = _Offers()
    schedule = Schedule(_clock(1000 * MINUTE + 10), offers)
    schedule.start()
    schedule.add([_job()])
    await asyncio.sleep(0.2)
    schedule.close()
    assert offers.made == [("tickers:upbit", 1000 * MINUTE)]


async def test_every_slot_of_an_accelerated_clock_is_offered_in_turn() -> None:
    offers = _Offers()
    schedule = Schedule(_clock(1000 * MINUTE + 1, speed=300.0), offers)  # a slot each 0.2 s
    schedule.start()
    schedule.add([_job()])
    await asyncio.sleep(1.1)
    schedule.close()
    slots = [slot // MINUTE for _, slot in offers.made]
    assert slots == list(range(1000, 1000 + len(slots)))
    assert 5 <= len(slots) <= 7


async def test_a_clock_that_jumps_moves_the_next_slot() -> None:
    offers = _Offers()
    clock = _clock(1000 * MINUTE + 1)
    schedule = Schedule(clock, offers)
    schedule.start()
    schedule.add([_job()])
    await asyncio.sleep(0.05)
    clock.follow(ClockReading(5001 * MINUTE - 100, real_now_ms(), 1.0))
    schedule.clock_changed()
    await asyncio.sleep(0.4)
    schedule.close()
    assert offers.made == [("tickers:upbit", 1000 * MINUTE), ("tickers:upbit", 5001 * MINUTE)]


async def test_a_slot_between_the_regular_ones_is_the_next_whole_second_and_not_begun_before() -> (
    None
):
    offers = _Offers()
    job = _job(period_ms=100 * MINUTE)
    schedule = Schedule(_clock(1050 * MINUTE + 7_600), offers)
    schedule.start()
    schedule.add([job])
    await asyncio.sleep(0.05)
    schedule.offer_now(job)
    await asyncio.sleep(0.15)
    assert offers.made[1:] == []
    schedule.offer_now(job)  # what happened meanwhile is covered by the same slot
    await asyncio.sleep(0.3)
    schedule.close()
    assert offers.made[1:] == [("tickers:upbit", 1050 * MINUTE + 8_000)] * 2


async def test_what_happens_after_such_a_slot_has_begun_gets_another() -> None:
    offers = _Offers()
    job = _job(period_ms=100 * MINUTE)
    schedule = Schedule(_clock(1050 * MINUTE + 7_950), offers)
    schedule.start()
    schedule.add([job])
    await asyncio.sleep(0)
    schedule.offer_now(job)
    await asyncio.sleep(0.12)
    schedule.offer_now(job)
    await asyncio.sleep(1.0)
    schedule.close()
    slots = [slot for _, slot in offers.made if slot > 1050 * MINUTE]
    assert slots == [1050 * MINUTE + 8_000, 1050 * MINUTE + 9_000]


async def test_a_slot_is_not_offered_again_when_a_newer_one_is_due() -> None:
    offers = _Offers()
    clock = _clock(1000 * MINUTE + 1)
    job = _job()
    schedule = Schedule(clock, offers)
    schedule.start()
    schedule.add([job])
    await asyncio.sleep(0.05)
    schedule.offer_again(job, 1000 * MINUTE, in_seconds=0.01)
    schedule.offer_again(job, 999 * MINUTE, in_seconds=0.01)
    await asyncio.sleep(0.1)
    schedule.close()
    assert offers.made == [("tickers:upbit", 1000 * MINUTE)] * 2


async def test_a_removed_job_is_offered_no_more() -> None:
    offers = _Offers()
    job = _job()
    schedule = Schedule(_clock(1000 * MINUTE + 59_900), offers)
    schedule.start()
    schedule.add([job])
    await asyncio.sleep(0.02)
    schedule.offer_now(job, in_seconds=0.1)
    schedule.remove([job])
    await asyncio.sleep(0.3)
    schedule.close()
    assert offers.made == [("tickers:upbit", 1000 * MINUTE)]
