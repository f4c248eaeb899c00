"""A seeded random market of any size, as inputs of the analysis."""

import numpy as np

from dantaro.analysis.engine import Inputs
from dantaro.analysis.panel import Series
from dantaro.market.markets import Market, Ticker
from dantaro.market.timeframes import DAILY, HOURLY, Timeframe

NOW_MS = 1_760_000_400_000
"""A moment seven minutes after an hour's close."""


def inputs(*, markets: int, hours: int, days: int, seed: int = 7) -> Inputs:
    """`markets` USDT markets with `hours` hourly and `days` daily candles each, none missing."""
    rng = np.random.default_rng(seed)
    listed = tuple(
        Market("binance", f"C{row:05d}/USDT", f"C{row:05d}", "USDT", f"C{row:05d}USDT")
        for row in range(markets)
    )
    prices = np.exp(rng.normal(1.0, 2.0, markets))
    hourly = {m.key: _walk(rng, HOURLY, hours, p) for m, p in zip(listed, prices, strict=True)}
    daily = {m.key: _walk(rng, DAILY, days, p) for m, p in zip(listed, prices, strict=True)}
    tickers = {
        market.key: Ticker(
            "binance", market.symbol, float(price), 0.01, float(1e6 * (1 + row)), NOW_MS
        )
        for row, (market, price) in enumerate(zip(listed, prices, strict=True))
    }
    return Inputs(listed, tickers, hourly, daily)


def _walk(rng: np.random.Generator, timeframe: Timeframe, count: int, price: float) -> Series:
    last_ms = timeframe.last_closed(now_ms=NOW_MS)
    opened = last_ms - timeframe.milliseconds * np.arange(count - 1, -1, -1, dtype=np.int64)
    scale = 0.008 * np.sqrt(timeframe.milliseconds / HOURLY.milliseconds)
    close = price * np.exp(np.cumsum(scale * rng.standard_t(4, count)))
    close *= price / close[-1]
    before = np.concatenate((close[:1], close[:-1]))
    high = np.maximum(before, close) * (1 + scale * np.abs(rng.normal(0, 0.5, count)))
    low = np.minimum(before, close) * (1 - scale * np.abs(rng.normal(0, 0.5, count)) / 2)
    volume = rng.lognormal(0, 1, count) * 2e6 / price
    return Series(opened, before, high, low, close, volume)
