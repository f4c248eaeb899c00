"""The 26 votes of the technical rating: the rules, apart from the indicators that they judge.

They follow TradingView's `TechnicalRating` library, version 3 of 2024-11-29. Against the older
rules, which some help pages and `tradingview-ta` still have, it differs in four places: the
stochastic need not cross its signal in this very candle, ADX must rise instead of its lines
crossing, the Ichimoku vote looks at the order of all lines instead of a crossing, and an awesome
oscillator that leaves zero has crossed it. In one place ours differs from the library: it counts
a comparison with a value that does not exist yet as neutral, here it is no vote.

Every rule takes arrays of one shape and gives votes of that shape: -1 (sell), 0, +1 (buy), NaN
where a value it needs is NaN. `x_1` and `x_2` are the values of one and two candles before.

A difference below the rounding of sums is no difference: moving sums of a price that stands still
end a few units in the last place beside it, and would vote.
"""

from itertools import pairwise

import numpy as np

from dantaro.analysis.panel import BoolArray, FloatArray

_PRICE_NOISE = 1e-12  # of the close
_PERCENT_NOISE = 1e-9  # on scales of 0..100


def average_vote(average: FloatArray, close: FloatArray) -> FloatArray:
    """Buy while the close is above its average, sell below."""
    gap = close - average
    votes = np.where(np.abs(gap) <= _PRICE_NOISE * close, 0.0, np.sign(gap))
    return np.where(np.isnan(gap), np.nan, votes)


def ichimoku_vote(
    conversion: FloatArray,
    base: FloatArray,
    span_a: FloatArray,
    span_b: FloatArray,
    close: FloatArray,
) -> FloatArray:
    """Buy when close > conversion > base > span A > span B, sell in the reverse order.

    The spans are those drawn at this candle, so computed 26 candles before.
    """
    noise = _PRICE_NOISE * close
    falling_order = (close, conversion, base, span_a, span_b)
    pairs = list(pairwise(falling_order))
    return _votes(
        buy=np.logical_and.reduce([_above(upper, lower, noise) for upper, lower in pairs]),
        sell=np.logical_and.reduce([_above(lower, upper, noise) for upper, lower in pairs]),
        needs=falling_order,
    )


def rsi_vote(rsi: FloatArray, rsi_1: FloatArray) -> FloatArray:
    """Buy when below 30 and rising, sell when above 70 and falling."""
    return _turning(rsi, rsi_1, low=30.0, high=70.0)


def stochastic_vote(k: FloatArray, d: FloatArray) -> FloatArray:
    """Buy when %K and %D are below 20 and %K above %D, sell mirrored above 80."""
    return _votes(
        buy=_beneath(k, 20.0) & _beneath(d, 20.0) & _more(k, d),
        sell=_beyond(k, 80.0) & _beyond(d, 80.0) & _more(d, k),
        needs=(k, d),
    )


def cci_vote(cci: FloatArray, cci_1: FloatArray) -> FloatArray:
    """Buy when below -100 and rising, sell when above 100 and falling."""
    return _turning(cci, cci_1, low=-100.0, high=100.0)


def adx_vote(
    adx: FloatArray, adx_1: FloatArray, plus_di: FloatArray, minus_di: FloatArray
) -> FloatArray:
    """A trend (above 20 and rising) votes for the side whose directional line is higher."""
    trend = _beyond(adx, 20.0) & _more(adx, adx_1)
    return _votes(
        buy=trend & _more(plus_di, minus_di),
        sell=trend & _more(minus_di, plus_di),
        needs=(adx, adx_1, plus_di, minus_di),
    )


def awesome_vote(
    ao: FloatArray, ao_1: FloatArray, ao_2: FloatArray, close: FloatArray
) -> FloatArray:
    """Buy when it crosses zero upwards, or above zero turns up again (saucer); sell mirrored."""
    noise = _PRICE_NOISE * close
    zero = np.zeros_like(ao)
    over, over_1 = _above(ao, zero, noise), _above(ao_1, zero, noise)
    under, under_1 = _above(zero, ao, noise), _above(zero, ao_1, noise)
    turns_up = _above(ao, ao_1, noise) & _above(ao_2, ao_1, noise)
    turns_down = _above(ao_1, ao, noise) & _above(ao_1, ao_2, noise)
    return _votes(
        buy=over & (~over_1 | turns_up),
        sell=under & (~under_1 | turns_down),
        needs=(ao, ao_1, ao_2),
    )


def momentum_vote(momentum: FloatArray, momentum_1: FloatArray, close: FloatArray) -> FloatArray:
    """Buy while rising, sell while falling."""
    noise = _PRICE_NOISE * close
    return _votes(
        buy=_above(momentum, momentum_1, noise),
        sell=_above(momentum_1, momentum, noise),
        needs=(momentum, momentum_1),
    )


def macd_vote(macd: FloatArray, signal: FloatArray, close: FloatArray) -> FloatArray:
    """Buy while the line is above its signal, sell below."""
    noise = _PRICE_NOISE * close
    return _votes(
        buy=_above(macd, signal, noise), sell=_above(signal, macd, noise), needs=(macd, signal)
    )


def stochastic_rsi_vote(
    k: FloatArray, d: FloatArray, close: FloatArray, trend_average: FloatArray
) -> FloatArray:
    """As the stochastic, but buy only in a downtrend and sell only in an uptrend.

    The trend is the close against its EMA 50.
    """
    noise = _PRICE_NOISE * close
    return _votes(
        buy=_above(trend_average, close, noise)
        & _beneath(k, 20.0)
        & _beneath(d, 20.0)
        & _more(k, d),
        sell=_above(close, trend_average, noise)
        & _beyond(k, 80.0)
        & _beyond(d, 80.0)
        & _more(d, k),
        needs=(k, d, close, trend_average),
    )


def williams_vote(percent_r: FloatArray, percent_r_1: FloatArray) -> FloatArray:
    """Buy when below -80 and rising, sell when above -20 and falling."""
    return _turning(percent_r, percent_r_1, low=-80.0, high=-20.0)


def bull_bear_vote(
    bull: FloatArray,
    bull_1: FloatArray,
    bear: FloatArray,
    bear_1: FloatArray,
    *,
    close: FloatArray,
    trend_average: FloatArray,
) -> FloatArray:
    """Buy in an uptrend while bear power is negative and rises; sell in a downtrend while bull
    power is positive and falls. The trend is the close against its EMA 50.
    """
    noise = _PRICE_NOISE * close
    zero = np.zeros_like(close)
    return _votes(
        buy=_above(close, trend_average, noise)
        & _above(zero, bear, noise)
        & _above(bear, bear_1, noise),
        sell=_above(trend_average, close, noise)
        & _above(bull, zero, noise)
        & _above(bull_1, bull, noise),
        needs=(bull, bull_1, bear, bear_1, close, trend_average),
    )


def ultimate_vote(ultimate: FloatArray) -> FloatArray:
    """Buy above 70, sell below 30."""
    return _votes(buy=_beyond(ultimate, 70.0), sell=_beneath(ultimate, 30.0), needs=(ultimate,))


def _turning(now: FloatArray, before: FloatArray, *, low: float, high: float) -> FloatArray:
    return _votes(
        buy=_beneath(now, low) & _more(now, before),
        sell=_beyond(now, high) & _more(before, now),
        needs=(now, before),
    )


def _votes(*, buy: BoolArray, sell: BoolArray, needs: tuple[FloatArray, ...]) -> FloatArray:
    missing = np.logical_or.reduce([np.isnan(value) for value in needs])
    return np.where(missing, np.nan, buy.astype(np.float64) - sell)


def _above(value: FloatArray, other: FloatArray, noise: FloatArray) -> BoolArray:
    return value - other > noise


def _more(value: FloatArray, other: FloatArray) -> BoolArray:
    return value - other > _PERCENT_NOISE


def _beyond(value: FloatArray, threshold: float) -> BoolArray:
    return value - threshold > _PERCENT_NOISE


def _beneath(value: FloatArray, threshold: float) -> BoolArray:
    return threshold - value > _PERCENT_NOISE
