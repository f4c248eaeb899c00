"""Indicators over a panel.

Each function gives float64 arrays `[M, C]`, NaN in the left pad, during the warm-up, and wherever
the formula divides zero by zero (a market that does not move has no RSI; a library that answers 0
there would call it oversold). With `last=n` only the last `n` columns are computed and returned,
`[M, n]`.

Where TA-Lib has the indicator it is used, row by row, and sees nothing but the row's finite
suffix: after one inner NaN its RSI is 0 for ever and its averages stay NaN. The others are NumPy
over all rows, each with its source (of these, TA-Lib has the Hull, volume-weighted and awesome
ones from 0.8 on; tests hold ours against them). Seeds are TA-Lib's: an exponential average starts
as the mean of its first period.
"""

from collections.abc import Callable, Iterator, Sequence
from math import isqrt

import numpy as np

from dantaro.analysis.panel import FloatArray, Panel
from dantaro.analysis.ta_lib import talib
from dantaro.analysis.windows import (
    highest,
    linear_mean,
    lowest,
    moving_mean,
    newest,
    weighted_sum,
)

STOCHASTIC_RSI_MEMORY = 17
"""RSI values before the newest that its stochastic needs: 13 for the range and 2 for each mean."""

_RANGE = ("high", "low", "close")
_RSI_NOISE = 1e-9  # two RSI values (0..100) closer than this differ by rounding only


def sma(panel: Panel, period: int, *, last: int | None = None) -> FloatArray:
    """Simple moving average of the close, in quote currency."""
    return _by_row(
        lambda close: talib.SMA(close, period), panel, ("close",), last=last, memory=period
    )


def ema(panel: Panel, period: int, *, last: int | None = None) -> FloatArray:
    """Exponential moving average of the close, in quote currency."""
    return _by_row(lambda close: talib.EMA(close, period), panel, ("close",), last=last)


def hull(panel: Panel, period: int = 9, *, last: int | None = None) -> FloatArray:
    """Hull moving average of the close, in quote currency.

    WMA(2 WMA(close, n / 2) - WMA(close, n), sqrt(n)), both divisions rounded down (A. Hull, 2005;
    the rounding is that of Pine's `ta.hma`).
    """
    smooth = isqrt(period)
    close = _recent(panel.close, last, period + smooth - 1)
    steep = 2.0 * linear_mean(close, period // 2) - linear_mean(close, period)
    return _finish(linear_mean(steep, smooth), last)


def vwma(panel: Panel, period: int = 20, *, last: int | None = None) -> FloatArray:
    """Volume-weighted moving average of the close, in quote currency; NaN where nothing was traded.

    SMA(close x volume) / SMA(volume) (Pine's `ta.vwma`).
    """
    close = _recent(panel.close, last, period)
    volume = _recent(panel.volume, last, period)
    ones = [1.0] * period
    return _finish(_divide(weighted_sum(close * volume, ones), weighted_sum(volume, ones)), last)


def ichimoku(
    panel: Panel, *, last: int | None = None
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Conversion line, base line, leading span A and leading span B, in quote currency.

    Middles of the highest high and the lowest low of 9, 26 and 52 candles; span A is the middle of
    conversion and base (G. Hosoda, 1969). The spans are given at the candle from which they are
    computed; a chart draws them 26 candles later.
    """
    high = _recent(panel.high, last, 52)
    low = _recent(panel.low, last, 52)
    conversion, base, span_b = (
        (highest(high, size) + lowest(low, size)) / 2.0 for size in (9, 26, 52)
    )
    span_a = (conversion + base) / 2.0
    return (
        _finish(conversion, last),
        _finish(base, last),
        _finish(span_a, last),
        _finish(span_b, last),
    )


def rsi(panel: Panel, period: int = 14, *, last: int | None = None) -> FloatArray:
    """Relative strength index, 0..100; NaN while the close has never moved."""
    values = _by_row(lambda close: talib.RSI(close, period), panel, ("close",), last=last)
    columns = panel.close.shape[1]
    # TA-Lib says 0 while nothing has moved, and also of a market that has only fallen.
    for row in np.flatnonzero((values == 0.0).any(axis=1)):
        close = panel.close[row, panel.start[row] :]
        moved = np.flatnonzero(close != close[0])
        first_move = int(panel.start[row]) + int(moved[0]) if moved.size else columns
        values[row, : max(0, first_move - columns + values.shape[1])] = np.nan
    return values


def stochastic(panel: Panel, *, last: int | None = None) -> tuple[FloatArray, FloatArray]:
    """%K and %D of the slow stochastic 14, 3, 3 with simple averages, 0..100.

    NaN where one of the 14-candle ranges behind the value is zero.
    """
    slow_k, slow_d = _by_row_pair(
        lambda high, low, close: talib.STOCH(
            high, low, close, fastk_period=14, slowk_period=3, slowd_period=3
        ),
        panel,
        _RANGE,
        last=last,
        memory=18,
    )
    span = _range(panel, 14, last=None if last is None else last + 4)
    flat = np.where(span == 0.0, np.nan, 0.0)
    width = slow_k.shape[1]
    slow_k += newest(moving_mean(flat, 3), width)
    slow_d += newest(moving_mean(flat, 5), width)
    return slow_k, slow_d


def stochastic_rsi(panel: Panel, *, last: int | None = None) -> tuple[FloatArray, FloatArray]:
    """%K and %D of the stochastic RSI 3, 3, 14, 14, 0..100.

    The stochastic of 14 RSI(14) values, smoothed by SMA 3 (%K) and again by SMA 3 (%D): T. Chande
    and S. Kroll, 1994, smoothed as in TradingView's `ta` library. NaN where the RSI stood still.
    """
    strength = rsi(panel, 14, last=None if last is None else last + STOCHASTIC_RSI_MEMORY)
    return stochastic_of_rsi(strength, last=last)


def stochastic_of_rsi(
    strength: FloatArray, *, last: int | None = None
) -> tuple[FloatArray, FloatArray]:
    """`stochastic_rsi` of known RSI(14) values `[M, >= last + STOCHASTIC_RSI_MEMORY]`."""
    low = lowest(strength, 14)
    span = highest(strength, 14) - low
    span[span < _RSI_NOISE] = 0.0
    percent_k = moving_mean(_divide(100.0 * (strength - low), span), 3)
    return _finish(percent_k, last), _finish(moving_mean(percent_k, 3), last)


def cci(panel: Panel, period: int = 20, *, last: int | None = None) -> FloatArray:
    """Commodity channel index; NaN where the typical price stood still for the whole period."""
    values = _by_row(
        lambda high, low, close: talib.CCI(high, low, close, period),
        panel,
        _RANGE,
        last=last,
        memory=period,
    )
    values[newest(_range(panel, period, last=last), values.shape[1]) == 0.0] = np.nan
    return values


def directional_movement(
    panel: Panel, period: int = 14, *, last: int | None = None
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Average directional index, +DI and -DI, each 0..100."""
    plus_di, minus_di = (
        _by_row(lambda high, low, close: side(high, low, close, period), panel, _RANGE, last=last)  # noqa: B023
        for side in (talib.PLUS_DI, talib.MINUS_DI)
    )
    return adx(panel, period, last=last), plus_di, minus_di


def adx(panel: Panel, period: int = 14, *, last: int | None = None) -> FloatArray:
    """Average directional index, 0..100."""
    return _by_row(
        lambda high, low, close: talib.ADX(high, low, close, period), panel, _RANGE, last=last
    )


def awesome(panel: Panel, *, last: int | None = None) -> FloatArray:
    """Awesome oscillator, in quote currency: SMA 5 less 34 of the middle (B. Williams, 1998)."""
    middle = (_recent(panel.high, last, 34) + _recent(panel.low, last, 34)) / 2.0
    return _finish(moving_mean(middle, 5) - moving_mean(middle, 34), last)


def momentum(panel: Panel, period: int = 10, *, last: int | None = None) -> FloatArray:
    """Close less the close `period` candles before, in quote currency."""
    close = _recent(panel.close, last, period + 1)
    width = close.shape[1]
    return _finish(close - newest(close, width, ago=period), last)


def macd(panel: Panel, *, last: int | None = None) -> tuple[FloatArray, FloatArray]:
    """MACD line (EMA 12 less EMA 26) and its signal (EMA 9 of the line), in quote currency.

    Both averages start as early as they can, as in Pine's `ta.macd`. TA-Lib's own MACD starts the
    short one together with the long one; that difference fades with (11/13)^n.
    """
    return _by_row_pair(_macd_row, panel, ("close",), last=last)


def williams_r(panel: Panel, period: int = 14, *, last: int | None = None) -> FloatArray:
    """Williams %R, -100..0; NaN where the range of the period is zero."""
    values = _by_row(
        lambda high, low, close: talib.WILLR(high, low, close, period),
        panel,
        _RANGE,
        last=last,
        memory=period,
    )
    values[newest(_range(panel, period, last=last), values.shape[1]) == 0.0] = np.nan
    return values


def bull_bear_power(
    panel: Panel, period: int = 13, *, last: int | None = None
) -> tuple[FloatArray, FloatArray]:
    """Bull power (high less EMA) and bear power (low less EMA), in quote (A. Elder, 1993)."""
    average = ema(panel, period, last=last)
    width = average.shape[1]
    return newest(panel.high, width) - average, newest(panel.low, width) - average


def ultimate(panel: Panel, *, last: int | None = None) -> FloatArray:
    """Ultimate oscillator 7, 14, 28, 0..100; NaN where the true range was zero for 7 candles."""
    values = _by_row(
        lambda high, low, close: talib.ULTOSC(high, low, close, 7, 14, 28),
        panel,
        _RANGE,
        last=last,
        memory=29,
    )
    values[newest(_range(panel, 7, last=last, with_previous_close=True), values.shape[1]) == 0] = (
        np.nan
    )
    return values


def atr(panel: Panel, period: int = 14, *, last: int | None = None) -> FloatArray:
    """Average true range, in quote currency."""
    return _by_row(
        lambda high, low, close: talib.ATR(high, low, close, period),
        panel,
        _RANGE,
        last=last,
    )


def _macd_row(close: FloatArray) -> tuple[FloatArray, FloatArray]:
    line = talib.EMA(close, 12) - talib.EMA(close, 26)
    signal = np.full(close.size, np.nan)
    if close.size > 25:
        signal[25:] = talib.EMA(line[25:], 9)
    return line, signal


def _range(
    panel: Panel, size: int, *, last: int | None, with_previous_close: bool = False
) -> FloatArray:
    """Highest high less lowest low of `size` candles; exactly zero where nothing moved."""
    before = size + int(with_previous_close)
    high, low = _recent(panel.high, last, before), _recent(panel.low, last, before)
    if with_previous_close:
        previous = newest(_recent(panel.close, last, before), high.shape[1], ago=1)
        high, low = np.maximum(high, previous), np.minimum(low, previous)
    return highest(high, size) - lowest(low, size)


def _divide(numerator: FloatArray, denominator: FloatArray) -> FloatArray:
    """The quotient, NaN where the denominator is zero."""
    result = np.full(numerator.shape, np.nan)
    np.divide(numerator, denominator, out=result, where=denominator != 0.0)
    return result


def _recent(values: FloatArray, last: int | None, size: int) -> FloatArray:
    """The columns that the last `last` results of a window of `size` candles need (None: all)."""
    return values if last is None else values[:, max(0, values.shape[1] - last - size + 1) :]


def _finish(values: FloatArray, last: int | None) -> FloatArray:
    return values if last is None else newest(values, last)


def _by_row(
    call: Callable[..., FloatArray],
    panel: Panel,
    inputs: Sequence[str],
    *,
    last: int | None,
    memory: int | None = None,
) -> FloatArray:
    """`call` on the finite suffix of each row; `memory` candles give one value (None: all)."""
    width, rows = _row_inputs(panel, inputs, last, memory)
    result = np.full((len(panel.markets), width), np.nan)
    for row, candles in rows:
        values = call(*candles)[-width:]
        result[row, width - values.size :] = values
    return result


def _by_row_pair(
    call: Callable[..., tuple[FloatArray, FloatArray]],
    panel: Panel,
    inputs: Sequence[str],
    *,
    last: int | None,
    memory: int | None = None,
) -> tuple[FloatArray, FloatArray]:
    """As `_by_row`, of calls that give two arrays."""
    width, rows = _row_inputs(panel, inputs, last, memory)
    first, second = np.full((2, len(panel.markets), width), np.nan)
    for row, candles in rows:
        one, other = call(*candles)
        filled = min(width, one.size)
        first[row, width - filled :] = one[-filled:]
        second[row, width - filled :] = other[-filled:]
    return first, second


def _row_inputs(
    panel: Panel, inputs: Sequence[str], last: int | None, memory: int | None
) -> tuple[int, Iterator[tuple[int, list[FloatArray]]]]:
    """How many columns are asked for, and each row that is not empty, with what of it is needed."""
    columns = panel.close.shape[1]
    width = columns if last is None else last
    begins = np.maximum(panel.start, columns - width - memory + 1 if memory else 0).tolist()
    arrays: list[FloatArray] = [getattr(panel, name) for name in inputs]
    rows = (
        (row, [array[row, begin:] for array in arrays])
        for row, begin in enumerate(begins)
        if begin < columns
    )
    return width, rows
