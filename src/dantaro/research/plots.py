"""What all plots share: colours, axes, panels by horizon, and the line that says how to read them.

Plots are Plotly figures without any colour of text, grid or ground: the page sets those, so that one
file serves light and dark. The series' colours are told apart with the common kinds of colour
blindness (after Okabe and Ito, Color Universal Design, 2008, in shades that both grounds bear).
"""

import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from dantaro.research.report_data import Measured
from dantaro.research.report_words import NARROW, date, days

BLUE = "#2f80c2"
ORANGE = "#e08a1e"
GREEN = "#159c78"
RED = "#cd5430"
PURPLE = "#b56aa5"
GREY = "#8b929c"
DAY = "day (UTC)"
PER_HORIZON = "% per horizon"
GROWTH_AXIS = {
    "type": "log",
    "tickvals": [digit * 10.0**power for power in range(-4, 5) for digit in (1, 2, 5)],
    "ticktext": [f"{digit * 10.0**power:g}" for power in range(-4, 5) for digit in (1, 2, 5)],
}
"""A logarithmic axis whose every label is a whole figure."""

BEST_TO_WORST = ("#1f6fb2", "#69a7d6", "#8b929c", "#e0a257", "#c8562b")
"""Five classes from best to worst: blue over grey to orange, so that lightness tells nothing alone."""


_TOP, _BOTTOM = 56, 48
"""Margins in pixels: above for the legend and the panels' titles, below for the axis."""


@dataclass(frozen=True, slots=True)
class Plot:
    """One plot of the report, or the reason why there is none.

    Attributes:
        name: unique within the page, usable as an HTML id.
        title: what it shows, with the unit.
        how_to_read: one or two sentences under it.
        figure: the Plotly figure as plain JSON values; None where it could not be drawn.
        height: in pixels.
        reason: why there is no figure.
    """

    name: str
    title: str
    how_to_read: str
    figure: dict[str, Any] | None
    height: int = 0
    reason: str = ""


def drawn(
    name: str, title: str, how_to_read: str, figure: go.Figure, *, height: int, top: int = _TOP
) -> Plot:
    """A finished plot from a figure."""
    figure.update_layout(
        template=None,
        height=height,
        margin={"l": 64, "r": 20, "t": top, "b": _BOTTOM},
        legend={
            "orientation": "h",
            "x": 0,
            "xanchor": "left",
            "y": 1,
            "yref": "container",
            "yanchor": "top",
        },
        hoverlabel={"namelength": -1},
        bargap=0.25,
    )
    figure.update_xaxes(automargin=True, zeroline=False)
    figure.update_yaxes(automargin=True)
    figure.update_annotations(font_size=13)
    return Plot(
        name, title, how_to_read.replace(" %", NARROW + "%"), figure.to_plotly_json(), height
    )


def absent(name: str, title: str, reason: str | None) -> Plot:
    """The place of a plot that could not be drawn."""
    return Plot(name, title, "", None, reason=reason or "nothing was measured")


def panels(
    titles: Sequence[str],
    *,
    stacked: bool = False,
    rows: int = 1,
    gap: float | None = None,
    **options: Any,
) -> go.Figure:
    """Panels beside each other (or stacked on one time axis), each under its title."""
    columns = 1 if stacked else len(titles)
    rows = len(titles) if stacked else rows
    space = {"vertical_spacing" if stacked else "horizontal_spacing": gap} if gap else {}
    blank = [""] * (rows * columns - len(titles))
    return make_subplots(
        rows=rows,
        cols=columns,
        subplot_titles=[shown(title) for title in titles] + blank,
        shared_xaxes=stacked or options.pop("shared_xaxes", False),
        **space,
        **options,
    )


def between_rows(pixels: int, *, height: int, top: int = _TOP) -> float:
    """The vertical spacing that leaves so many pixels between two rows of panels."""
    return pixels / (height - top - _BOTTOM)


def name_rows(figure: go.Figure, bottom_up: Sequence[str]) -> None:
    """Give categories on the vertical axes their order, and no more room than they need."""
    figure.update_yaxes(
        categoryorder="array",
        categoryarray=list(bottom_up),
        range=[-0.7, len(bottom_up) - 0.3],
        ticks="",
    )


def shown(text: str) -> str:
    """`text` for a label: Plotly takes labels for markup, and names come from outside."""
    return html.escape(text, quote=False)


def days_of(at_ms: Iterable[int]) -> list[str]:
    """UTC days for a time axis."""
    return [date(at) for at in at_ms]


def rounded(values: Iterable[float | None], scale: float = 1.0) -> list[float | None]:
    """`values` in six significant digits: more is invisible, and would double the file."""
    return [None if value is None else float(f"{value * scale:.6g}") for value in values]


def bars_of(figures: Sequence[Measured], scale: float = 1.0) -> dict[str, Any]:
    """Plotly's error bars that end where the intervals end."""
    above = [_reach(each.high, each.value, scale) for each in figures]
    below = [_reach(each.value, each.low, scale) for each in figures]
    return {
        "type": "data",
        "symmetric": False,
        "array": above,
        "arrayminus": below,
        "thickness": 1.4,
        "width": 3,
    }


def _reach(upper: float | None, lower: float | None, scale: float) -> float:
    if upper is None or lower is None:
        return 0.0
    return float(f"{(upper - lower) * scale:.6g}")


def values_of(figures: Iterable[Measured], scale: float = 1.0) -> list[float | None]:
    """The figures' values."""
    return rounded((each.value for each in figures), scale)


def heading(horizon_days: int) -> str:
    """The title of a panel."""
    return f"{days(horizon_days)} ahead"


class _OfHorizon(Protocol):
    @property
    def horizon_days(self) -> int: ...


_Found = TypeVar("_Found", bound=_OfHorizon)


def at_horizon(found: Iterable[_Found], horizon_days: int) -> list[_Found]:
    """Those of one horizon, in their order."""
    return [each for each in found if each.horizon_days == horizon_days]


def horizons_of(found: Iterable[_OfHorizon]) -> list[int]:
    """The horizons there are, shortest first."""
    return sorted({each.horizon_days for each in found})
