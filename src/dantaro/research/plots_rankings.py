"""The plots of one recording: how well the total ranked, and what its top was worth."""

from collections.abc import Sequence

import plotly.graph_objects as go

from dantaro.research.plots import (
    BEST_TO_WORST,
    BLUE,
    DAY,
    GREY,
    GROWTH_AXIS,
    ORANGE,
    PER_HORIZON,
    Plot,
    absent,
    at_horizon,
    bars_of,
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
from dantaro.research.report_data import (
    Contender,
    DailyIC,
    Equity,
    QuintileGrowth,
    RecordingFindings,
    Series,
    StrengthReturn,
)
from dantaro.research.report_words import date


def rank_ic_over_time(found: RecordingFindings, name: str) -> Plot:
    title = "Rank IC of the total, over time"
    if not found.series:
        return absent(name, title, found.missing.get("series"))
    figure = panels([heading(each.horizon_days) for each in found.series], stacked=True, gap=0.06)
    for row, each in enumerate(found.series, start=1):
        _add_ic(figure, each.ic, row)
    figure.update_yaxes(title_text="rank IC", zeroline=True)
    ends = [date(at) for each in found.series for at in each.ic.at_ms]
    figure.update_xaxes(range=[min(ends), max(ends)] if ends else None)
    figure.update_xaxes(title_text=DAY, row=len(found.series), col=1)
    return drawn(
        name,
        title,
        "Points are single days: the Spearman correlation between the total and what each coin then "
        f"returned. The line is the mean of the last {found.series[0].ic.window_days} days, the band "
        "its 95 % interval (Newey and West). Where the band lies above 0, the order of the coins told "
        "something in those days; a band around 0 is no skill.",
        figure,
        height=140 + 170 * len(found.series),
    )


def _add_ic(figure: go.Figure, ic: DailyIC, row: int) -> None:
    x, once = days_of(ic.at_ms), row == 1
    place = {"row": row, "col": 1}
    figure.add_scatter(
        x=x,
        y=rounded(ic.ic),
        mode="markers",
        name="one day",
        showlegend=once,
        legendgroup="day",
        marker={"size": 3, "color": GREY, "opacity": 0.45},
        **place,
    )
    edge = {"mode": "lines", "line": {"width": 0}, "hoverinfo": "skip", "legendgroup": "band"}
    figure.add_scatter(x=x, y=rounded(ic.low), showlegend=False, **edge, **place)
    figure.add_scatter(
        x=x,
        y=rounded(ic.high),
        fill="tonexty",
        fillcolor="rgba(47,128,194,0.28)",
        name="95 % interval",
        showlegend=once,
        **edge,
        **place,
    )
    figure.add_scatter(
        x=x,
        y=rounded(ic.rolling),
        mode="lines",
        name=f"mean of {ic.window_days} days",
        line={"color": BLUE, "width": 2},
        showlegend=once,
        legendgroup="mean",
        **place,
    )


def contenders_compared(found: RecordingFindings, name: str) -> Plot:
    title = "Mean rank IC: the total, the four scores and every baseline"
    horizons = horizons_of(found.contenders)
    if not horizons:
        return absent(name, title, found.missing.get("contenders"))
    order = _order_of(found.contenders)
    figure = panels([heading(h) for h in horizons], shared_yaxes=True, gap=0.03)
    for column, horizon in enumerate(horizons, start=1):
        here = [each for each in found.contenders if each.horizon_days == horizon]
        for kind, colour, symbol, said in (
            ("baseline", GREY, "circle", "baselines"),
            ("score", ORANGE, "square", "scores"),
            ("total", BLUE, "diamond", "the total"),
        ):
            chosen = [each for each in here if _kind(each) == kind]
            _add_forest(figure, chosen, colour=colour, symbol=symbol, name=said, column=column)
    name_rows(figure, order)
    figure.update_xaxes(title_text="mean daily rank IC")
    figure.add_vline(x=0, line_width=1, line_color=GREY)
    return drawn(
        name,
        title,
        "Each line is the 95 % interval of a ranking's mean daily rank IC. Right of 0 it ranked coins "
        "the right way round, left of 0 the wrong way round. Whether the total is ahead of a baseline "
        "beyond chance is told by the paired differences in the table, not by overlapping lines.",
        figure,
        height=130 + 24 * len(order),
    )


def _kind(one: Contender) -> str:
    return "total" if one.name == "total" else one.kind


def _order_of(contenders: Sequence[Contender]) -> list[str]:
    """Labels from the worst to the best at the first horizon: Plotly counts from the bottom."""
    first = min(each.horizon_days for each in contenders)
    ranked = sorted(
        (each for each in contenders if each.horizon_days == first),
        key=lambda each: (each.rank_ic.value or 0.0, each.name),
    )
    seen = [shown(each.label) for each in ranked]
    rest = (shown(each.label) for each in contenders)
    return list(dict.fromkeys([*(label for label in rest if label not in seen), *seen]))


def _add_forest(
    figure: go.Figure,
    chosen: Sequence[Contender],
    *,
    colour: str,
    symbol: str,
    name: str,
    column: int,
) -> None:
    if not chosen:
        return
    figures = [each.rank_ic for each in chosen]
    figure.add_scatter(
        x=values_of(figures),
        y=[shown(each.label) for each in chosen],
        mode="markers",
        name=name,
        legendgroup=name,
        showlegend=column == 1,
        error_x=bars_of(figures),
        marker={"color": colour, "symbol": symbol, "size": 9},
        row=1,
        col=column,
    )


def quintiles_and_strengths(found: RecordingFindings, name: str) -> Plot:
    title = "Return minus the universe's mean, by fifth of the ranking and by strength class"
    totals = _totals(found)
    if not totals or not any(each.quintiles for each in totals):
        return absent(name, title, found.missing.get("contenders"))
    figure = panels(
        [heading(each.horizon_days) for each in totals], rows=2, gap=0.06, vertical_spacing=0.2
    )
    for column, total in enumerate(totals, start=1):
        fifths = ["best", "2nd", "3rd", "4th", "worst"][: len(total.quintiles)]
        figure.add_bar(
            x=fifths,
            y=values_of(total.quintiles, 100),
            error_y=bars_of(total.quintiles, 100),
            marker_color=BEST_TO_WORST[: len(fifths)],
            showlegend=False,
            row=1,
            col=column,
        )
        _add_strengths(figure, at_horizon(found.strengths, total.horizon_days), column)
    figure.update_yaxes(zeroline=True)
    figure.update_yaxes(title_text=f"fifths, {PER_HORIZON}", row=1, col=1)
    figure.update_yaxes(title_text=f"classes, {PER_HORIZON}", row=2, col=1)
    return drawn(
        name,
        title,
        "Mean return over the horizon minus that of all ranked coins, with 95 % intervals; above: "
        "fifths of the ranking, below: the strength classes that are served. If the ranking is worth "
        "something the bars fall from left to right, and the first stands clear of 0.",
        figure,
        height=520,
        top=24,
    )


def _add_strengths(figure: go.Figure, classes: Sequence[StrengthReturn], column: int) -> None:
    if not classes:
        return
    figures = [each.excess for each in classes]
    figure.add_bar(
        x=[each.strength.replace("_", " ").lower() for each in classes],
        y=values_of(figures, 100),
        error_y=bars_of(figures, 100),
        marker_color=BEST_TO_WORST[: len(classes)],
        showlegend=False,
        row=2,
        col=column,
    )


def _totals(found: RecordingFindings) -> list[Contender]:
    totals = (each for each in found.contenders if each.name == "total")
    return sorted(totals, key=lambda each: each.horizon_days)


def quintile_growth(found: RecordingFindings, name: str) -> Plot:
    title = "What 1 became in each fifth of the ranking, before costs"
    curves = [(each.horizon_days, each.quintiles) for each in found.series if each.quintiles]
    if not curves:
        return absent(name, title, found.missing.get("quintiles"))
    figure = panels([heading(h) for h, _ in curves], gap=0.05)
    for column, (_, growth) in enumerate(curves, start=1):
        if growth is not None:
            _add_growth(figure, growth, column)
    figure.update_yaxes(**GROWTH_AXIS)
    figure.update_yaxes(title_text="value of 1 invested (log)", col=1)
    figure.update_xaxes(title_text=DAY)
    return drawn(
        name,
        title,
        "Equal weights, renewed in equal parts over the horizon, without costs. The fifths should fan "
        "out in order, best on top; whether anything of it is left after costs, the next plots tell.",
        figure,
        height=380,
    )


def _add_growth(figure: go.Figure, growth: QuintileGrowth, column: int) -> None:
    names = ("best fifth", "2nd", "3rd", "4th", "worst fifth")
    for label, colour, values in zip(names, BEST_TO_WORST, growth.growth, strict=False):
        figure.add_scatter(
            x=days_of(growth.at_ms),
            y=rounded(values),
            mode="lines",
            name=label,
            legendgroup=label,
            line={"color": colour, "width": 1.8},
            showlegend=column == 1,
            row=1,
            col=column,
        )


def equity_and_drawdown(found: RecordingFindings, name: str) -> Plot:
    title = "Top 20 after costs beside the universe, and the loss from the last peak"
    curves = [(each.horizon_days, each.equity) for each in found.series if each.equity]
    if not curves:
        return absent(name, title, found.missing.get("equity"))
    figure = panels(
        [heading(h) for h, _ in curves],
        rows=2,
        gap=0.05,
        vertical_spacing=0.07,
        row_heights=[0.64, 0.36],
        shared_xaxes=True,
    )
    for column, (_, equity) in enumerate(curves, start=1):
        if equity is not None:
            _add_equity(figure, equity, column)
    figure.update_yaxes(**GROWTH_AXIS, row=1)
    figure.update_yaxes(title_text="value of 1 (log)", row=1, col=1)
    figure.update_yaxes(title_text="drawdown, %", row=2, col=1)
    figure.update_xaxes(title_text=DAY, row=2)
    return drawn(
        name,
        title,
        "What 1 became in the 20 best-ranked coins, net of costs and of the turnover they really had, "
        "beside all ranked coins in equal weights without costs. Below, how far each stood under its "
        "last peak. Only a top curve that rises above the other is money made by the ranking.",
        figure,
        height=470,
    )


def _add_equity(figure: go.Figure, equity: Equity, column: int) -> None:
    x = days_of(equity.at_ms)
    for label, colour, values in (
        ("top 20, net", BLUE, equity.top),
        ("universe", GREY, equity.universe),
    ):
        line = {"color": colour, "width": 1.8}
        figure.add_scatter(
            x=x,
            y=rounded(values),
            mode="lines",
            name=label,
            legendgroup=label,
            line=line,
            showlegend=column == 1,
            row=1,
            col=column,
        )
        figure.add_scatter(
            x=x,
            y=rounded(drawdowns(values), 100),
            mode="lines",
            name=label,
            legendgroup=label,
            line=line,
            showlegend=False,
            row=2,
            col=column,
        )


def drawdowns(equity: Series) -> Series:
    """Loss from the highest value so far, as a fraction of it: 0 or below."""
    peak, losses = 0.0, []
    for value in equity:
        peak = max(peak, value or 0.0)
        losses.append(None if value is None or peak <= 0 else value / peak - 1)
    return tuple(losses)


def top_lists(found: RecordingFindings, name: str) -> Plot:
    title = "Top lists minus the universe's mean, before and after costs"
    totals = [each for each in _totals(found) if each.tops]
    if not totals:
        return absent(name, title, found.missing.get("contenders"))
    figure = panels([heading(each.horizon_days) for each in totals], gap=0.06)
    for column, total in enumerate(totals, start=1):
        for label, colour, figures in (
            ("before costs", GREY, [top.excess for top in total.tops]),
            ("after costs", BLUE, [top.net_excess for top in total.tops]),
        ):
            figure.add_bar(
                x=[f"top {top.count}" for top in total.tops],
                y=values_of(figures, 100),
                name=label,
                error_y=bars_of(figures, 100),
                marker_color=colour,
                legendgroup=label,
                showlegend=column == 1,
                row=1,
                col=column,
            )
    figure.update_yaxes(zeroline=True)
    figure.update_yaxes(title_text=PER_HORIZON, col=1)
    return drawn(
        name,
        title,
        "Mean return over the horizon minus the mean (not the median) of all ranked coins, with 95 % "
        "intervals. A bar after costs whose interval includes 0 is not proven to make money.",
        figure,
        height=350,
    )
