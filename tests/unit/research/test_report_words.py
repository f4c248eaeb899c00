import pytest

from dantaro.research.report_data import Measured
from dantaro.research.report_words import (
    NARROW,
    count,
    date,
    interval,
    number,
    percent,
    points,
    probability,
    significant,
    span,
)

MINUS = "\N{MINUS SIGN}"


def test_a_number_has_a_true_minus_sign() -> None:
    assert number(-0.0864) == f"{MINUS}0.086"
    assert number(0.112, signed=True) == "+0.112"


@pytest.mark.parametrize("value", [0.0, -0.0, 0.0004, -0.0004])
def test_a_number_that_rounds_to_zero_has_no_sign(value: float) -> None:
    assert number(value, signed=True) == "0.000"


def test_a_fraction_becomes_a_percentage() -> None:
    assert percent(0.0063, signed=True) == f"+0.63{NARROW}%"
    assert percent(0.79, 0) == f"79{NARROW}%"
    assert points(0.021) == f"+2.1{NARROW}pp"


def test_what_is_not_known_is_said_so() -> None:
    assert {number(None), percent(None), points(None), probability(None), count(None), date(None),
            significant(None)} == {"n/a"}  # fmt: skip


def test_a_p_value_below_what_is_shown_is_a_bound() -> None:
    assert probability(0.0004) == "< 0.001"
    assert probability(1 / 1001) == "0.001"
    assert probability(0.25) == "0.250"


def test_figures_of_any_size_keep_four_digits() -> None:
    assert significant(171_116.0) == "171,100"
    assert significant(0.000817) == "0.0008170"
    assert significant(1.5) == "1.500"
    assert significant(0.0) == "0"


def test_thousands_are_set_apart() -> None:
    assert count(1234567) == f"1{NARROW}234{NARROW}567"


def test_an_interval_needs_both_ends() -> None:
    assert interval(Measured(0.1, 0.09, 0.11)) == "[+0.090, +0.110]"
    assert interval(Measured(0.02, -0.006, 0.036), scale=100, digits=1) == f"[{MINUS}0.6, +3.6]"
    assert interval(Measured(0.1, 0.09)) == ""


def test_days_are_utc() -> None:
    assert date(1_617_580_799_999) == "2021-04-04"
    assert span(1_617_580_800_000, 1_617_667_200_000) == "2021-04-05 to 2021-04-06"
