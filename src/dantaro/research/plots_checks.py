"""The plots of one recording that doubt it: chance, parts of the data, leaks and who was in it."""

from collections.abc import Sequence
from itertools import pairwise

import plotly.graph_objects as go

from dantaro.research.plots import (
    BLUE,
    DAY,
    GREEN,
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
from dantaro.research.report_data import FeatureCheck, RandomRankings, RecordingFindings, Slice
from dantaro.research.report_words import number, probability


def random_rankings(found: RecordingFindings, name: str) -> Plot:
    title = "The total among rankings drawn by chance"
    shares = [each for each in found.random if each.measure == "rank_ic" and each.counts]
    if not shares:
        return absent(name, title, found.missing.get("random"))
    figure = panels([heading(each.horizon_days) for each in shares], gap=0.05)
    for column, each in enumerate(shares, start=1):
        _add_random(figure, each, column)
    figure.update_xaxes(title_text="mean daily rank IC")
    figure.update_yaxes(title_text="random rankings", col=1)
    return drawn(
        name,
        title,
        f"The bars are {shares[0].draws:,} random rankings of the same coins on the same days; the line "
        "is the total. The p-value is the share of random rankings that did as well or better; the "
        "smallest that so many draws can show is one over their number plus one.",
        figure,
        height=320,
    )


def _add_random(figure: go.Figure, draws: RandomRankings, column: int) -> None:
    edges = draws.edges
    pairs = list(pairwise(edges))
    figure.add_bar(
        x=rounded((low + high) / 2 for low, high in pairs),
        y=list(draws.counts),
        name="random rankings",
        width=rounded(high - low for low, high in pairs),
        marker_color=GREY,
        legendgroup="random",
        showlegend=column == 1,
        row=1,
        col=column,
    )
    if draws.observed is None:
        return
    x, top = float(f"{draws.observed:.6g}"), max(draws.counts)
    figure.add_scatter(
        x=[x, x],
        y=[0, top],
        mode="lines+text",
        name="the total",
        legendgroup="total",
        line={"color": BLUE, "width": 2.5},
        showlegend=column == 1,
        row=1,
        col=column,
        text=["", f"{number(draws.observed, signed=True)}, p {_p(draws.p_value)}"],
        textposition="middle left" if draws.observed > edges[-1] else "top center",
    )


def _p(p_value: float | None) -> str:
    said = probability(p_value)
    return shown(said if said.startswith("<") else f"= {said}")


def slices_compared(found: RecordingFindings, name: str) -> Plot:
    title = "The total by liquidity tier and market regime"
    slices = [each for each in found.slices if each.group != "fold"]
    horizons = horizons_of(slices)
    if not horizons:
        return absent(name, title, found.missing.get("slices"))
    labels = list(dict.fromkeys(_slice_label(each) for each in reversed(slices)))
    height = 200 + 44 * len(labels)
    figure = panels(
        [heading(h) for h in horizons],
        rows=2,
        gap=0.03,
        vertical_spacing=between_rows(80, height=height),
        shared_yaxes=True,
    )
    for column, horizon in enumerate(horizons, start=1):
        here = at_horizon(slices, horizon)
        for group, colour in (("tier", BLUE), ("regime", ORANGE)):
            chosen = [each for each in here if each.group == group]
            _add_slices(figure, chosen, colour=colour, column=column)
    name_rows(figure, labels)
    figure.update_xaxes(title_text="mean daily rank IC", row=1)
    figure.update_xaxes(title_text="top 20 net excess, % per horizon", row=2)
    figure.add_vline(x=0, line_width=1, line_color=GREY)
    return drawn(
        name,
        title,
        "The same measures within parts of the markets (tiers: thirds by 30-day turnover) and of the "
        "days (regimes of the whole market). A ranking that works in one row only, works by that row's "
        "luck or for its reason; the intervals widen as days get fewer.",
        figure,
        height=height,
    )


def _slice_label(one: Slice) -> str:
    return shown(f"{one.group}: {one.name}")


def _add_slices(figure: go.Figure, chosen: Sequence[Slice], *, colour: str, column: int) -> None:
    rows = (
        ([each.rank_ic for each in chosen], 1.0),
        ([each.net_excess for each in chosen], 100.0),
    )
    for row, (figures, scale) in enumerate(rows, start=1):
        if chosen:
            figure.add_scatter(
                x=values_of(figures, scale),
                y=[_slice_label(each) for each in chosen],
                mode="markers",
                name=f"by {chosen[0].group}",
                error_x=bars_of(figures, scale),
                legendgroup=chosen[0].group,
                marker={"color": colour, "size": 8},
                showlegend=column == row == 1,
                row=row,
                col=column,
            )


def folds_compared(found: RecordingFindings, name: str) -> Plot:
    title = "The total fold by fold"
    folds = [each for each in found.slices if each.group == "fold"]
    horizons = horizons_of(folds)
    if not horizons:
        return absent(name, title, found.missing.get("slices", "there are no folds here"))
    figure = panels(
        [heading(h) for h in horizons],
        rows=2,
        gap=0.05,
        vertical_spacing=between_rows(30, height=420),
        shared_xaxes=True,
    )
    for column, horizon in enumerate(horizons, start=1):
        here = at_horizon(folds, horizon)
        rows = (([e.rank_ic for e in here], 1.0), ([e.net_excess for e in here], 100.0))
        for row, (figures, scale) in enumerate(rows, start=1):
            figure.add_scatter(
                x=[shown(each.name) for each in here],
                y=values_of(figures, scale),
                mode="markers",
                error_y=bars_of(figures, scale),
                marker={"color": GREEN, "size": 6},
                showlegend=False,
                row=row,
                col=column,
            )
    figure.update_xaxes(type="category", tickangle=-90)
    figure.update_xaxes(title_text="fold, in time", row=2)
    figure.update_yaxes(zeroline=True)
    figure.update_yaxes(title_text="rank IC", row=1, col=1)
    figure.update_yaxes(title_text="top 20 net, %", row=2, col=1)
    return drawn(
        name,
        title,
        "Each point is the mean over one test span, with its 95 % interval; every span was predicted by "
        "an engine fitted on earlier days alone. Held-back spans took no part in any choice. Look for a "
        "trend: an edge that fades may not last.",
        figure,
        height=420,
        top=24,
    )


def features_checked(found: RecordingFindings, name: str) -> Plot:
    title = "Leak control: every feature's own rank IC"
    horizons = horizons_of(found.features)
    if not horizons:
        return absent(name, title, found.missing.get("features"))
    figure = panels([heading(h) for h in horizons], shared_yaxes=True, gap=0.03)
    for column, horizon in enumerate(horizons, start=1):
        here = at_horizon(found.features, horizon)
        _add_features(figure, here, column, bounds=column == 1)
    order = sorted(
        at_horizon(found.features, horizons[0]),
        key=lambda each: (each.rank_ic.value or 0.0, each.feature),
    )
    labels = list(dict.fromkeys(shown(each.feature) for each in (*order, *found.features)))
    name_rows(figure, labels)
    figure.update_xaxes(title_text="mean daily rank IC")
    return drawn(
        name,
        title,
        "A feature beyond the dashed lines ranks the next day better than honest features do, and is "
        "suspected of knowing the future; so is one whose past values change when later candles are taken "
        "away. The control is tomorrow's return itself, put in on purpose: if it were not flagged, no "
        "leak would be.",
        figure,
        height=130 + 20 * len(labels),
    )


def _add_features(
    figure: go.Figure, here: Sequence[FeatureCheck], column: int, *, bounds: bool
) -> None:
    for label, colour, symbol, chosen in (
        ("features", GREY, "circle", [e for e in here if not e.flagged]),
        ("flagged", RED, "x", [e for e in here if e.flagged]),
    ):
        figures = [each.rank_ic for each in chosen]
        figure.add_scatter(
            x=values_of(figures),
            y=[shown(each.feature) for each in chosen],
            mode="markers",
            name=label,
            error_x=bars_of(figures),
            legendgroup=label,
            showlegend=column == 1,
            marker={"color": colour, "symbol": symbol, "size": 8},
            row=1,
            col=column,
        )
    for side in (-1, 1) if bounds else ():
        threshold = side * max(each.threshold for each in here)
        figure.add_vline(x=threshold, line_width=1.2, line_dash="dash", line_color=RED, col=column)
    figure.add_vline(x=0, line_width=1, line_color=GREY, col=column)


def universe_over_time(found: RecordingFindings, name: str) -> Plot:
    title = "Markets over time"
    universe = found.universe
    if not universe.at_ms:
        return absent(name, title, found.missing.get("universe"))
    figure = panels([""])
    x = days_of(universe.at_ms)
    for label, colour, values in (
        ("with candles", GREY, universe.listed),
        ("ranked", BLUE, universe.ranked),
    ):
        figure.add_scatter(
            x=x, y=list(values), mode="lines", name=label, line={"color": colour, "width": 1.8}
        )
    figure.update_xaxes(title_text=DAY)
    figure.update_yaxes(title_text="markets", rangemode="tozero")
    return drawn(
        name,
        title,
        "How many markets had candles on each day and how many of them were ranked, by what was known "
        "on that day. Markets that were delisted later are in it until they ended; between the lines "
        "are the exclusions, told below.",
        figure,
        height=300,
    )
