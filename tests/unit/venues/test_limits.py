"""The pace of one exchange."""

import asyncio
import time

import pytest

from dantaro.errors import VenueRateLimited
from dantaro.venues.limits import RateLimiter


async def test_calls_are_spaced_by_their_cost() -> None:
    limiter = RateLimiter("upbit", seconds_per_unit=0.02)
    started = time.monotonic()
    await asyncio.gather(*(limiter.acquire(2) for _ in range(6)))
    assert time.monotonic() - started >= 0.199


async def test_a_stand_in_is_not_paced() -> None:
    limiter = RateLimiter("upbit", seconds_per_unit=10)
    limiter.paced = False
    started = time.monotonic()
    await asyncio.gather(*(limiter.acquire() for _ in range(100)))
    assert time.monotonic() - started < 1


async def test_a_stand_in_that_asks_for_silence_gets_it() -> None:
    limiter = RateLimiter("upbit", seconds_per_unit=0)
    limiter.paced = False
    limiter.refused(0.1)
    started = time.monotonic()
    await limiter.acquire()
    assert time.monotonic() - started >= 0.09


async def test_calls_that_are_already_waiting_keep_a_silence_asked_for_meanwhile() -> None:
    limiter = RateLimiter("upbit", seconds_per_unit=0.05)
    await limiter.acquire()
    waiting = asyncio.create_task(limiter.acquire())
    await asyncio.sleep(0.01)
    limiter.refused(0.3)
    started = time.monotonic()
    await waiting
    assert time.monotonic() - started >= 0.28


async def test_a_silence_too_long_to_wait_for_is_told_at_once() -> None:
    limiter = RateLimiter("binance", seconds_per_unit=0)
    limiter.refused(7_200)
    with pytest.raises(VenueRateLimited, match="binance") as caught:
        await limiter.acquire()
    assert caught.value.retry_after_seconds == pytest.approx(7_200, abs=1)


async def test_a_shorter_silence_does_not_end_a_longer_one() -> None:
    limiter = RateLimiter("binance", seconds_per_unit=0)
    limiter.refused(7_200)
    limiter.refused(0)
    with pytest.raises(VenueRateLimited):
        await limiter.acquire()


async def test_silence_doubles_with_every_refusal_in_a_row_that_states_none() -> None:
    limiter = RateLimiter("gate", seconds_per_unit=0)
    for _ in range(40):
        limiter.refused(None)
    with pytest.raises(VenueRateLimited) as caught:
        await limiter.acquire()
    assert caught.value.retry_after_seconds == pytest.approx(120, abs=1)


async def test_an_answer_ends_the_row_of_refusals() -> None:
    limiter = RateLimiter("gate", seconds_per_unit=0)
    for _ in range(6):
        limiter.refused(0)
    limiter.answered()
    limiter.refused(None)
    assert limiter._paused_until - time.monotonic() == pytest.approx(2, abs=0.1)
