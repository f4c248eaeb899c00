"""From columns of figures to one mapping for each market, as the documents have them."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from dantaro.analysis.panel import BoolArray, FloatArray


def float_rows(columns: Mapping[str, FloatArray]) -> list[dict[str, float | None]]:
    """For each of the M rows of `columns` (float64[M] by name) its values by name; NaN as None."""
    table = np.stack(list(columns.values()), axis=1)
    return _named(columns, table.astype(object), np.isnan(table))


def int_rows(columns: Mapping[str, FloatArray]) -> list[dict[str, int | None]]:
    """As `float_rows`, of whole numbers."""
    table = np.stack(list(columns.values()), axis=1)
    missing = np.isnan(table)
    return _named(columns, np.where(missing, 0, table).astype(np.int64).astype(object), missing)


def _named(names: Iterable[str], table: Any, missing: BoolArray) -> list[dict[str, Any]]:
    """`table` is [M, names] of Python's own numbers."""
    table[missing] = None
    keys = list(names)
    return [dict(zip(keys, row, strict=True)) for row in table.tolist()]
