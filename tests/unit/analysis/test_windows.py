"""Moving windows against their definition, value by value."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from dantaro.analysis.panel import FloatArray
from dantaro.analysis.windows import (
    highest,
    linear_mean,
    lowest,
    moving_mean,
    newest,
    weighted_sum,
)

tables = npst.arrays(
    np.float64,
    npst.array_shapes(min_dims=2, max_dims=2, max_side=12),
    elements=st.floats(-1e6, 1e6),
)


def test_a_weighted_sum_gives_the_last_weight_to_the_newest_candle() -> None:
    values = np.array([[1.0, 10.0, 100.0]])
    np.testing.assert_array_equal(weighted_sum(values, [3.0, 2.0]), [[np.nan, 23.0, 230.0]])


def test_a_linear_mean_weighs_the_newest_candle_most() -> None:
    values = np.array([[6.0, 12.0, 18.0]])
    np.testing.assert_array_equal(linear_mean(values, 3), [[np.nan, np.nan, (6 + 24 + 54) / 6]])


def test_the_newest_columns_may_be_taken_as_they_were_some_candles_ago() -> None:
    values = np.array([[1.0, 2.0, 3.0, 4.0]])
    np.testing.assert_array_equal(newest(values, 2), [[3.0, 4.0]])
    np.testing.assert_array_equal(newest(values, 2, ago=1), [[2.0, 3.0]])
    np.testing.assert_array_equal(newest(values, 3, ago=3), [[np.nan, np.nan, 1.0]])
    np.testing.assert_array_equal(newest(values, 1, ago=9), [[np.nan]])
    np.testing.assert_array_equal(newest(values, 6), [[np.nan, np.nan, 1.0, 2.0, 3.0, 4.0]])


@given(tables, st.integers(1, 14))
def test_the_extremes_of_a_window_are_those_of_its_values(values: FloatArray, size: int) -> None:
    high, low, mean = highest(values, size), lowest(values, size), moving_mean(values, size)
    for column in range(values.shape[1]):
        if column < size - 1:
            assert np.isnan(high[:, column]).all()
            assert np.isnan(low[:, column]).all()
            assert np.isnan(mean[:, column]).all()
            continue
        window = values[:, column - size + 1 : column + 1]
        np.testing.assert_array_equal(high[:, column], window.max(axis=1))
        np.testing.assert_array_equal(low[:, column], window.min(axis=1))
        np.testing.assert_allclose(mean[:, column], window.mean(axis=1), rtol=1e-12, atol=1e-9)


@given(tables, st.integers(1, 6), st.integers(0, 11))
def test_a_window_that_reaches_into_the_pad_has_no_value(
    values: FloatArray, size: int, pad: int
) -> None:
    values[:, :pad] = np.nan
    for result in (highest(values, size), lowest(values, size), linear_mean(values, size)):
        first = min(pad, values.shape[1]) + size - 1
        assert np.isnan(result[:, :first]).all()
        assert not np.isnan(result[:, first:]).any()
