"""Small markets for the tests of the analysis: by hand, or seeded random walks."""

from collections.abc import Sequence

import numpy as np

from dantaro.analysis.engine import Inputs
from dantaro.analysis.panel import Panel, Series, build_panel
from dantaro.market.markets import Market, Ticker
from dantaro.market.timeframes import DAILY, DAY_MS, HOUR_MS, HOURLY, Timeframe

MIDNIGHT_MS = 1_700_006_400_000  # Wednesday 2023-11-15 00:00 UTC
NOW_MS = MIDNIGHT_MS + 7 * HOUR_MS + 60_000


def a_market(
    coin: str,
    exchange: str = "okx",
    quote: str = "USDT",
    *,
    flags: tuple[str, ...] = (),
    listed: bool = True,
) -> Market:
    return Market(exchange, f"{coin}/{quote}", coin, quote, f"{coin}-{quote}", flags, listed)


def candles(
    closes: Sequence[float],
    *,
    timeframe: Timeframe = DAILY,
    end_ms: int = MIDNIGHT_MS,
    volumes: Sequence[float] | float = 1000.0,
    opens: Sequence[float] | None = None,
) -> Series:
    """Consecutive candles that end at `end_ms`; each opens at the close before, no wicks."""
    close = np.array(closes, dtype=np.float64)
    opened = np.concatenate((close[:1], close[:-1])) if opens is None else np.array(opens, float)
    times = end_ms - timeframe.milliseconds * np.arange(close.size, 0, -1, dtype=np.int64)
    volume = np.broadcast_to(np.asarray(volumes, dtype=np.float64), close.shape).copy()
    return Series(
        times, opened, np.maximum(opened, close), np.minimum(opened, close), close, volume
    )


def without(series: Series, *places: int) -> Series:
    """The series with the candles at `places` missing."""
    keep = np.delete(np.arange(series.opened_at_ms.size), places)
    return Series(
        series.opened_at_ms[keep],
        series.open[keep],
        series.high[keep],
        series.low[keep],
        series.close[keep],
        series.volume[keep],
    )


def a_panel(
    series: dict[str, Series], *, timeframe: Timeframe = DAILY, now_ms: int = NOW_MS, candles: int
) -> Panel:
    """The panel of `exchange:COIN/QUOTE` -> candles."""
    return build_panel(
        [market_of(key) for key in series], series, timeframe, now_ms=now_ms, candles=candles
    )


def market_of(key: str) -> Market:
    exchange, symbol = key.split(":")
    base, quote = symbol.split("/")
    return a_market(base, exchange, quote)


def a_walk(seed: int, count: int, *, price: float = 1.0, volatility: float = 0.01) -> Series:
    """A seeded random walk of hourly candles with wicks, ending at the last hour before `NOW_MS`."""
    rng = np.random.default_rng(seed)
    close = price * np.exp(np.cumsum(rng.normal(0, volatility, count)))
    opened = np.concatenate((close[:1], close[:-1]))
    high = np.maximum(opened, close) * (1 + np.abs(rng.normal(0, volatility / 2, count)))
    low = np.minimum(opened, close) * (1 - np.abs(rng.normal(0, volatility / 2, count)))
    volume = 1e5 * rng.lognormal(0, 1, count) / price
    end_ms = HOURLY.floor(NOW_MS)
    times = end_ms - HOUR_MS * np.arange(count, 0, -1, dtype=np.int64)
    return Series(times, opened, high, low, close, volume)


def days_of(hourly: Series) -> Series:
    """The whole UTC days of hourly candles without a hole."""
    first = int(-(-hourly.opened_at_ms[0] // DAY_MS) * DAY_MS - hourly.opened_at_ms[0]) // HOUR_MS
    count = (hourly.opened_at_ms.size - first) // 24
    part, shape = slice(first, first + 24 * count), (count, 24)
    return Series(
        hourly.opened_at_ms[part][::24].copy(),
        hourly.open[part][::24].copy(),
        hourly.high[part].reshape(shape).max(axis=1),
        hourly.low[part].reshape(shape).min(axis=1),
        hourly.close[part][23::24].copy(),
        hourly.volume[part].reshape(shape).sum(axis=1),
    )


def a_world(coins: int = 12, *, days: int = 95, seed: int = 1) -> Inputs:
    """Coins on okx against USDT and on upbit against KRW (1,300 a dollar), with BTC and ETH, hourly
    and daily candles, and tickers; and upbit's USDT/KRW, of which only the ticker is known.
    """
    names = ["BTC", "ETH", *(f"C{number:02}" for number in range(coins - 2))]
    markets, hourly, daily, tickers = [], {}, {}, {}
    for place, name in enumerate(names):
        walk = a_walk(
            seed * 1000 + place,
            days * 24 + 7,
            price=10.0 + place,
            volatility=0.004 + 0.0005 * place,
        )
        for exchange, quote, rate in (("okx", "USDT", 1.0), ("upbit", "KRW", 1313.0)):
            market = a_market(name, exchange, quote)
            own = Series(
                walk.opened_at_ms,
                rate * walk.open,
                rate * walk.high,
                rate * walk.low,
                rate * walk.close,
                walk.volume * (1.0 + 0.1 * place if exchange == "okx" else 0.8),
            )
            markets.append(market)
            hourly[market.key], daily[market.key] = own, days_of(own)
            tickers[market.key] = _ticker(market, own)
    peg = a_market("USDT", "upbit", "KRW")
    tickers[peg.key] = Ticker("upbit", peg.symbol, 1300.0, 0.0, 1e9, NOW_MS)
    return Inputs((*markets, peg), tickers, hourly, daily)


def _ticker(market: Market, hourly: Series) -> Ticker:
    close, volume = hourly.close, hourly.volume
    turnover = float((close * volume)[-24:].sum())
    change = float(close[-1] / close[-25] - 1)
    return Ticker(market.exchange, market.symbol, float(close[-1]), change, turnover, NOW_MS)
