"""The technical rating: 26 votes of common indicators, their group means and the mean of those.

It describes; it does not predict (across coins a high rating has meant a low return, see the
measurements in the documentation). Rules: `dantaro.analysis.votes`.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np

from dantaro.analysis import indicators as ind
from dantaro.analysis import votes as rule
from dantaro.analysis.panel import FloatArray, IntArray, Panel
from dantaro.analysis.rows import float_rows, int_rows
from dantaro.analysis.windows import newest
from dantaro.market.results import Rating, RatingLabel

_PERIODS = (10, 20, 30, 50, 100, 200)
_TREND = 50  # the period of the EMA that says which way the market goes
_DRAWN_AHEAD = 26  # candles by which a chart draws the Ichimoku spans ahead

MOVING_AVERAGES: tuple[str, ...] = (
    *(f"sma_{period}" for period in _PERIODS),
    *(f"ema_{period}" for period in _PERIODS),
    "hull_9",
    "vwma_20",
    "ichimoku",
)
OSCILLATORS: tuple[str, ...] = (
    "rsi",
    "stochastic",
    "cci",
    "adx",
    "awesome",
    "momentum",
    "macd",
    "stochastic_rsi",
    "williams_r",
    "bull_bear_power",
    "ultimate",
)


class _Vote(NamedTuple):
    """One indicator's votes `[M, width]` and the values behind them, by name."""

    name: str
    votes: FloatArray
    values: Mapping[str, FloatArray]


def ratings(panel: Panel) -> tuple[Rating, ...]:
    """The rating of each market at its newest candle; a market with an empty row has none.

    A vote is None unless every value that its rule needs exists, and is then left out of its
    group's mean; so is a group without votes out of the rating.
    """
    votes: dict[str, FloatArray] = {}
    values: dict[str, FloatArray] = {}
    for vote in _each_vote(panel, 1):
        votes[vote.name] = vote.votes[:, 0]
        values.update({name: array[:, 0] for name, array in vote.values.items()})
    averages = _mean([votes[name] for name in MOVING_AVERAGES])
    oscillators = _mean([votes[name] for name in OSCILLATORS])
    means = {
        "rating": np.round(_mean([averages, oscillators]), 12),
        "moving_averages": averages,
        "oscillators": oscillators,
    }
    votes = {name: votes[name] for name in (*MOVING_AVERAGES, *OSCILLATORS)}
    rows = zip(
        panel.markets,
        panel.as_of_ms.tolist(),
        float_rows(means),
        int_rows(votes),
        float_rows(values),
        strict=True,
    )
    return tuple(
        Rating(
            exchange=market.exchange,
            symbol=market.symbol,
            timeframe=panel.timeframe.name,
            data_as_of_ms=as_of_ms,
            label=None if (rating := mean["rating"]) is None else label(rating),
            votes=vote,
            values=value,
            **mean,
        )
        for market, as_of_ms, mean, vote, value in rows
        if as_of_ms >= 0
    )


def rating_series(panel: Panel) -> FloatArray:
    """The rating at every candle, float64[M, C], NaN where no vote has data.

    Its last column is what `ratings` gives.
    """
    return np.round(_mean(list(group_series(panel))), 12)


def group_series(panel: Panel) -> tuple[FloatArray, FloatArray]:
    """The means of the moving averages' and of the oscillators' votes at every candle, float64[M, C]
    each, NaN where no vote has data.
    """
    shape = panel.close.shape
    sums = {group: np.zeros(shape) for group in (MOVING_AVERAGES, OSCILLATORS)}
    counts = {group: np.zeros(shape, dtype=np.int64) for group in sums}
    for vote in _each_vote(panel, shape[1]):
        group = MOVING_AVERAGES if vote.name in MOVING_AVERAGES else OSCILLATORS
        sums[group] += np.nan_to_num(vote.votes)
        counts[group] += ~np.isnan(vote.votes)
    averages, oscillators = (_divide(sums[group], counts[group]) for group in sums)
    return averages, oscillators


def label(rating: float) -> RatingLabel:
    """The word for a rating in [-1, 1]."""
    if rating < -0.5:
        return RatingLabel.STRONG_SELL
    if rating < -0.1:
        return RatingLabel.SELL
    if rating <= 0.1:
        return RatingLabel.NEUTRAL
    return RatingLabel.BUY if rating <= 0.5 else RatingLabel.STRONG_BUY


def _each_vote(panel: Panel, width: int) -> Iterator[_Vote]:
    """All votes over the last `width` columns, one at a time so that few arrays live at once."""
    close = newest(panel.close, width)
    trend = ind.ema(panel, _TREND, last=width)
    yield from _moving_average_votes(panel, close, trend)
    yield from _oscillator_votes(panel, close)
    yield from _trend_votes(panel, close, trend)


def _moving_average_votes(panel: Panel, close: FloatArray, trend: FloatArray) -> Iterator[_Vote]:
    width = close.shape[1]
    for period in _PERIODS:
        yield _average_vote(f"sma_{period}", ind.sma(panel, period, last=width), close)
        average = trend if period == _TREND else ind.ema(panel, period, last=width)
        yield _average_vote(f"ema_{period}", average, close)
    yield _average_vote("hull_9", ind.hull(panel, last=width), close)
    yield _average_vote("vwma_20", ind.vwma(panel, last=width), close)
    lines = ind.ichimoku(panel, last=width + _DRAWN_AHEAD)
    conversion, base = (newest(line, width) for line in lines[:2])
    span_a, span_b = (newest(line, width, ago=_DRAWN_AHEAD) for line in lines[2:])
    yield _Vote(
        "ichimoku",
        rule.ichimoku_vote(conversion, base, span_a, span_b, close),
        {
            "ichimoku_conversion": conversion,
            "ichimoku_base": base,
            "ichimoku_span_a": span_a,
            "ichimoku_span_b": span_b,
        },
    )


def _average_vote(name: str, average: FloatArray, close: FloatArray) -> _Vote:
    return _Vote(name, rule.average_vote(average, close), {name: average})


def _oscillator_votes(panel: Panel, close: FloatArray) -> Iterator[_Vote]:
    width = close.shape[1]
    two = width + 1
    k, d = ind.stochastic(panel, last=width)
    yield _Vote("stochastic", rule.stochastic_vote(k, d), {"stochastic_k": k, "stochastic_d": d})
    cci, cci_1 = _with_previous(ind.cci(panel, last=two), width)
    yield _Vote("cci", rule.cci_vote(cci, cci_1), {"cci": cci})
    strength, plus_di, minus_di = ind.directional_movement(panel, last=two)
    adx, adx_1 = _with_previous(strength, width)
    plus_di, minus_di = newest(plus_di, width), newest(minus_di, width)
    yield _Vote(
        "adx",
        rule.adx_vote(adx, adx_1, plus_di, minus_di),
        {"adx": adx, "plus_di": plus_di, "minus_di": minus_di},
    )
    ao = ind.awesome(panel, last=width + 2)
    ao_0, ao_1, ao_2 = (newest(ao, width, ago=ago) for ago in (0, 1, 2))
    yield _Vote("awesome", rule.awesome_vote(ao_0, ao_1, ao_2, close), {"awesome": ao_0})
    momentum, momentum_1 = _with_previous(ind.momentum(panel, last=two), width)
    yield _Vote("momentum", rule.momentum_vote(momentum, momentum_1, close), {"momentum": momentum})
    line, signal = ind.macd(panel, last=width)
    yield _Vote("macd", rule.macd_vote(line, signal, close), {"macd": line, "macd_signal": signal})
    percent_r, percent_r_1 = _with_previous(ind.williams_r(panel, last=two), width)
    yield _Vote("williams_r", rule.williams_vote(percent_r, percent_r_1), {"williams_r": percent_r})
    ultimate = ind.ultimate(panel, last=width)
    yield _Vote("ultimate", rule.ultimate_vote(ultimate), {"ultimate": ultimate})


def _trend_votes(panel: Panel, close: FloatArray, trend: FloatArray) -> Iterator[_Vote]:
    """The RSI, and the two oscillators whose rules ask for the trend, the close against its EMA 50."""
    width = close.shape[1]
    strength = ind.rsi(panel, last=width + ind.STOCHASTIC_RSI_MEMORY)
    rsi, rsi_1 = _with_previous(strength, width)
    yield _Vote("rsi", rule.rsi_vote(rsi, rsi_1), {"rsi": rsi})
    k, d = ind.stochastic_of_rsi(strength, last=width)
    yield _Vote(
        "stochastic_rsi",
        rule.stochastic_rsi_vote(k, d, close, trend),
        {"stochastic_rsi_k": k, "stochastic_rsi_d": d},
    )
    bulls, bears = ind.bull_bear_power(panel, last=width + 1)
    bull, bull_1 = _with_previous(bulls, width)
    bear, bear_1 = _with_previous(bears, width)
    yield _Vote(
        "bull_bear_power",
        rule.bull_bear_vote(bull, bull_1, bear, bear_1, close=close, trend_average=trend),
        {"bull_power": bull, "bear_power": bear},
    )


def _with_previous(values: FloatArray, width: int) -> tuple[FloatArray, FloatArray]:
    return newest(values, width), newest(values, width, ago=1)


def _mean(arrays: list[FloatArray]) -> FloatArray:
    """Mean over the arrays that are not NaN at a place; NaN where all are."""
    stacked = np.stack(arrays)
    counts = (~np.isnan(stacked)).sum(axis=0)
    sums = np.nan_to_num(stacked).sum(axis=0)
    return _divide(sums, counts)


def _divide(sums: FloatArray, counts: IntArray) -> FloatArray:
    means = np.full(sums.shape, np.nan)
    np.divide(sums, counts, out=means, where=counts > 0)
    return means
