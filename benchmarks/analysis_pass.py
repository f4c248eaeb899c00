"""Whole analysis passes in a process of its own: `python -m benchmarks.analysis_pass MARKETS HOURS DAYS`.

Prints JSON: the peak memory of one pass, then CPU seconds of each step (the least of the repetitions, as
other programs run beside it) and of the bare TA-Lib calls that a pass needs.
"""

import gc
import json
import resource
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks import world
from dantaro.analysis import engine
from dantaro.analysis.panel import aggregate
from dantaro.analysis.ta_lib import talib
from dantaro.market.documents import Document, encode
from dantaro.market.timeframes import FOUR_HOURLY

_REPETITIONS_SECONDS = 8.0
_SMA: Any = 0  # TA-Lib's number for a simple moving average


def main(markets: int, hours: int, days: int) -> dict[str, float]:
    """Measure passes over `markets` markets x (`hours` hourly + `days` daily) candles."""
    inputs = world.inputs(markets=markets, hours=hours, days=days)
    parameters = engine.Parameters(universe_size=markets, hourly_candles=hours, daily_candles=days)
    now_ms = world.NOW_MS
    before = _rss_mb()
    panels = engine.build_panels(inputs, parameters, now_ms=now_ms)
    prepared = engine.prepare(inputs, parameters, now_ms=now_ms, panels=panels)

    def recommend_and_encode() -> None:
        found = engine.recommend(inputs, parameters, now_ms=now_ms, prepared=prepared)
        _encode(found.recommendations, found.ratings, found.exclusions, found.prices)

    def levels_and_encode() -> None:
        _encode(engine.find_levels(inputs, parameters, now_ms=now_ms, prepared=prepared))

    def status_and_encode() -> None:
        _encode(*engine.read_market(inputs, parameters, now_ms=now_ms, prepared=prepared))

    parts = {
        "recommend": recommend_and_encode,
        "levels": levels_and_encode,
        "status": status_and_encode,
    }
    for part in parts.values():
        part()
    memory = {"inputs_rss_mb": before, "peak_rss_mb": _rss_mb()}
    candles: dict[str, Callable[[], object]] = {
        "panels": lambda: engine.build_panels(inputs, parameters, now_ms=now_ms),
        "prepare": lambda: engine.prepare(inputs, parameters, now_ms=now_ms, panels=panels),
    }
    figures = {name: _cpu_seconds(step) for name, step in {**candles, **parts}.items()}
    return {
        **figures,
        "whole_pass": sum(figures.values()),
        "bare_talib": _cpu_seconds(lambda: _bare_talib(panels)),
        **memory,
    }


def _encode(*documents: Document | None) -> None:
    for document in documents:
        if document is not None:
            encode(document)


def _rss_mb() -> float:
    """The peak so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _cpu_seconds(step: Callable[[], object]) -> float:
    times: list[float] = []
    while len(times) < 2 or (len(times) < 5 and sum(times) < _REPETITIONS_SECONDS):
        gc.collect()
        began = time.process_time()
        step()
        times.append(time.process_time() - began)
    return min(times)


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
    sys.stdout.write(json.dumps(main(*map(int, sys.argv[1:4]))))
