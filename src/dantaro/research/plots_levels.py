"""The plots of levels: whether they hold more often than placebo lines, and as often as stated."""

from collections.abc import Sequence

import plotly.graph_objects as go

from dantaro.research.plots import (
    BLUE,
    GREY,
    ORANGE,
    PURPLE,
    Plot,
    absent,
    bars_of,
    drawn,
    name_rows,
    panels,
    rounded,
    shown,
    values_of,
)
from dantaro.research.report_data import CalibrationBin, LevelClass, LevelFindings

_SIDES = {"support": BLUE, "resistance": ORANGE, "both": PURPLE}
_POINTS = "hold rate minus placebo, percentage points"
_GROUPS = {"age": "by age", "touches": "by touches", "distance": "by distance"}


def level_plots(found: LevelFindings, prefix: str) -> tuple[Plot, ...]:
    """All plots of one recording's levels, in the order of the page."""
    return (
        methods_compared(found, f"{prefix}-methods"),
        decay(found, f"{prefix}-decay"),
        calibration(found, f"{prefix}-calibration"),
    )


def methods_compared(found: LevelFindings, name: str) -> Plot:
    """Hold rate minus placebo of the served set and of every method, by side."""
    title = "Hold rate minus placebo, by method and side"
    classes = [each for each in found.classes if each.group in ("set", "method")]
    if not classes:
        return absent(name, title, found.missing.get("classes"))
    labels = list(dict.fromkeys(_label(each) for each in _worth_last(classes)))
    figure = panels(["supports", "resistances"], shared_yaxes=True, gap=0.03)
    for column, side in enumerate(("support", "resistance"), start=1):
        for of in (side, "both"):
            here = [each for each in classes if each.side == of]
            for served in (True, False):
                chosen = [each for each in here if bool(each.served) is served]
                _add_differences(figure, chosen, served=served, column=column)
    name_rows(figure, labels)
    figure.update_xaxes(title_text=_POINTS)
    figure.add_vline(x=0, line_width=1, line_color=GREY)
    return drawn(
        name,
        title,
        "How much more often the levels of a method held than placebo lines of the same coin, day, side "
        "and distance, in percentage points, with 95 % intervals clustered by day. An interval that "
        "includes 0 is no better than a random line; left of 0 the level broke more often than one.",
        figure,
        height=140 + 24 * len(labels),
    )


def _label(one: LevelClass) -> str:
    return shown(f"{one.name}, both sides" if one.side == "both" else one.name)


def _worth_last(classes: Sequence[LevelClass]) -> list[LevelClass]:
    """From the least to the most worth, the sets above all: Plotly counts from the bottom."""
    return sorted(
        classes, key=lambda each: (each.group == "set", each.difference.value or 0.0, each.name)
    )


def _add_differences(
    figure: go.Figure, chosen: Sequence[LevelClass], *, served: bool, column: int
) -> None:
    if not chosen:
        return
    label = "served" if served else "not served"
    figures = [each.difference for each in chosen]
    figure.add_scatter(
        x=values_of(figures, 100),
        y=[_label(each) for each in chosen],
        mode="markers",
        name=label,
        legendgroup=label,
        showlegend=not any(trace.name == label for trace in figure.data),
        error_x=bars_of(figures, 100),
        marker={
            "color": _SIDES[chosen[0].side],
            "symbol": "diamond" if served else "circle-open",
            "size": 9,
        },
        customdata=[each.touched for each in chosen],
        hovertemplate="%{y}: %{x:+.1f} points, %{customdata} touches<extra></extra>",
        row=1,
        col=column,
    )


def decay(found: LevelFindings, name: str) -> Plot:
    """Hold rate minus placebo by age, touches and distance."""
    title = "Hold rate minus placebo, by age, touches and distance"
    groups = [group for group in _GROUPS if any(each.group == group for each in found.classes)]
    if not groups:
        return absent(name, title, found.missing.get("decay"))
    figure = panels([_GROUPS[group] for group in groups], shared_yaxes=True, gap=0.03)
    for column, group in enumerate(groups, start=1):
        for side, colour in _SIDES.items():
            here = [each for each in found.classes if each.group == group and each.side == side]
            _add_decay(figure, here, side=side, colour=colour, column=column)
    figure.update_yaxes(zeroline=True)
    figure.update_yaxes(title_text="percentage points", col=1)
    figure.update_xaxes(type="category")
    figure.update_layout(scattermode="group", scattergap=0.6)
    return drawn(
        name,
        title,
        "Whether older levels, levels with more touches or levels further away hold better or worse "
        "than placebo lines. What is often said of them (more touches, more strength) must show here "
        "as rising points; the intervals cover 95 %.",
        figure,
        height=360,
    )


def _add_decay(
    figure: go.Figure, chosen: Sequence[LevelClass], *, side: str, colour: str, column: int
) -> None:
    if not chosen:
        return
    figures = [each.difference for each in chosen]
    figure.add_scatter(
        x=[shown(each.name) for each in chosen],
        y=values_of(figures, 100),
        mode="markers",
        name=side,
        legendgroup=side,
        showlegend=not any(trace.name == side for trace in figure.data),
        error_y=bars_of(figures, 100),
        marker={"color": colour, "size": 9},
        customdata=[each.touched for each in chosen],
        hovertemplate="%{x}: %{y:+.1f} points, %{customdata} touches<extra></extra>",
        row=1,
        col=column,
    )


def calibration(found: LevelFindings, name: str) -> Plot:
    """Observed against stated probability, with the touches behind each point."""
    title = "Calibration of the hold probability"
    bins = [each for each in found.calibration if each.n and each.observed.value is not None]
    if not bins:
        return absent(name, title, found.missing.get("calibration"))
    figure = panels(["", ""], stacked=True, gap=0.06, row_heights=[0.74, 0.26])
    low, high = _range_of(bins)
    figure.add_scatter(
        x=[low, high],
        y=[low, high],
        mode="lines",
        name="as stated",
        line={"color": GREY, "dash": "dash", "width": 1.5},
        row=1,
        col=1,
    )
    observed, x = [each.observed for each in bins], rounded((each.predicted for each in bins), 100)
    figure.add_scatter(
        x=x,
        y=values_of(observed, 100),
        mode="markers+lines",
        name="observed",
        error_y=bars_of(observed, 100),
        line={"color": BLUE, "width": 1},
        marker={"color": BLUE, "size": 8},
        row=1,
        col=1,
    )
    figure.add_bar(
        x=x,
        y=[each.n for each in bins],
        marker_color=GREY,
        showlegend=False,
        name="touches",
        row=2,
        col=1,
    )
    figure.update_yaxes(title_text="held, %", row=1)
    figure.update_yaxes(title_text="touches", row=2, rangemode="tozero")
    figure.update_xaxes(title_text="stated probability, %", row=2)
    return drawn(
        name,
        title,
        "Touched levels in ten groups by the probability that was stated; the point is the share that "
        "then held, with Wilson's 95 % interval. On the dashed line the probability is honest, below it "
        "is too confident. The bars tell how many touches each point stands on.",
        figure,
        height=460,
    )


def _range_of(bins: Sequence[CalibrationBin]) -> tuple[float, float]:
    ends = [100 * (each.predicted or 0.0) for each in bins]
    ends += [100 * (each.observed.value or 0.0) for each in bins]
    return float(f"{min(ends):.6g}"), float(f"{max(ends):.6g}")
