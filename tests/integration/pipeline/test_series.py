from collections.abc import Sequence

import numpy as np
import pytest

from dantaro.analysis.panel import Series
from dantaro.market.candles import Candle, Validated
from dantaro.market.timeframes import DAY_MS, HOUR_MS, HOURLY
from dantaro.pipeline import series
from dantaro.pipeline.series import CandleMemory
from dantaro.storage.candles import store_page, upsert_candles
from dantaro.storage.catalogue import stored_markets
from dantaro.storage.engine import Store
from dantaro.storage.panels import load_columns
from scripted_venue import NOW, ScriptedVenue, rows_of

CANDLES = [Candle(*row) for row in rows_of(HOURLY, count=100)]  # type: ignore[arg-type]  # sound rows
END = HOURLY.floor(NOW)


@pytest.fixture
def market_ids(store: Store) -> list[int]:
    ScriptedVenue().put_into(store, ["BTC/KRW", "ETH/KRW"])
    return [stored.id for stored in stored_markets(store)]


def _put(
    store: Store, market_id: int, first: int, last: int, *, without: Sequence[int] = ()
) -> None:
    """Store the candles from place `first` up to `last` as one page, but not those at `without`."""
    _put_page(store, market_id, [CANDLES[i] for i in range(first, last) if i not in without])


def _put_page(store: Store, market_id: int, candles: Sequence[Candle]) -> None:
    accepted = tuple(candles)
    store_page(
        store,
        market_id,
        HOURLY,
        start_ms=accepted[0].opened_at_ms,
        end_ms=accepted[-1].opened_at_ms + HOUR_MS,
        validated=Validated(accepted, (), 0),
        recorded_at_ms=NOW,
    )


def _equals_store(store: Store, found: dict[int, Series], *, since_ms: int) -> bool:
    stored = load_columns(
        store, HOURLY, market_ids=list(found), start_ms=since_ms, end_ms=END + DAY_MS
    )
    names = ("opened_at_ms", "open", "high", "low", "close", "volume")
    return found.keys() == stored.keys() and all(
        np.array_equal(getattr(found[i], name), getattr(stored[i], name))
        for i in found
        for name in names
    )


def test_new_candles_are_added_to_what_is_held_and_old_ones_leave(
    store: Store, market_ids: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    loads: list[int] = []

    def counting(*arguments: object, start_ms: int, end_ms: int, **named: object) -> object:
        loads.append((end_ms - start_ms) // HOUR_MS)
        return load_columns(*arguments, start_ms=start_ms, end_ms=end_ms, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(series, "load_columns", counting)
    memory = CandleMemory(store, HOURLY, candles=50)
    for market_id in market_ids:
        _put(store, market_id, 0, 96)
    memory.refresh(market_ids, now_ms=END - 4 * HOUR_MS)
    for step in range(4):
        for market_id in market_ids:
            _put(store, market_id, 96 + step, 97 + step)
        now_ms = END - (3 - step) * HOUR_MS
        found = dict(memory.refresh(market_ids, now_ms=now_ms))
        assert _equals_store(store, found, since_ms=now_ms - 50 * HOUR_MS)
        assert found[market_ids[0]].opened_at_ms.size == 50
    assert loads == [50, 2, 2, 2, 2]


def test_nothing_is_read_and_the_revision_stands_while_nothing_changes(
    store: Store, market_ids: list[int]
) -> None:
    memory = CandleMemory(store, HOURLY, candles=50)
    _put(store, market_ids[0], 50, 100)
    first = memory.refresh(market_ids, now_ms=NOW)
    revision = memory.revision
    second = memory.refresh(market_ids, now_ms=NOW + 1000)
    assert memory.revision == revision
    assert second[market_ids[0]] is first[market_ids[0]]
    assert list(second) == [market_ids[0]]


def test_candles_that_are_back_filled_before_what_is_held_are_seen(
    store: Store, market_ids: list[int]
) -> None:
    memory = CandleMemory(store, HOURLY, candles=90)
    _put(store, market_ids[0], 60, 100)
    memory.refresh(market_ids, now_ms=NOW)
    _put(store, market_ids[0], 20, 60)
    found = dict(memory.refresh(market_ids, now_ms=NOW))
    assert found[market_ids[0]].opened_at_ms.size == 80
    assert _equals_store(store, found, since_ms=0)


@pytest.mark.parametrize("place", [60, 70, 99])
def test_a_candle_that_one_worker_corrects_is_seen_by_the_other(
    store: Store, market_ids: list[int], place: int
) -> None:
    memories = [CandleMemory(store, HOURLY, candles=90) for _ in range(2)]
    for market_id in market_ids:
        _put(store, market_id, 60, 100)
    for memory in memories:
        memory.refresh(market_ids, now_ms=NOW)
    _put_page(store, market_ids[0], [CANDLES[place]._replace(close=CANDLES[place].high)])
    for memory in memories:
        revision = memory.revision
        found = dict(memory.refresh(market_ids, now_ms=NOW))
        assert found[market_ids[0]].close[place - 60] == CANDLES[place].high
        assert _equals_store(store, found, since_ms=0)
        assert memory.revision == revision + 1


def test_a_gap_that_one_worker_repairs_while_candles_are_added_is_seen_by_the_other(
    store: Store, market_ids: list[int]
) -> None:
    memories = [CandleMemory(store, HOURLY, candles=90) for _ in range(2)]
    _put(store, market_ids[0], 60, 98, without=[75, 76])
    for memory in memories:
        memory.refresh(market_ids, now_ms=NOW)
    _put(store, market_ids[0], 98, 99)
    assert memories[0].refresh(market_ids, now_ms=NOW)[market_ids[0]].opened_at_ms.size == 37
    _put(store, market_ids[0], 75, 77)
    _put(store, market_ids[0], 99, 100)
    for memory in memories:
        found = dict(memory.refresh(market_ids, now_ms=NOW))
        assert found[market_ids[0]].opened_at_ms.size == 40
        assert _equals_store(store, found, since_ms=0)


def test_everything_is_read_anew_with_the_next_day(store: Store, market_ids: list[int]) -> None:
    memory = CandleMemory(store, HOURLY, candles=90)
    _put(store, market_ids[0], 60, 100)
    memory.refresh(market_ids, now_ms=NOW)
    changed = CANDLES[90]._replace(close=CANDLES[90].high)
    upsert_candles(store, market_ids[0], HOURLY, [changed])
    found = dict(memory.refresh(market_ids, now_ms=NOW + DAY_MS))
    assert _equals_store(store, found, since_ms=NOW + DAY_MS - 90 * HOUR_MS)


def test_a_market_that_is_no_longer_wanted_is_let_go(store: Store, market_ids: list[int]) -> None:
    memory = CandleMemory(store, HOURLY, candles=90)
    for market_id in market_ids:
        _put(store, market_id, 60, 100)
    memory.refresh(market_ids, now_ms=NOW)
    revision = memory.revision
    assert list(memory.refresh(market_ids[1:], now_ms=NOW)) == market_ids[1:]
    assert memory.revision == revision + 1
