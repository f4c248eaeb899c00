"""Every candle exactly once, against servers that speak each exchange's documented endpoint."""

import itertools
import random
import time
from collections import Counter

import pytest

from dantaro.market.candles import validate_candles
from dantaro.market.markets import Market
from dantaro.market.timeframes import DAILY, HOURLY, Timeframe, parse_timeframe
from dantaro.venues.venue import CandlePage
from venue_faults import venue_at
from venue_speech import Candles, speaking

FIVE_MINUTES = parse_timeframe("5m")
NATIVE = ["binance", "bybit", "gate", "okx", "upbit"]
SEOUL = ["bithumb", "coinone"]
NAMES = {
    "binance": "BTCUSDT",
    "bithumb": "KRW-BTC",
    "bybit": "BTCUSDT",
    "coinone": "KRW-BTC",
    "gate": "BTC_USDT",
    "okx": "BTC-USDT",
    "upbit": "KRW-BTC",
}


def market_of(exchange: str) -> Market:
    quote = "KRW" if exchange in ("bithumb", "coinone", "upbit") else "USDT"
    return Market(exchange, f"BTC/{quote}", "BTC", quote, NAMES[exchange])


def some_candles(timeframe: Timeframe, slots: int, *, share: float, seed: int) -> Candles:
    """`share` of the last `slots` closed slots, each candle distinguishable from every other."""
    chance = random.Random(seed)
    last = timeframe.last_closed(now_ms=int(time.time() * 1000))
    opened = [last - back * timeframe.milliseconds for back in range(slots)]
    return {
        at: (100.0 + i, 101.5 + i, 99.25 + i, 100.125 + i, 0.1 * (i + 1))
        for i, at in enumerate(opened)
        if chance.random() < share
    }


async def fetch(
    exchange: str,
    timeframe: Timeframe,
    candles: Candles,
    start_ms: int,
    end_ms: int,
    *,
    inclusive: bool = False,
) -> list[CandlePage]:
    async with venue_at(exchange, speaking(exchange, candles, inclusive=inclusive)) as venue:
        stream = venue.candles(market_of(exchange), timeframe, start_ms=start_ms, end_ms=end_ms)
        return [page async for page in stream]


def assert_pages_tile(pages: list[CandlePage], start_ms: int, end_ms: int) -> None:
    covered = sorted((page.start_ms, page.end_ms) for page in pages)
    assert covered[0][0] == start_ms
    assert covered[-1][1] == end_ms
    assert all(before[1] == after[0] for before, after in itertools.pairwise(covered))


@pytest.mark.parametrize("share", [1.0, 0.4, 0.01], ids=["dense", "sparse", "almost silent"])
@pytest.mark.parametrize("timeframe", [HOURLY, FIVE_MINUTES, DAILY], ids=str)
@pytest.mark.parametrize("exchange", NATIVE)
async def test_every_candle_is_fetched_exactly_once(
    exchange: str, timeframe: Timeframe, share: float
) -> None:
    candles = some_candles(timeframe, 2_345, share=share, seed=7)
    start_ms = min(candles) + 3 * timeframe.milliseconds
    end_ms = max(candles) - 2 * timeframe.milliseconds
    pages = await fetch(exchange, timeframe, candles, start_ms, end_ms)
    assert_pages_tile(pages, start_ms, end_ms)
    rows = Counter(row for page in pages for row in page.rows)
    expected = {(at, *figures) for at, figures in candles.items() if start_ms <= at < end_ms}
    assert rows == Counter(expected)


@pytest.mark.parametrize("inclusive", [True, False])
@pytest.mark.parametrize("share", [1.0, 0.4, 0.01])
@pytest.mark.parametrize("exchange", SEOUL)
async def test_every_candle_is_fetched_once_whether_or_not_the_upper_end_is_included(
    exchange: str, share: float, *, inclusive: bool
) -> None:
    candles = some_candles(HOURLY, 2_345, share=share, seed=8)
    start_ms, end_ms = min(candles), max(candles)
    pages = await fetch(exchange, HOURLY, candles, start_ms, end_ms, inclusive=inclusive)
    assert_pages_tile(pages, start_ms, end_ms)
    assert pages[0].end_ms == end_ms  # newest first
    rows = Counter(row for page in pages for row in page.rows)
    assert rows == Counter((at, *figures) for at, figures in candles.items() if at < end_ms)


@pytest.mark.parametrize("inclusive", [True, False])
@pytest.mark.parametrize("exchange", SEOUL)
async def test_days_that_begin_in_seoul_are_built_from_hours(
    exchange: str, *, inclusive: bool
) -> None:
    candles = some_candles(HOURLY, 24 * 30, share=0.7, seed=9)
    start_ms, end_ms = DAILY.floor(min(candles)), DAILY.floor(max(candles))
    pages = await fetch(exchange, DAILY, candles, start_ms, end_ms, inclusive=inclusive)
    assert_pages_tile(pages, start_ms, end_ms)
    days: dict[int, list[int]] = {}
    for at in sorted(candles):
        if at < end_ms:
            days.setdefault(DAILY.floor(at), []).append(at)
    rows = {row[0]: row for page in pages for row in page.rows}
    assert sum(len(page.rows) for page in pages) == len(rows) == len(days)
    for day, hours in days.items():
        figures = [candles[at] for at in hours]
        assert rows[day] == (
            day,
            figures[0][0],
            max(high for _, high, _, _, _ in figures),
            min(low for _, _, low, _, _ in figures),
            figures[-1][3],
            pytest.approx(sum(volume for *_, volume in figures)),
        )


@pytest.mark.parametrize("exchange", NATIVE + SEOUL)
async def test_a_range_off_the_grid_is_covered_exactly_as_asked(exchange: str) -> None:
    candles = some_candles(HOURLY, 700, share=1.0, seed=10)
    start_ms, end_ms = min(candles) + 1_234, max(candles) + 4_321
    pages = await fetch(exchange, HOURLY, candles, start_ms, end_ms)
    assert_pages_tile(pages, start_ms, end_ms)
    rows = [row[0] for page in pages for row in page.rows]
    assert set(rows) >= {at for at in candles if start_ms <= at < end_ms}
    assert len(rows) == len(set(rows))


@pytest.mark.parametrize("exchange", NATIVE + SEOUL)
async def test_an_interval_without_a_trade_is_answered_by_an_empty_page(exchange: str) -> None:
    candles = some_candles(HOURLY, 10, share=1.0, seed=11)
    end_ms = min(candles) - 50 * HOURLY.milliseconds
    start_ms = end_ms - 30 * HOURLY.milliseconds
    pages = await fetch(exchange, HOURLY, candles, start_ms, end_ms)
    assert [(page.start_ms, page.end_ms, page.rows) for page in pages] == [(start_ms, end_ms, ())]


@pytest.mark.parametrize("exchange", NATIVE + SEOUL)
async def test_an_empty_range_asks_nothing(exchange: str) -> None:
    start_ms = 1_700_000_000_000 // HOURLY.milliseconds * HOURLY.milliseconds
    assert await fetch(exchange, HOURLY, {}, start_ms, start_ms) == []


@pytest.mark.parametrize("exchange", NATIVE + SEOUL)
async def test_rows_carry_binary64_figures_that_validation_accepts(exchange: str) -> None:
    at = HOURLY.last_closed(now_ms=int(time.time() * 1000)) - HOURLY.milliseconds
    figures = (0.1 + 0.2, 123456789.12345679, 1e-8, 0.30000000000000004, 5e-324)
    pages = await fetch(exchange, HOURLY, {at: figures}, at, at + HOURLY.milliseconds)
    (row,) = pages[0].rows
    assert row == (at, *figures)
    told = pages[0].venue_now_ms
    assert told is not None
    assert len(validate_candles([row], HOURLY, now_ms=told).accepted) == 1
