"""A candle that is still forming is never stored as a closed one, however wrong a clock is."""

import random
from pathlib import Path

import pytest

from dantaro.market.markets import Origin
from dantaro.market.timeframes import HOUR_MS, HOURLY
from dantaro.pipeline.collect import CollectionPlan, collect_candles
from dantaro.storage.candles import read_candles
from dantaro.storage.catalogue import stored_markets
from dantaro.storage.engine import Store, open_store
from dantaro.storage.schema import migrate
from scripted_venue import Row, ScriptedVenue

FIRST = 1_700_000_000_000 // HOUR_MS * HOUR_MS
CROSSINGS = 1_000
OFF_MS = 90_000
PLAN = CollectionPlan.of(
    quotes=("KRW",), universe_size=1, timeframes=(HOURLY,), hourly_days=1, daily_days=1
)


def _closed(at_ms: int) -> Row:
    return (at_ms, 10.0, 12.0, 9.0, 11.0, float(at_ms % 997 + 1))


class Simulated(ScriptedVenue):
    """A venue with a simulated hour hand: our time is `ours`, its own is off by `offset_ms`.

    By its own time every past hour has its final candle and the present one is forming, which shows
    by a price that no final candle has.
    """

    def __init__(self) -> None:
        super().__init__(now=lambda: self.ours)
        self.ours = FIRST
        self.before_page = self._answer

    def _answer(self) -> None:
        present = HOURLY.floor(self.ours + self.offset_ms)
        forming: Row = (present, 10.0, 10.0, 10.0, 10.0, 0.5)
        hours = range(present - 30 * HOUR_MS, present, HOUR_MS)
        self.rows = {("BTC/KRW", "1h"): [*map(_closed, hours), forming]}


async def _cross(store: Store, venue: Simulated, *, crossings: int) -> int:
    """Cross that many hours, collecting on both sides of each; how many wrong candles were stored."""
    venue.put_into(store, ["BTC/KRW"])
    (stored,) = stored_markets(store)
    chance = random.Random(11)
    wrong = 0
    for hour in range(crossings):
        boundary = FIRST + hour * HOUR_MS
        venue.offset_ms = chance.choice([-OFF_MS, OFF_MS, chance.randint(-OFF_MS, OFF_MS)])
        for distance_ms in (chance.randint(-95_000, 0), 0, chance.randint(1, 95_000)):
            venue.ours = boundary + distance_ms
            await collect_candles(
                venue.as_venue(),
                store,
                PLAN,
                origin=Origin.SIMULATED,
                now_ms=lambda: venue.ours,
            )
        newest = read_candles(store, stored.id, HOURLY, limit=3, newest=True)
        wrong += sum(tuple(candle) != _closed(candle.opened_at_ms) for candle in newest)
    return wrong


@pytest.fixture
def quick_store(tmp_path: Path) -> Store:
    """A store that need not survive a power cut, so that 3,000 runs take seconds."""
    store = open_store(f"sqlite:///{tmp_path / 'quick.db'}")
    migrate(store)
    return store


async def test_no_forming_candle_is_stored_over_a_thousand_hours(quick_store: Store) -> None:
    venue = Simulated()
    assert await _cross(quick_store, venue, crossings=CROSSINGS) == 0
    venue.offset_ms = 0
    venue.ours = FIRST + CROSSINGS * HOUR_MS + 100_000
    await collect_candles(
        venue.as_venue(), quick_store, PLAN, origin=Origin.SIMULATED, now_ms=lambda: venue.ours
    )
    (stored,) = stored_markets(quick_store)
    found = read_candles(quick_store, stored.id, HOURLY, limit=5000)
    assert [tuple(candle) for candle in found[-CROSSINGS:]] == [
        _closed(FIRST + hour * HOUR_MS) for hour in range(CROSSINGS)
    ]
    quick_store.close()


async def test_without_the_time_that_the_exchange_tells_forming_candles_would_be_stored(
    quick_store: Store,
) -> None:
    """The control: the defence is what makes the test above pass."""
    venue = Simulated()
    venue.tells_time = False
    assert await _cross(quick_store, venue, crossings=30) > 0
    quick_store.close()
