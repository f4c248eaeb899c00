"""The tables of the aims, of one recording's rankings, and of the run."""

from collections.abc import Iterable, Mapping, Sequence

from dantaro.research.report_cells import (
    Cell,
    Table,
    count_cell,
    day_cell,
    days_cell,
    ends_cell,
    figure_cell,
    number_cell,
    rate_cell,
    word,
)
from dantaro.research.report_data import (
    Aim,
    Contender,
    Measured,
    RecordingFindings,
    Run,
)
from dantaro.research.report_words import (
    ABSENT,
    number,
    significant,
    span,
)


def aims_by_data(aims: Sequence[Aim]) -> Table:
    """One row an aim, one column a recording."""
    data = tuple(dict.fromkeys(aim.data for aim in aims))
    texts = dict.fromkeys((aim.subject, aim.text) for aim in aims)
    rows = []
    for subject, text in texts:
        chosen = [
            [a for a in aims if (a.subject, a.text, a.data) == (subject, text, d)] for d in data
        ]
        rows.append((word(text), *map(_verdict, chosen)))
    return Table("aims", "Aims", ("aim", *data), tuple(rows), reason="nothing was measured")


def _verdict(aims: Sequence[Aim]) -> Cell:
    if not aims:
        return Cell("\u2013", mark="none")
    states = [aim.passed for aim in aims]
    mark = "open" if None in states else "good" if all(states) else "bad"
    sign = {"good": "\u2713 reached", "bad": "\u2717 missed", "open": "? not judged"}[mark]
    return Cell(f"{sign}: {'; '.join(aim.measured for aim in aims)}", mark=mark)


def ranking_tables(found: RecordingFindings, prefix: str) -> tuple[Table, ...]:
    """All tables of one recording."""
    return (
        _portfolios(found, prefix),
        _contenders(found, prefix),
        _exclusions(found, prefix),
        _delistings(found, prefix),
        _anomalies(found, prefix),
    )


def _portfolios(found: RecordingFindings, prefix: str) -> Table:
    names = {"top_20": "top 20, after costs", "top_20_gross": "top 20, before costs"}
    rows = tuple(
        (
            days_cell(each.horizon_days),
            word(names.get(each.name, each.name)),
            figure_cell(each.sharpe, 2, reason=each.reason),
            ends_cell(each.sharpe, digits=2),
            rate_cell(each.annual_return, 0, signed=True, reason=each.reason),
            rate_cell(each.volatility, 0, reason=each.reason),
            rate_cell(each.max_drawdown, 0, reason=each.reason),
        )
        for each in found.portfolios
    )
    head = (
        "horizon",
        "portfolio",
        "Sharpe",
        "95 %",
        "growth a year",
        "volatility a year",
        "max. drawdown",
    )
    return Table(
        f"{prefix}-portfolios",
        "Portfolios held all the time",
        head,
        rows,
        "Renewed in equal parts over the horizon. The universe is every ranked market in equal weights.",
        found.missing.get("portfolios", ""),
    )


def _contenders(found: RecordingFindings, prefix: str) -> Table:
    paired = {(each.baseline, each.horizon_days): each for each in found.differences}
    rows = []
    for each in found.contenders:
        pair = paired.get((each.name, each.horizon_days))
        ahead = pair.difference if pair else None
        rows.append(
            (
                word(each.label),
                word(each.kind),
                days_cell(each.horizon_days),
                *_ranked(each),
                *_top_cells(each),
                *_ahead(ahead),
            )
        )
    head = (
        "ranking",
        "kind",
        "horizon",
        "rank IC",
        "95 %",
        "t",
        "ICIR",
        "days IC > 0",
        "top 20 gross",
        "top 20 net",
        "t net",
        "turnover",
        "fifths ordered",
        "total minus it",
        "95 %",
    )
    return Table(
        f"{prefix}-contenders",
        "Every ranking at every horizon",
        head,
        tuple(rows),
        "Net: after costs and actual turnover, minus the universe's mean, per horizon. Total minus it: "
        "mean paired difference of daily rank IC; above 0 with its whole interval, the total is ahead "
        "beyond chance.",
        found.missing.get("contenders", ""),
        folded=True,
    )


def _ranked(one: Contender) -> tuple[Cell, ...]:
    return (
        figure_cell(one.rank_ic, 3, signed=True),
        ends_cell(one.rank_ic),
        number_cell(one.rank_ic.t_stat, 1, signed=True),
        number_cell(one.icir, 2, signed=True),
        rate_cell(one.hit_rate.value, 0, reason=one.hit_rate.reason),
    )


def _top_cells(one: Contender) -> tuple[Cell, ...]:
    top = next((each for each in one.tops if each.count == 20), None)
    said = {None: Cell(ABSENT), True: Cell("yes", mark="good"), False: Cell("no", mark="bad")}
    if top is None:
        return (*[Cell(ABSENT, title="no top list of 20", numeric=True)] * 4, said[one.monotone])
    return (
        rate_cell(top.excess.value, 2, signed=True, reason=top.excess.reason),
        rate_cell(top.net_excess.value, 2, signed=True, reason=top.net_excess.reason),
        number_cell(top.net_excess.t_stat, 1, signed=True),
        rate_cell(top.turnover.value, 0, reason=top.turnover.reason),
        said[one.monotone],
    )


def _ahead(difference: Measured | None) -> tuple[Cell, Cell]:
    if difference is None:
        return Cell("", numeric=True), Cell("")
    beyond = difference.low is not None and difference.low > 0
    figure = figure_cell(difference, 3, signed=True)
    mark = "" if difference.value is None else "good" if beyond else "bad"
    return (
        Cell(figure.text, figure.order, figure.title, mark, numeric=True),
        ends_cell(difference),
    )


def _exclusions(found: RecordingFindings, prefix: str) -> Table:
    rows = tuple(
        (
            word(each.reason),
            count_cell(each.markets),
            count_cell(each.market_days),
            word(", ".join(each.examples)),
        )
        for each in found.universe.exclusions
    )
    return Table(
        f"{prefix}-exclusions",
        "Exclusions",
        ("reason", "markets", "market-days", "among them"),
        rows,
        "A market-day is one market on one day. A market can be left out for several reasons.",
        found.missing.get("exclusions", "no market was left out"),
    )


def _delistings(found: RecordingFindings, prefix: str) -> Table:
    rows = tuple(
        (
            word(e.symbol),
            day_cell(e.last_ms),
            rate_cell(e.last_month_return, 0, signed=True, reason="fewer than 30 days of candles"),
        )
        for e in found.universe.delistings
    )
    return Table(
        f"{prefix}-delistings",
        "Markets that ended",
        ("market", "last candle (UTC)", "last 30 days"),
        rows,
        "They stay in the outcomes with their last price: leaving them out would flatter.",
        found.missing.get("delistings", "none ended within the recording"),
        folded=len(rows) > 12,
    )


def _anomalies(found: RecordingFindings, prefix: str) -> Table:
    rows = tuple(
        (
            word(e.symbol),
            day_cell(e.at_ms),
            Cell(significant(e.ratio), e.ratio, numeric=True),
            word(e.detail),
        )
        for e in found.universe.anomalies
    )
    return Table(
        f"{prefix}-anomalies",
        "Price anomalies",
        ("market", "day (UTC)", "price after / before", "what"),
        rows,
        "Jumps that no trade made: redenominations, or a ticker that was given to another coin.",
        found.missing.get("anomalies", "none was found"),
        folded=len(rows) > 12,
    )


def run_tables(run: Run) -> tuple[Table, ...]:
    """The files that were read and the options of the run."""
    files = tuple(
        (
            word(each.name),
            word(each.exchange),
            word(each.timeframe),
            word(span(each.from_ms, each.until_ms)),
            count_cell(each.markets),
            count_cell(each.days),
            count_cell(each.rows),
            Cell(f"{each.sha256[:16]}\u2026", each.sha256, title=each.sha256, mark="code"),
        )
        for each in run.data
    )
    options: Mapping[str, object] = {
        "code version": run.code_version,
        "seed": run.seed,
        "horizons, days": ", ".join(map(str, run.horizons_days)),
        "costs per side, bp": number(run.costs_bps, 1),
        "ranking model": run.model,
        **dict(sorted(run.parameters.items())),
    }
    return (
        Table(
            "files",
            "Recorded data",
            ("file", "exchange", "candles", "span (UTC)", "markets", "days", "rows", "SHA-256"),
            files,
            reason="no file was read",
        ),
        Table(
            "options",
            "Run",
            ("option", "value"),
            tuple((word(name), word(str(value))) for name, value in options.items()),
            "The same code, files, options and seed give this report again, byte for byte.",
        ),
    )


def missing_table(missing: Iterable[tuple[str, str]], name: str) -> Table:
    """What could not be measured, and why."""
    rows = tuple((word(what.replace("_", " ")), word(why)) for what, why in missing)
    return Table(name, "Not measured", ("what", "why"), rows)
