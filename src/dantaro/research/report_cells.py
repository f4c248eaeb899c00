"""Cells and tables of the report: text to show, with what to sort by and why a figure is missing."""

from dataclasses import dataclass

from dantaro.research.report_data import Measured
from dantaro.research.report_words import (
    count,
    date,
    interval,
    number,
    percent,
    points,
    probability,
)


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell.

    Attributes:
        text: as shown.
        order: what to sort by; None sorts last.
        title: said when pointing at it: the reason of a missing figure.
        mark: `good`, `bad`, `open` or empty.
        numeric: aligned to the right.
    """

    text: str
    order: float | str | None = None
    title: str = ""
    mark: str = ""
    numeric: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """One table, or the reason why it is empty.

    Attributes:
        name: unique within the page.
        title: what it holds.
        head: the columns' titles.
        rows: the cells.
        how_to_read: a sentence under it; may be empty.
        reason: why there are no rows.
        folded: shown on request only.
    """

    name: str
    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    how_to_read: str = ""
    reason: str = ""
    folded: bool = False


def word(text: str) -> Cell:
    """Text."""
    return Cell(text, text)


def count_cell(value: int) -> Cell:
    """A whole number."""
    return Cell(count(value), value, numeric=True)


def days_cell(horizon: int) -> Cell:
    """A horizon."""
    return Cell(f"{horizon} d", horizon, numeric=True)


def day_cell(at_ms: int | None) -> Cell:
    """A UTC day."""
    return Cell(date(at_ms), at_ms)


def number_cell(
    value: float | None, digits: int, *, signed: bool = False, reason: str = ""
) -> Cell:
    """A number, or why there is none."""
    return Cell(number(value, digits, signed=signed), value, _why(value, reason), numeric=True)


def rate_cell(value: float | None, digits: int, *, signed: bool = False, reason: str = "") -> Cell:
    """A fraction as a percentage, or why there is none."""
    return Cell(percent(value, digits, signed=signed), value, _why(value, reason), numeric=True)


def figure_cell(figure: Measured, digits: int, *, signed: bool = False, reason: str = "") -> Cell:
    """The value of a measured figure."""
    return number_cell(figure.value, digits, signed=signed, reason=figure.reason or reason)


def points_cell(figure: Measured, *, signed: bool = True) -> Cell:
    """A difference of rates in percentage points."""
    text = points(figure.value, signed=signed)
    return Cell(text, figure.value, _why(figure.value, figure.reason), numeric=True)


def p_cell(value: float | None) -> Cell:
    """A p-value."""
    return Cell(probability(value), value, numeric=True)


def ends_cell(figure: Measured, *, scale: float = 1.0, digits: int = 3) -> Cell:
    """The interval of a measured figure."""
    return Cell(interval(figure, scale=scale, digits=digits), figure.low, mark="ends")


def _why(value: object, reason: str) -> str:
    return "" if value is not None else reason or "not measured"
