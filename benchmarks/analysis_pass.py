"""One whole analysis pass in a process of its own: `python -m benchmarks.analysis_pass MARKETS`.

Prints JSON: seconds of each step (median of the repetitions), of the bare TA-Lib calls that the pass
needs, and the process' peak memory.
"""

import json
import resource
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import talib

from benchmarks import world
from dantaro.analysis import engine
from dantaro.analysis.panel import aggregate
from dantaro.market.documents import encode
from dantaro.market.timeframes import FOUR_HOURLY

_HOURS, _DAYS, _REPETITIONS = 2160, 400, 5
_SMA: Any = 0  # TA-Lib's number for a simple moving average


def main(markets: int) -> dict[str, float]:
    """Measure a pass over `markets` markets x (2,160 hourly + 400 daily) candles."""
    inputs = world.inputs(markets=markets, hours=_HOURS, days=_DAYS)
    parameters = engine.Parameters(universe_size=markets)
    now_ms = world.NOW_MS
    panels = engine.build_panels(inputs, parameters, now_ms=now_ms)
    prepared = engine.prepare(inputs, parameters, now_ms=now_ms, panels=panels)

    def publishable() -> None:
        found = engine.recommend(inputs, parameters, now_ms=now_ms, prepared=prepared)
        for document in (found.recommendations, found.ratings, found.exclusions, found.prices):
            if document is not None:
                encode(document)

    steps: dict[str, Callable[[], object]] = {
        "panels": lambda: engine.build_panels(inputs, parameters, now_ms=now_ms),
        "prepare": lambda: engine.prepare(inputs, parameters, now_ms=now_ms, panels=panels),
        "recommend_and_encode": publishable,
        "levels": lambda: engine.find_levels(inputs, parameters, now_ms=now_ms, prepared=prepared),
        "market_status": lambda: engine.read_market(
            inputs, parameters, now_ms=now_ms, prepared=prepared
        ),
    }
    figures = {name: _median_seconds(step) for name, step in steps.items()}
    figures["whole_pass"] = sum(figures.values())
    figures["bare_talib"] = _median_seconds(lambda: _bare_talib(panels))
    figures["peak_rss_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return figures


def _median_seconds(step: Callable[[], object]) -> float:
    times = []
    for _ in range(_REPETITIONS):
        began = time.perf_counter()
        step()
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def _bare_talib(panels: engine.Panels) -> None:
    """The TA-Lib calls that a pass cannot do without: the rating's, on each timeframe."""
    for panel in (panels.hourly, aggregate(panels.hourly, FOUR_HOURLY), panels.daily):
        for row in range(len(panel.markets)):
            begin = panel.start[row]
            high, low = panel.high[row, begin:], panel.low[row, begin:]
            close, volume = panel.close[row, begin:], panel.volume[row, begin:]
            for period in (10, 20, 30, 50, 100, 200):
                talib.SMA(close, period)
                talib.EMA(close, period)
            for half in (4, 9):
                talib.WMA(close, half)
            talib.SMA(close * volume, 20)
            for period in (9, 26, 52):
                talib.MAX(high, period)
                talib.MIN(low, period)
            talib.RSI(close, 14)
            talib.STOCH(high, low, close, 14, 3, _SMA, 3, _SMA)
            talib.CCI(high, low, close, 20)
            talib.ADX(high, low, close, 14)
            talib.PLUS_DI(high, low, close, 14)
            talib.MINUS_DI(high, low, close, 14)
            talib.SMA((high + low) / 2, 5)
            talib.SMA((high + low) / 2, 34)
            talib.MOM(close, 10)
            talib.MACD(close, 12, 26, 9)
            talib.WILLR(high, low, close, 14)
            talib.EMA(close, 13)
            talib.ULTOSC(high, low, close, 7, 14, 28)
            talib.ATR(high, low, close, 14)


if __name__ == "__main__":
    np.seterr(all="ignore")
    sys.stdout.write(json.dumps(main(int(sys.argv[1]))))
