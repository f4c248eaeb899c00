"""From an exchange's recorded answer to exactly the rows that the store then holds."""

import json
from pathlib import Path
from typing import Any

import pytest

from dantaro.market.candles import Candle
from dantaro.market.markets import Market, Origin, Ticker
from dantaro.market.timeframes import parse_timeframe
from dantaro.pipeline.collect import CollectionPlan, collect_candles
from dantaro.pipeline.ranges import SETTLE_MS
from dantaro.storage.candles import gaps, read_candles
from dantaro.storage.catalogue import save_markets, save_tickers, stored_markets
from dantaro.storage.engine import Store
from dantaro.storage.facts import fix_origin
from venue_faults import always, venue_at

pytestmark = pytest.mark.recorded


def _binance(data: Path) -> str:
    path = data / "wire/nautilus/binance/spot/http_json/klines_response.json"
    return path.read_text(encoding="utf-8")


def _okx(data: Path) -> str:
    path = data / "wire/nautilus/okx/http_get_candlesticks.json"
    return path.read_text(encoding="utf-8")


def _upbit(data: Path) -> str:
    loaded: Any = json.loads((data / "wire/ccxt_static/upbit.json").read_text(encoding="utf-8"))
    return json.dumps(loaded["methods"]["fetchOHLCV"][0]["httpResponse"])


JOURNEYS = {
    "binance": (
        _binance,
        Market("binance", "ETH/BTC", "ETH", "BTC", "ETHBTC"),
        "1h",
        [Candle(1499040000000, 0.01634790, 0.8, 0.01575800, 0.01577100, 148976.11427815)],
    ),
    "okx": (
        _okx,
        Market("okx", "BTC/USDT", "BTC", "USDT", "BTC-USDT"),
        "1m",
        [
            Candle(1625097600000, 33528.6, 33870.0, 33528.6, 33783.9, 778.838),
            Candle(1625097660000, 33783.9, 33783.9, 33782.1, 33782.1, 0.123),
        ],
    ),
    "upbit": (
        _upbit,
        Market("upbit", "BTC/USDT", "BTC", "USDT", "USDT-BTC"),
        "1h",
        [Candle(1710327600000, 72738.58583492, 73578.657, 72738.58583492, 73578.655, 0.02284923)],
    ),
}


@pytest.mark.parametrize("exchange", list(JOURNEYS))
async def test_a_recorded_answer_becomes_exactly_these_rows(
    store: Store, recorded_data: Path, exchange: str
) -> None:
    read, market, name, expected = JOURNEYS[exchange]
    timeframe = parse_timeframe(name)
    now_ms = expected[-1].opened_at_ms + timeframe.milliseconds + 600_000
    fix_origin(store, Origin.RECORDED)
    save_markets(store, exchange, [market], at_ms=now_ms)
    ticker = Ticker(exchange, market.symbol, 1.0, None, 1.0, now_ms)
    save_tickers(store, [ticker], collected_at_ms=now_ms)
    plan = CollectionPlan.of(
        quotes=(market.quote,),
        universe_size=1,
        timeframes=(timeframe,),
        hourly_days=1,
        daily_days=1,
    )
    async with venue_at(exchange, always(read(recorded_data))) as venue:
        outcome = await collect_candles(
            venue, store, plan, origin=Origin.RECORDED, now_ms=lambda: now_ms
        )
    (stored,) = stored_markets(store)
    assert list(read_candles(store, stored.id, timeframe, limit=2000)) == expected
    assert outcome.counts["candles_stored"] == len(expected)
    assert outcome.counts["failed"] == 0
    last = expected[-1].opened_at_ms + timeframe.milliseconds
    # What follows the last recorded candle is missing, and said to be once it cannot be late.
    missing = [(gap.start_ms, gap.end_ms) for gap in gaps(store, limit=9)]
    end = timeframe.floor(now_ms - SETTLE_MS)
    assert missing == ([(last, end)] if last < end else [])
