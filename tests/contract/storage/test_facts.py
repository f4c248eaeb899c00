"""Facts about the store, on both databases."""

import pytest

from dantaro.errors import OriginMismatch
from dantaro.market.clocks import ClockReading
from dantaro.market.markets import Origin
from dantaro.storage import facts
from dantaro.storage.engine import Store, open_store


def test_the_store_id_is_made_once_and_stays(store: Store, store_url: str) -> None:
    first = facts.store_id(store)
    again = open_store(store_url)
    assert facts.store_id(again) == first
    assert len(first) == 36
    again.close()


def test_the_origin_is_fixed_once(store: Store) -> None:
    assert facts.origin(store) is None
    facts.fix_origin(store, Origin.RECORDED)
    facts.fix_origin(store, Origin.RECORDED)
    with pytest.raises(OriginMismatch, match="recorded data and the exchange serves live data"):
        facts.fix_origin(store, Origin.LIVE)
    assert facts.origin(store) is Origin.RECORDED


def test_the_clock_reading_reads_back_exactly(store: Store) -> None:
    assert facts.clock_reading(store) is None
    reading = ClockReading(venue_ms=1_685_577_600_123, real_ms=1_795_000_000_456, speed=0.1 + 0.2)
    facts.save_clock(store, reading)
    assert facts.clock_reading(store) == reading
    facts.save_clock(store, None)
    assert facts.clock_reading(store) is None


def test_ping_tells_how_long_a_round_trip_takes(store: Store) -> None:
    assert 0 < store.ping() < 5
