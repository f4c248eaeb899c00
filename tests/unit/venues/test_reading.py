"""The time that a page of candles is dated with, when several answers make one page."""

import asyncio
from dataclasses import replace

import pytest

from dantaro.market.markets import Origin
from dantaro.venues.gateway import Gateway, Reading
from dantaro.venues.session import Announcement, Answer, VenueSession

_ANSWER = Answer(
    status=200,
    reason="OK",
    headers={},
    text="[]",
    content=[],
    announcement=Announcement(Origin.LIVE, None),
    unlimited=False,
    venue_now_ms=None,
)


@pytest.mark.parametrize(
    ("told", "dated"),
    [((50, 20, 90), 20), ((50,), 50), ((50, None), None), ((None, 50), None), ((), None)],
)
def test_a_page_is_as_old_as_the_earliest_answer_in_it(
    told: tuple[int | None, ...], dated: int | None
) -> None:
    reading = Reading()
    for at_ms in told:
        reading.note(replace(_ANSWER, venue_now_ms=at_ms))
    assert reading.venue_now_ms == dated


async def test_tasks_that_ask_at_the_same_time_do_not_date_each_others_pages() -> None:
    gateway = Gateway("binance", session=VenueSession(), base_url=None)
    later = asyncio.Event()

    async def first() -> int | None:
        with gateway.reading() as told:
            gateway._judge(replace(_ANSWER, venue_now_ms=100), "https://x/y", "GET")
            await later.wait()
        return told.venue_now_ms

    async def second() -> int | None:
        with gateway.reading() as told:
            gateway._judge(replace(_ANSWER, venue_now_ms=900), "https://x/y", "GET")
            later.set()
        return told.venue_now_ms

    early, late = await asyncio.gather(first(), second())
    assert (early, late) == (100, 900)
