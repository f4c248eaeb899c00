"""The plots of how the engine was chosen, and of how much of its record may be luck."""

import math

import plotly.graph_objects as go

from dantaro.research.plots import (
    BLUE,
    GREY,
    ORANGE,
    RED,
    Plot,
    absent,
    at_horizon,
    bars_of,
    between_rows,
    days_of,
    drawn,
    heading,
    horizons_of,
    name_rows,
    panels,
    rounded,
    shown,
    values_of,
)
from dantaro.research.report_data import Fold, Influence, Overfitting, Selection
from dantaro.research.report_words import date, number

_INFLUENCE = {
    "weight": ("Weights of the features", "weight"),
    "importance": ("Importance of the features", "share of gain"),
    "contribution": ("Contributions of the features", "mean absolute contribution"),
}
_DIVERGING = [[0.0, "#c8562b"], [0.5, "#e9e6e1"], [1.0, "#1f6fb2"]]
_RISING = [[0.0, "#e9e6e1"], [1.0, "#1f6fb2"]]


def selection_plots(found: Selection) -> tuple[Plot, ...]:
    """All plots of the selection, in the order of the page."""
    return (
        engines_compared(found),
        folds_over_time(found),
        *(influence_over_time(each, i) for i, each in enumerate(found.influence)),
        overfitting_logits(found),
    )


def engines_compared(found: Selection) -> Plot:
    """Rank IC and net excess of every engine, out of sample."""
    name, title = "engines", "Engines, out of sample"
    horizons = horizons_of(found.engines)
    if not horizons:
        return absent(name, title, found.missing.get("engines"))
    order = list(dict.fromkeys(shown(each.engine) for each in reversed(found.engines)))
    height = 240 + 44 * len(order)
    figure = panels(
        [heading(each) for each in horizons],
        rows=2,
        gap=0.03,
        vertical_spacing=between_rows(80, height=height),
        shared_yaxes=True,
    )
    for column, horizon in enumerate(horizons, start=1):
        here = at_horizon(found.engines, horizon)
        for label, colour, symbol, of_kind in (
            ("chosen", BLUE, "diamond", [e for e in here if e.engine == found.chosen]),
            ("others", GREY, "circle", [e for e in here if e.engine != found.chosen]),
        ):
            rows = (
                ([each.rank_ic for each in of_kind], 1.0),
                ([each.net_excess for each in of_kind], 100.0),
            )
            for row, (figures, scale) in enumerate(rows, start=1):
                figure.add_scatter(
                    x=values_of(figures, scale),
                    y=[shown(each.engine) for each in of_kind],
                    mode="markers",
                    name=label,
                    legendgroup=label,
                    showlegend=column == row == 1,
                    error_x=bars_of(figures, scale),
                    marker={"color": colour, "symbol": symbol, "size": 9},
                    row=row,
                    col=column,
                )
    name_rows(figure, order)
    figure.update_xaxes(title_text="mean daily rank IC", row=1)
    figure.update_xaxes(title_text="top 20 net of costs, % per horizon", row=2)
    figure.add_vline(x=0, line_width=1, line_color=GREY)
    return drawn(
        name,
        title,
        "All engines on the same folds, with 95 % intervals. The simplest engine is taken that is not "
        "worse than the best beyond chance (paired differences in the table).",
        figure,
        height=height,
    )


def folds_over_time(found: Selection) -> Plot:
    """Training, embargo and test spans."""
    name, title = "folds", "Walk-forward folds"
    if not found.folds:
        return absent(name, title, found.missing.get("folds"))
    figure = go.Figure()
    kept, once = (
        [each for each in found.folds if each.looked_at_once is wanted] for wanted in (False, True)
    )
    for label, colour, spans in (
        ("training", GREY, [(e, e.train_from_ms, e.train_until_ms) for e in found.folds]),
        ("embargo", ORANGE, [(e, e.train_until_ms, e.test_from_ms) for e in found.folds]),
        ("test", BLUE, [(e, e.test_from_ms, e.test_until_ms) for e in kept]),
        ("held back, looked at once", RED, [(e, e.test_from_ms, e.test_until_ms) for e in once]),
    ):
        _add_spans(figure, label, colour, spans)
    figure.update_layout(barmode="overlay")
    figure.update_xaxes(type="date", title_text="day (UTC)")
    figure.update_yaxes(autorange="reversed", ticks="")
    return drawn(
        name,
        title,
        "In each fold the engine is fitted on the grey span and tested on the coloured one. The embargo "
        "between them keeps outcomes of the training span out of the test. What was held back took no "
        "part in any choice and was looked at once.",
        figure,
        height=140 + 26 * len(found.folds),
    )


def _add_spans(
    figure: go.Figure, label: str, colour: str, spans: list[tuple[Fold, int, int]]
) -> None:
    if spans:
        figure.add_bar(
            orientation="h",
            y=[f"fold {fold.number}" for fold, _, _ in spans],
            x=[until_ms - from_ms for _, from_ms, until_ms in spans],
            base=[date(from_ms) for _, from_ms, _ in spans],
            name=label,
            marker_color=colour,
            hovertext=[f"{label}: {date(a)} to {date(b)}" for _, a, b in spans],
            hoverinfo="text",
        )


def influence_over_time(found: Influence, index: int) -> Plot:
    """A map of features by refits."""
    said, unit = _INFLUENCE.get(found.kind, (f"{found.kind} of the features", found.kind))
    name, title = f"influence-{index}", f"{said} over time: {found.engine}"
    if not found.at_ms or not found.curves:
        return absent(name, title, "the engine was not refitted")
    curves = sorted(found.curves, key=lambda each: (_mean_size(each.values), each.feature))
    signed = any((value or 0.0) < 0 for each in curves for value in each.values)
    largest = max((abs(value or 0.0) for each in curves for value in each.values), default=1.0)
    figure = go.Figure(
        go.Heatmap(
            x=days_of(found.at_ms),
            y=[shown(each.feature) for each in curves],
            z=[rounded(each.values) for each in curves],
            zmin=-largest if signed else 0.0,
            zmax=largest,
            colorscale=_DIVERGING if signed else _RISING,
            colorbar={"title": {"text": unit, "side": "right"}, "thickness": 12, "outlinewidth": 0},
            xgap=1,
            ygap=1,
            hovertemplate="%{y}<br>%{x|%Y-%m-%d}: %{z:.4f}<extra></extra>",
        )
    )
    figure.update_xaxes(title_text="refit on day (UTC)", showgrid=False)
    figure.update_yaxes(ticks="", showgrid=False)
    return drawn(
        name,
        title,
        "One row for each feature, the most influential on top; one column for each refit. Rows of one "
        "steady colour are relations that held over time; rows that change colour were fitted to the day.",
        figure,
        height=90 + 20 * len(curves),
        top=16,
    )


def _mean_size(values: tuple[float | None, ...]) -> float:
    known = [abs(value) for value in values if value is not None]
    return math.fsum(known) / len(known) if known else 0.0


def overfitting_logits(found: Selection) -> Plot:
    """The distribution behind the probability of backtest overfitting."""
    name, title = "pbo", "Probability of backtest overfitting"
    shares = [each for each in found.overfitting if each.logits]
    if not shares:
        reasons = [each.reason for each in found.overfitting if each.reason]
        return absent(name, title, next(iter(reasons), found.missing.get("overfitting")))
    figure = panels([_logit_title(each) for each in shares], gap=0.06)
    for column, each in enumerate(shares, start=1):
        below, above = (
            [value for value in each.logits if (value <= 0) is wanted] for wanted in (True, False)
        )
        for label, colour, logits in (("worse half", RED, below), ("better half", BLUE, above)):
            figure.add_histogram(
                x=rounded(logits),
                name=label,
                legendgroup=label,
                showlegend=column == 1,
                marker_color=colour,
                xbins={"start": -8, "end": 8, "size": 0.5},
                autobinx=False,
                row=1,
                col=column,
            )
    figure.update_layout(barmode="overlay")
    figure.update_xaxes(title_text="logit of the rank out of sample")
    figure.update_yaxes(title_text="splits", col=1)
    return drawn(
        name,
        title,
        "The time is cut into blocks, and in every way of taking half of them the best variant in sample "
        "is looked up out of sample. Where it lands in the worse half (left of 0) choosing by the past "
        "did harm; their share is the probability of overfitting. 0.5 is what pure chance gives.",
        figure,
        height=330,
    )


def _logit_title(one: Overfitting) -> str:
    return f"{one.measure}, {one.variants} variants: PBO {number(one.probability, 2)}"
