"""Small recorded worlds for the tests of the evaluation: seeded walks with a known effect in them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from dantaro.analysis.panel import FloatArray, Series
from dantaro.market.markets import Market
from dantaro.market.timeframes import DAILY, DAY_MS, Timeframe
from dantaro.research.recordings import Recording

FIRST_MS = 1_640_995_200_000  # 2022-01-01 00:00 UTC


def closes(markets: int, days: int, *, seed: int = 1, reversal: float = 0.3) -> FloatArray:
    """float64[markets, days]: walks in which `reversal` of yesterday's own move is given back."""
    generator = np.random.Generator(np.random.PCG64(seed))
    shocks = generator.normal(size=(markets, days)) * generator.uniform(0.02, 0.06, (markets, 1))
    moves = shocks.copy()
    for day in range(1, days):
        moves[:, day] -= reversal * moves[:, day - 1]
    start = generator.uniform(1.5, 200.0, (markets, 1))
    found: FloatArray = start * np.exp(np.cumsum(moves, axis=1))
    return found


def daily_series(close: FloatArray, *, first_ms: int = FIRST_MS, seed: int = 2) -> Series:
    """Daily candles that open at the close before; wicks and volumes are drawn."""
    generator = np.random.Generator(np.random.PCG64(seed))
    opened = np.concatenate((close[:1], close[:-1]))
    high = np.maximum(opened, close) * (1 + generator.uniform(0, 0.01, close.size))
    low = np.minimum(opened, close) * (1 - generator.uniform(0, 0.01, close.size))
    volume = 1e6 * np.exp(generator.normal(size=close.size) * 0.4) / close
    times = first_ms + DAY_MS * np.arange(close.size, dtype=np.int64)
    return Series(times, opened, high, low, close, volume)


def symbols(markets: int) -> list[str]:
    return [f"C{number:03d}/USDT" for number in range(markets)]


def a_world(markets: int, days: int, *, seed: int = 1, reversal: float = 0.3) -> dict[str, Series]:
    """Daily series by symbol."""
    walks = closes(markets, days, seed=seed, reversal=reversal)
    return {
        symbol: daily_series(walk, seed=seed + number)
        for number, (symbol, walk) in enumerate(zip(symbols(markets), walks, strict=True), start=1)
    }


def a_recording(
    series: Mapping[str, Series],
    *,
    name: str = "walks",
    exchange: str = "binance",
    timeframe: Timeframe = DAILY,
) -> Recording:
    markets = [
        Market(exchange, symbol, symbol.partition("/")[0], symbol.partition("/")[2], symbol)
        for symbol in sorted(series)
    ]
    return Recording(
        name=name,
        file=f"{name}.parquet",
        sha256="0" * 64,
        exchange=exchange,
        timeframe=timeframe,
        quote="USDT",
        markets=tuple(markets),
        series={market.key: series[market.symbol] for market in markets},
        rows=sum(candles.opened_at_ms.size for candles in series.values()),
        rejected={},
        first_rejected="",
        duplicates=0,
    )


def table(
    series: Mapping[str, Series], *, exchange: str = "binance", timeframe: str = "1d"
) -> dict[str, list[Any]]:
    """The columns of a parquet file with these candles."""
    columns: dict[str, list[Any]] = {name: [] for name in ("exchange", "symbol", "timeframe", "ts")}
    columns |= {name: [] for name in ("open", "high", "low", "close", "volume")}
    for symbol, candles in series.items():
        size = candles.opened_at_ms.size
        columns["exchange"] += [exchange] * size
        columns["symbol"] += [symbol] * size
        columns["timeframe"] += [timeframe] * size
        columns["ts"] += candles.opened_at_ms.tolist()
        for name in ("open", "high", "low", "close", "volume"):
            columns[name] += getattr(candles, name).tolist()
    return columns


def write(path: Path, columns: Mapping[str, Sequence[Any]]) -> Path:
    pq.write_table(pa.table(dict(columns)), path)
    return path
