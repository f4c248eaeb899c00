"""Columns of figures as one mapping for each market."""

import numpy as np

from dantaro.analysis.rows import float_rows, int_rows

NAN = float("nan")


def test_each_row_has_its_values_by_name_and_none_where_there_is_none() -> None:
    rows = float_rows({"rsi": np.array([1.5, NAN]), "adx": np.array([NAN, 2.0])})
    assert rows == [{"rsi": 1.5, "adx": None}, {"rsi": None, "adx": 2.0}]
    assert [type(value) for value in rows[0].values()] == [float, type(None)]


def test_whole_numbers_are_pythons_own() -> None:
    rows = int_rows({"sma": np.array([-1.0, NAN]), "ema": np.array([0.0, 1.0])})
    assert rows == [{"sma": -1, "ema": 0}, {"sma": None, "ema": 1}]
    assert {type(value) for row in rows for value in row.values()} == {int, type(None)}


def test_the_columns_stay_as_they_were() -> None:
    column = np.array([NAN, 3.0])
    float_rows({"rsi": column})
    int_rows({"rsi": column})
    np.testing.assert_array_equal(column, [NAN, 3.0])


def test_no_rows_are_no_mappings() -> None:
    assert float_rows({"rsi": np.empty(0)}) == []
