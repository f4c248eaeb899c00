"""Candles in columns equal the candles one by one, on both databases."""

import numpy as np

from dantaro.market.candles import Candle
from dantaro.market.timeframes import DAILY, HOUR_MS, HOURLY
from dantaro.storage.candles import read_candles, upsert_many
from dantaro.storage.engine import Store
from dantaro.storage.panels import load_columns

START = 1_698_796_800_000 - 100 * HOUR_MS  # 2023-11-01 less 100 hours: two months


def series(seed: int, length: int) -> list[Candle]:
    draw = np.random.default_rng(seed)
    return [
        Candle(START + i * HOUR_MS, *(float(x) for x in draw.random(5) + 0.1))
        for i in range(length)
    ]


def test_columns_equal_the_rows_bit_by_bit(store: Store) -> None:
    # Written in an order that is neither by market nor by time.
    for market_id in (7, 3, 5):
        upsert_many(store, HOURLY, {market_id: series(market_id, 200)[::-1]})
    loaded = load_columns(
        store,
        HOURLY,
        market_ids=[3, 7, 9],
        start_ms=START + 10 * HOUR_MS,
        end_ms=START + 190 * HOUR_MS,
    )
    assert set(loaded) == {3, 7}
    for market_id, columns in loaded.items():
        rows = read_candles(
            store,
            market_id,
            HOURLY,
            start_ms=START + 10 * HOUR_MS,
            end_ms=START + 190 * HOUR_MS,
            limit=999,
        )
        assert len(rows) == 180
        assert columns.opened_at_ms.dtype == np.int64
        assert columns.opened_at_ms.tolist() == [row.opened_at_ms for row in rows]
        for name in ("open", "high", "low", "close", "volume"):
            column = getattr(columns, name)
            assert column.dtype == np.float64
            assert column.flags.c_contiguous
            assert column.tolist() == [getattr(row, name) for row in rows]


def test_nothing_stored_gives_nothing(store: Store) -> None:
    assert load_columns(store, DAILY, market_ids=[1], start_ms=0, end_ms=2**60) == {}
    assert load_columns(store, "1h", market_ids=[], start_ms=0, end_ms=2**60) == {}
