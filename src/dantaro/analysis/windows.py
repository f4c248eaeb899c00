"""Moving windows over the last axis of `[markets, candles]` arrays.

Every function returns an array of the shape of its input, NaN where the window reaches into the
left pad or over the first column. All are vectorised over rows and take no branch on the data.
"""

from collections.abc import Sequence

import numpy as np

from dantaro.analysis.panel import FloatArray


def weighted_sum(values: FloatArray, weights: Sequence[float]) -> FloatArray:
    """Sum of `weights[j] * value` over the window, `weights[-1]` belonging to the newest candle."""
    size, columns = len(weights), values.shape[1]
    result = np.full(values.shape, np.nan)
    if columns < size:
        return result
    width = columns - size + 1
    total = values[:, :width] * weights[0]
    for place, weight in enumerate(weights[1:], start=1):
        total += values[:, place : place + width] * weight
    result[:, size - 1 :] = total
    return result


def moving_mean(values: FloatArray, size: int) -> FloatArray:
    """Mean of the last `size` candles."""
    return weighted_sum(values, [1.0] * size) / size


def linear_mean(values: FloatArray, size: int) -> FloatArray:
    """Mean of the last `size` candles with the weights 1, 2, .. `size` (the newest)."""
    return weighted_sum(values, [float(weight) for weight in range(1, size + 1)]) / (
        size * (size + 1) / 2
    )


def highest(values: FloatArray, size: int) -> FloatArray:
    """Maximum of the last `size` candles."""
    return _extreme(np.maximum, values, size)


def lowest(values: FloatArray, size: int) -> FloatArray:
    """Minimum of the last `size` candles."""
    return _extreme(np.minimum, values, size)


def _extreme(choose: np.ufunc, values: FloatArray, size: int) -> FloatArray:
    """Windows of doubling size are merged pairwise, so that it takes log2(size) passes."""
    result = values.copy()
    covered = 1
    while covered < size:
        step = min(covered, size - covered)
        result[:, step:] = choose(result[:, step:], result[:, :-step])
        covered += step
    result[:, : size - 1] = np.nan
    return result


def newest(values: FloatArray, width: int, *, ago: int = 0) -> FloatArray:
    """The last `width` columns as they were `ago` candles before; NaN before the first column."""
    columns = values.shape[1]
    end = max(columns - ago, 0)
    begin = max(end - width, 0)
    result = np.full((values.shape[0], width), np.nan)
    if end > begin:
        result[:, width - (end - begin) :] = values[:, begin:end]
    return result
