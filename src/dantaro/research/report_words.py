"""Figures as a report prints them: a true minus sign, units, and `n/a` for what is not known."""

import math
from datetime import UTC, datetime

from dantaro.research.report_data import Measured

ABSENT = "n/a"
_MINUS = "\N{MINUS SIGN}"
NARROW = "\N{NARROW NO-BREAK SPACE}"


def number(value: float | None, digits: int = 3, *, signed: bool = False) -> str:
    """`value` with `digits` decimals; a zero that was rounded to carries no sign."""
    if value is None:
        return ABSENT
    text = f"{value:+,.{digits}f}" if signed else f"{value:,.{digits}f}"
    if not text.strip("+-0.,"):
        text = text.lstrip("+-")
    return text.replace("-", _MINUS)


def percent(value: float | None, digits: int = 2, *, signed: bool = False) -> str:
    """A fraction as a percentage."""
    if value is None:
        return ABSENT
    return f"{number(100 * value, digits, signed=signed)}{NARROW}%"


def points(value: float | None, digits: int = 1, *, signed: bool = True) -> str:
    """A difference of two rates in percentage points."""
    if value is None:
        return ABSENT
    return f"{number(100 * value, digits, signed=signed)}{NARROW}pp"


def probability(value: float | None) -> str:
    """A p-value; the very small ones as a bound."""
    if value is None:
        return ABSENT
    return "< 0.001" if value < 0.0005 else number(value, 3)


def count(value: int | None) -> str:
    """A whole number with thousands set apart."""
    return ABSENT if value is None else f"{value:,}".replace(",", NARROW)


def significant(value: float | None) -> str:
    """A figure of any size in four significant digits."""
    if value is None:
        return ABSENT
    digits = max(0, 3 - math.floor(math.log10(abs(value)))) if value else 0
    return number(float(f"{value:.4g}"), min(digits, 12))


def interval(figure: Measured, *, scale: float = 1.0, digits: int = 3) -> str:
    """The two ends of an interval; empty where there is none."""
    if figure.low is None or figure.high is None:
        return ""
    low, high = (number(scale * end, digits, signed=True) for end in (figure.low, figure.high))
    return f"[{low}, {high}]"


def date(at_ms: int | None) -> str:
    """The UTC day, as YYYY-MM-DD."""
    if at_ms is None:
        return ABSENT
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d")


def span(from_ms: int, until_ms: int) -> str:
    """Two UTC days."""
    return f"{date(from_ms)} to {date(until_ms)}"


def days(horizon_days: int) -> str:
    """A horizon, as headings and columns name it."""
    return f"{horizon_days}{NARROW}d"
