"""Indicators: hand-checked vectors, parity with TA-Lib, and the laws that every one of them keeps."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import wraps
from typing import Any

import numpy as np
import pytest
import talib
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import ArrayLike

from dantaro.analysis import indicators as ind
from dantaro.analysis.panel import FloatArray, Panel, Series, build_panel
from dantaro.analysis.rating import rating_series, ratings
from dantaro.market.markets import Market
from dantaro.market.timeframes import HOUR_MS, HOURLY

Indicator = Callable[..., FloatArray]

INDICATORS: dict[str, Callable[..., FloatArray | tuple[FloatArray, ...]]] = {
    "sma": lambda panel, last=None: ind.sma(panel, 10, last=last),
    "ema": lambda panel, last=None: ind.ema(panel, 10, last=last),
    "hull": ind.hull,
    "vwma": ind.vwma,
    "ichimoku": ind.ichimoku,
    "rsi": ind.rsi,
    "stochastic": ind.stochastic,
    "stochastic_rsi": ind.stochastic_rsi,
    "cci": ind.cci,
    "directional_movement": ind.directional_movement,
    "awesome": ind.awesome,
    "momentum": ind.momentum,
    "macd": ind.macd,
    "williams_r": ind.williams_r,
    "bull_bear_power": ind.bull_bear_power,
    "ultimate": ind.ultimate,
    "atr": ind.atr,
}


def computed(name: str, panel: Panel, last: int | None = None) -> tuple[FloatArray, ...]:
    result = INDICATORS[name](panel, last=last)
    return result if isinstance(result, tuple) else (result,)


def panel_of(
    close: ArrayLike,
    *,
    high: ArrayLike | None = None,
    low: ArrayLike | None = None,
    volume: ArrayLike | None = None,
) -> Panel:
    """One market; without a high and a low every candle is a point."""
    closes = np.asarray(close, dtype=np.float64)

    def column(values: ArrayLike | None, default: FloatArray) -> FloatArray:
        return default if values is None else np.asarray(values, dtype=np.float64)

    times = HOUR_MS * np.arange(closes.size, dtype=np.int64)
    series = Series(
        times,
        closes,
        column(high, closes),
        column(low, closes),
        closes,
        column(volume, np.ones(closes.size)),
    )
    market = Market("okx", "BTC/USDT", "BTC", "USDT", "BTC-USDT")
    return build_panel(
        (market,),
        {market.key: series},
        HOURLY,
        now_ms=int(times[-1]) + HOUR_MS,
        candles=closes.size,
    )


def random_series(seed: int, present: FloatArray | None = None, *, candles: int) -> Series:
    """A random walk; `present` (of [0, 1)) below 0.8 keeps a candle."""
    random = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(random.normal(0, 0.01, candles)))
    opened = np.concatenate((close[:1], close[:-1]))
    high = np.maximum(opened, close) * (1 + 0.004 * random.random(candles))
    low = np.minimum(opened, close) * (1 - 0.004 * random.random(candles))
    times = HOUR_MS * np.arange(candles, dtype=np.int64)
    keep = np.ones(candles, dtype=bool) if present is None else present < 0.8
    columns = (opened, high, low, close, random.random(candles) * 50)
    return Series(times[keep], *(column[keep] for column in columns))


def random_panel(seed: int, *, candles: int, markets: int = 3, gaps: bool = True) -> Panel:
    """Several markets of two exchanges, with quiet candles, holes, outages and late listings."""
    random = np.random.default_rng(seed)
    series: dict[str, Series] = {}
    rows: list[Market] = []
    dead = {exchange: random.random(candles) < 0.05 for exchange in ("okx", "upbit")}
    for number in range(markets):
        market = Market(("okx", "upbit")[number % 2], f"C{number}/KRW", f"C{number}", "KRW", "")
        present = random.random(candles) if gaps else None
        if present is not None:
            present[: random.integers(0, candles) * random.integers(0, 2)] = 1.0
            hole = int(random.integers(0, candles))
            present[hole : hole + int(random.integers(0, 40))] = 1.0
            present[dead[market.exchange]] = 1.0
        rows.append(market)
        series[market.key] = random_series(seed + number, present, candles=candles)
    return build_panel(rows, series, HOURLY, now_ms=candles * HOUR_MS, candles=candles)


# ----------------------------------------------------------------------------- by hand


def test_hull_of_four_by_hand() -> None:
    values = ind.hull(panel_of([2, 4, 6, 8, 20, 20]), 4)[0]
    # of the last three candles: WMA 2 is 22/3, 16, 20 and WMA 4 is 6, 12, 16.2
    steep = [2 * 22 / 3 - 6, 2 * 16 - 12.0, 2 * 20 - 16.2]
    expected = [(steep[0] + 2 * steep[1]) / 3, (steep[1] + 2 * steep[2]) / 3]
    assert np.isnan(values[:4]).all()
    np.testing.assert_allclose(values[4:], expected, rtol=1e-12)


def test_vwma_of_three_by_hand() -> None:
    panel = panel_of([10, 20, 40, 80], volume=[1, 3, 0, 1])
    expected = [np.nan, np.nan, (10 + 60) / 4, (60 + 80) / 4]
    np.testing.assert_allclose(ind.vwma(panel, 3)[0], expected, rtol=1e-12)


def test_vwma_has_no_value_while_nothing_is_traded() -> None:
    panel = panel_of([10, 20, 40, 80], volume=[1, 0, 0, 0])
    assert np.isnan(ind.vwma(panel, 3)[0]).tolist() == [True, True, False, True]


def test_ichimoku_on_a_ramp_by_hand() -> None:
    ramp = np.arange(100.0, 160.0)
    panel = panel_of(ramp, high=ramp + 1, low=ramp - 1)
    conversion, base, span_a, span_b = (line[0] for line in ind.ichimoku(panel))
    # the middle of n candles of a ramp lies (n - 1) / 2 candles back
    np.testing.assert_array_equal(conversion[8:], ramp[8:] - 4)
    np.testing.assert_array_equal(base[25:], ramp[25:] - 12.5)
    np.testing.assert_array_equal(span_a[25:], ramp[25:] - 8.25)
    np.testing.assert_array_equal(span_b[51:], ramp[51:] - 25.5)
    assert [int(np.isnan(line).sum()) for line in (conversion, base, span_a, span_b)] == [
        8,
        25,
        25,
        51,
    ]


def test_awesome_on_a_parabola_by_hand() -> None:
    at = np.arange(1.0, 61.0)
    values = ind.awesome(panel_of(at**2, high=at**2 + 0.5, low=at**2 - 0.5))[0]
    # mean of (t - k)^2 over k < n is t^2 - (n - 1) t + (n - 1)(2 n - 1) / 6
    expected = (at**2 - 4 * at + 6) - (at**2 - 33 * at + 33 * 67 / 6)
    assert np.isnan(values[:33]).all()
    np.testing.assert_allclose(values[33:], expected[33:], rtol=1e-12)


def test_momentum_by_hand() -> None:
    values = ind.momentum(panel_of([1, 2, 4, 8, 16]), 3)[0]
    np.testing.assert_array_equal(values, [np.nan, np.nan, np.nan, 7, 14])


def test_bull_and_bear_power_of_a_constant_close_by_hand() -> None:
    panel = panel_of([10.0] * 15, high=[12.0] * 15, low=[9.0] * 15)
    bull, bear = ind.bull_bear_power(panel)
    assert bull[0, -3:].tolist() == [2, 2, 2]
    assert bear[0, -3:].tolist() == [-1, -1, -1]
    assert np.isnan(bull[0, :12]).all()


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


def test_macd_follows_its_definition_from_the_first_candle_on() -> None:
    close = random_series(3, candles=60).close.tolist()

    def average(values: list[float], period: int) -> list[float]:
        means = [_mean(values[:period])]
        for value in values[period:]:
            means.append(means[-1] + (value - means[-1]) * 2 / (period + 1))
        return means

    line = [
        fast - slow for fast, slow in zip(average(close, 12)[14:], average(close, 26), strict=True)
    ]
    macd, signal = (values[0] for values in ind.macd(panel_of(close)))
    np.testing.assert_allclose(macd[25:], line, rtol=1e-9)
    np.testing.assert_allclose(signal[33:], average(line, 9), rtol=1e-9)
    assert np.isnan(macd[:25]).all()
    assert np.isnan(signal[:33]).all()


def test_stochastic_rsi_follows_its_definition() -> None:
    close = random_series(5, candles=60).close
    strength = [float(value) for value in talib.RSI(close, 14)]
    raw = {
        at: 100
        * (strength[at] - min(strength[at - 13 : at + 1]))
        / (max(strength[at - 13 : at + 1]) - min(strength[at - 13 : at + 1]))
        for at in range(27, 60)
    }
    smooth = {at: _mean([raw[at - 2], raw[at - 1], raw[at]]) for at in range(29, 60)}
    k, d = (values[0] for values in ind.stochastic_rsi(panel_of(close)))
    np.testing.assert_allclose(k[29:], list(smooth.values()), atol=1e-9)
    np.testing.assert_allclose(
        d[31:],
        [_mean([smooth[at - 2], smooth[at - 1], smooth[at]]) for at in range(31, 60)],
        atol=1e-9,
    )
    assert np.isnan(k[:29]).all()
    assert np.isnan(d[:31]).all()


# ----------------------------------------------------------------------------- TA-Lib

_TALIB: dict[str, Callable[[Series], tuple[FloatArray, ...] | FloatArray]] = {
    "sma": lambda s: talib.SMA(s.close, 10),
    "ema": lambda s: talib.EMA(s.close, 10),
    "hull": lambda s: talib.HMA(s.close, 9),
    "vwma": lambda s: talib.VWMA(s.close, s.volume, 20),
    "rsi": lambda s: talib.RSI(s.close, 14),
    "stochastic": lambda s: talib.STOCH(s.high, s.low, s.close, 14, 3, slowd_period=3),
    "cci": lambda s: talib.CCI(s.high, s.low, s.close, 20),
    "directional_movement": lambda s: (
        talib.ADX(s.high, s.low, s.close, 14),
        talib.PLUS_DI(s.high, s.low, s.close, 14),
        talib.MINUS_DI(s.high, s.low, s.close, 14),
    ),
    "awesome": lambda s: talib.AO(s.high, s.low, 5, 34),
    "momentum": lambda s: talib.MOM(s.close, 10),
    "williams_r": lambda s: talib.WILLR(s.high, s.low, s.close, 14),
    "ultimate": lambda s: talib.ULTOSC(s.high, s.low, s.close, 7, 14, 28),
    "bull_bear_power": lambda s: (
        s.high - talib.EMA(s.close, 13),
        s.low - talib.EMA(s.close, 13),
    ),
    "atr": lambda s: talib.ATR(s.high, s.low, s.close, 14),
}


@pytest.mark.parametrize("name", _TALIB)
def test_what_ta_lib_has_is_what_ta_lib_says(name: str) -> None:
    series = random_series(11, candles=400)
    panel = panel_of(series.close, high=series.high, low=series.low, volume=series.volume)
    theirs = _TALIB[name](series)
    for ours, expected in zip(
        computed(name, panel), theirs if isinstance(theirs, tuple) else (theirs,), strict=True
    ):
        np.testing.assert_allclose(ours[0], expected, rtol=1e-9, atol=1e-9)


def test_stochastic_rsi_is_ta_libs_with_one_more_smoothing() -> None:
    close = random_series(12, candles=400).close
    k, d = ind.stochastic_rsi(panel_of(close))
    _, smoothed = talib.STOCHRSI(close, 14, 14, 3)
    np.testing.assert_allclose(k[0, 40:], smoothed[40:], atol=1e-9)
    np.testing.assert_allclose(d[0, 40:], talib.SMA(smoothed[30:], 3)[10:], atol=1e-9)


def test_macd_is_ta_libs_once_the_different_start_has_faded() -> None:
    close = random_series(13, candles=600).close
    macd, signal = ind.macd(panel_of(close))
    line, smoothed, _ = talib.MACD(close, 12, 26, 9)
    np.testing.assert_allclose(macd[0, 300:], line[300:], atol=1e-9)
    np.testing.assert_allclose(signal[0, 300:], smoothed[300:], atol=1e-9)


# ----------------------------------------------------------------------------- where nothing moves


@pytest.mark.parametrize("name", ["rsi", "stochastic", "cci", "williams_r", "ultimate"])
def test_a_market_that_never_moved_has_no_oscillators(name: str) -> None:
    for values in computed(name, panel_of([10.0] * 60)):
        assert np.isnan(values).all()


def test_a_market_that_went_still_has_no_range_indicators_until_it_moves_again() -> None:
    moving = random_series(1, candles=60).close
    close = np.concatenate((moving, np.full(40, moving[-1]), moving[-1] * (1 + moving[:5] / 1e4)))
    panel = panel_of(close)
    for name in ("stochastic", "stochastic_rsi", "cci", "williams_r", "ultimate"):
        for values in computed(name, panel):
            assert np.isnan(values[0, 80:100]).all(), name
            assert np.isfinite(values[0, 52:60]).all(), name
    assert np.isfinite(ind.rsi(panel)[0, 14:]).all()
    assert np.isfinite(ind.williams_r(panel)[0, 100:]).all()


def test_the_step_before_seven_still_candles_counts_for_the_ultimate_oscillator() -> None:
    moving = random_series(1, candles=60).close
    close = np.concatenate((moving, np.full(8, moving[-1] * 1.01)))
    values = ind.ultimate(panel_of(close))[0]
    assert np.isfinite(values[66])
    assert np.isnan(values[67])


# ----------------------------------------------------------------------------- laws


@contextmanager
def _watched_talib() -> Iterator[list[str]]:
    """Every TA-Lib function, refusing an input that is not finite throughout; yields the calls."""
    calls: list[str] = []

    def watched(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def call(*args: Any, **options: Any) -> Any:
            arrays = [value for value in args if isinstance(value, np.ndarray)]
            assert arrays, name
            for values in arrays:
                assert np.isfinite(values).all(), f"{name} was given {values}"
                assert values.flags.c_contiguous
            calls.append(name)
            return function(*args, **options)

        return call

    with pytest.MonkeyPatch.context() as patch:
        for name in talib.get_functions():  # type: ignore[no-untyped-call]  # their stub
            patch.setattr(talib, name, watched(name, getattr(talib, name)))
        yield calls


@given(st.integers(0, 2**32), st.integers(20, 160))
@settings(max_examples=60, deadline=None)
def test_no_candle_that_is_not_finite_ever_reaches_ta_lib(seed: int, candles: int) -> None:
    panel = random_panel(seed, candles=candles, markets=4)
    with _watched_talib() as calls:
        for name in INDICATORS:
            computed(name, panel)
            computed(name, panel, last=3)
        rating_series(panel)
        ratings(panel)
    if (panel.start < panel.close.shape[1]).any():
        assert set(calls) == _USED


_USED = {
    "SMA",
    "EMA",
    "RSI",
    "STOCH",
    "CCI",
    "ADX",
    "PLUS_DI",
    "MINUS_DI",
    "WILLR",
    "ULTOSC",
    "ATR",
}


def test_the_random_panels_have_every_kind_of_gap() -> None:
    panels = [random_panel(seed, candles=120, markets=4) for seed in range(20)]
    assert any(panel.truncated.any() for panel in panels)
    assert any(panel.axes for panel in panels)
    assert any(panel.opened_at_ms.size < 120 for panel in panels)
    assert any((panel.start == panel.opened_at_ms.size).any() for panel in panels)
    assert any(((panel.start > 0) & ~panel.truncated).any() for panel in panels)
    assert all((panel.quiet_share > 0).any() for panel in panels)


def test_the_watch_on_ta_lib_sees_a_hole_when_there_is_one() -> None:
    panel = panel_of(np.arange(1.0, 61.0))
    holed = panel.close.copy()
    holed[0, 30] = np.nan
    with _watched_talib(), pytest.raises(AssertionError, match="RSI was given"):
        ind.rsi(replace(panel, close=holed))


@pytest.mark.parametrize("name", INDICATORS)
def test_the_last_columns_alone_are_those_of_the_whole(name: str) -> None:
    for candles in (5, 40, 130):
        panel = random_panel(candles, candles=candles, markets=5)
        whole = computed(name, panel)
        for last in (1, 3, candles // 2, panel.close.shape[1]):
            for part, values in zip(computed(name, panel, last), whole, strict=True):
                assert part.shape == (5, last)
                np.testing.assert_allclose(
                    part, values[:, values.shape[1] - last :], rtol=1e-9, atol=1e-9
                )
        beyond = panel.close.shape[1] + 7
        for part, values in zip(computed(name, panel, beyond), whole, strict=True):
            assert part.shape == (5, beyond)
            np.testing.assert_allclose(part[:, 7:], values, rtol=1e-9, atol=1e-9)
            assert np.isnan(part[:, :7]).all()


@pytest.mark.parametrize("name", INDICATORS)
@given(seed=st.integers(0, 2**32), cut=st.integers(1, 60))
@settings(max_examples=60, deadline=None)
def test_candles_of_the_future_never_change_a_value(name: str, seed: int, cut: int) -> None:
    whole = random_panel(seed, candles=120, gaps=False)
    past = _with_columns(whole, lambda values: np.ascontiguousarray(values[:, :-cut]))
    for now, before in zip(computed(name, whole), computed(name, past), strict=True):
        np.testing.assert_array_equal(now[:, :-cut], before)


def _with_columns(panel: Panel, change: Callable[[Any], Any]) -> Panel:
    changed: dict[str, Any] = {field: change(getattr(panel, field)) for field in _COLUMNS}
    return replace(panel, **changed)


_COLUMNS = ("open", "high", "low", "close", "volume", "recorded")


@given(st.integers(0, 2**32))
@settings(max_examples=15, deadline=None)
def test_every_row_is_computed_alone(seed: int) -> None:
    panel = random_panel(seed, candles=90, markets=4)
    backwards = _with_columns(panel, lambda values: np.ascontiguousarray(values[::-1]))
    backwards = replace(backwards, markets=panel.markets[::-1], start=panel.start[::-1])
    for name in INDICATORS:
        for plain, reversed_ in zip(computed(name, panel), computed(name, backwards), strict=True):
            np.testing.assert_array_equal(plain, reversed_[::-1])


@pytest.mark.parametrize("name", INDICATORS)
def test_no_indicator_writes_into_its_panel(name: str) -> None:
    panel = random_panel(7, candles=80)
    copies = {field: getattr(panel, field).copy() for field in (*_COLUMNS, "start")}
    computed(name, panel)
    computed(name, panel, last=2)
    for field, copy in copies.items():
        np.testing.assert_array_equal(getattr(panel, field), copy)
