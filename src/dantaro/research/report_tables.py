"""The tables of the report: cells as text, with what to sort them by."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from dantaro.research.report_data import (
    Aim,
    Contender,
    LevelFindings,
    Measured,
    RecordingFindings,
    Run,
    Selection,
)
from dantaro.research.report_words import (
    ABSENT,
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


def aims_by_data(aims: Sequence[Aim]) -> Table:
    """One row an aim, one column a recording."""
    data = tuple(dict.fromkeys(aim.data for aim in aims))
    texts = dict.fromkeys((aim.subject, aim.text) for aim in aims)
    rows = []
    for subject, text in texts:
        chosen = [
            [a for a in aims if (a.subject, a.text, a.data) == (subject, text, d)] for d in data
        ]
        rows.append((_word(text), *map(_verdict, chosen)))
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
            _days(each.horizon_days),
            _word(names.get(each.name, each.name)),
            _figure(each.sharpe, 2, reason=each.reason),
            _ends(each.sharpe, digits=2),
            _rate(each.annual_return, 0, signed=True, reason=each.reason),
            _rate(each.volatility, 0, reason=each.reason),
            _rate(each.max_drawdown, 0, reason=each.reason),
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
                _word(each.label),
                _word(each.kind),
                _days(each.horizon_days),
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
        _figure(one.rank_ic, 3, signed=True),
        _ends(one.rank_ic),
        _number(one.rank_ic.t_stat, 1, signed=True),
        _number(one.icir, 2, signed=True),
        _rate(one.hit_rate.value, 0, reason=one.hit_rate.reason),
    )


def _top_cells(one: Contender) -> tuple[Cell, ...]:
    top = next((each for each in one.tops if each.count == 20), None)
    said = {None: Cell(ABSENT), True: Cell("yes", mark="good"), False: Cell("no", mark="bad")}
    if top is None:
        return (*[Cell(ABSENT, title="no top list of 20", numeric=True)] * 4, said[one.monotone])
    return (
        _rate(top.excess.value, 2, signed=True, reason=top.excess.reason),
        _rate(top.net_excess.value, 2, signed=True, reason=top.net_excess.reason),
        _number(top.net_excess.t_stat, 1, signed=True),
        _rate(top.turnover.value, 0, reason=top.turnover.reason),
        said[one.monotone],
    )


def _ahead(difference: Measured | None) -> tuple[Cell, Cell]:
    if difference is None:
        return Cell("", numeric=True), Cell("")
    beyond = difference.low is not None and difference.low > 0
    figure = _figure(difference, 3, signed=True)
    mark = "" if difference.value is None else "good" if beyond else "bad"
    return (
        Cell(figure.text, figure.order, figure.title, mark, numeric=True),
        _ends(difference),
    )


def _exclusions(found: RecordingFindings, prefix: str) -> Table:
    rows = tuple(
        (
            _word(each.reason),
            _count(each.markets),
            _count(each.market_days),
            _word(", ".join(each.examples)),
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
            _word(e.symbol),
            _day(e.last_ms),
            _rate(e.last_month_return, 0, signed=True, reason="fewer than 30 days of candles"),
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
            _word(e.symbol),
            _day(e.at_ms),
            Cell(significant(e.ratio), e.ratio, numeric=True),
            _word(e.detail),
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


def selection_tables(found: Selection) -> tuple[Table, ...]:
    """All tables of the selection."""
    return (_engines(found), _deflated(found), _overfitting(found), _folds(found), _ledger(found))


def _engines(found: Selection) -> Table:
    rows = tuple(
        (
            Cell(each.engine, each.engine, mark="good" if each.engine == found.chosen else ""),
            _word(each.family),
            _days(each.horizon_days),
            _figure(each.rank_ic, 3, signed=True),
            _ends(each.rank_ic),
            _number(each.rank_ic.t_stat, 1, signed=True),
            _rate(each.net_excess.value, 2, signed=True, reason=each.net_excess.reason),
            _number(each.net_excess.t_stat, 1, signed=True),
            _rate(each.turnover, 0),
            _figure(each.to_best, 3, signed=True),
            _ends(each.to_best),
            _figure(each.held_back_ic, 3, signed=True),
        )
        for each in found.engines
    )
    head = (
        "engine",
        "family",
        "horizon",
        "rank IC",
        "95 %",
        "t",
        "top 20 net",
        "t net",
        "turnover",
        "minus the best",
        "95 %",
        "held-back fold",
    )
    return Table(
        "engine-records",
        "Every engine at every horizon",
        head,
        rows,
        "Minus the best: paired difference of daily rank IC; an interval that includes 0 is not worse "
        "beyond chance. The chosen engine is marked.",
        found.missing.get("engines", ""),
        folded=len(rows) > 24,
    )


def _deflated(found: Selection) -> Table:
    rows = tuple(
        (
            _days(each.horizon_days),
            _number(each.sharpe, 3, reason=each.reason),
            _number(each.expected_best, 3, reason=each.reason),
            _count(each.trials),
            _number(each.skewness, 2, signed=True, reason=each.reason),
            _number(each.kurtosis, 1, reason=each.reason),
            _count(each.days),
            _number(each.probability, 3, reason=each.reason),
        )
        for each in found.deflated_sharpe
    )
    head = (
        "horizon",
        "daily Sharpe",
        "best by luck",
        "variants",
        "skewness",
        "kurtosis",
        "days",
        "probability",
    )
    return Table(
        "deflated-sharpe",
        "Deflated Sharpe ratio",
        head,
        rows,
        "Daily Sharpe ratio of the top 20's net excess beside the best to be expected of as many worthless "
        "variants; the probability that the true one is above 0 given the trials. 0.95 is the usual bar.",
        found.missing.get("deflated_sharpe", ""),
    )


def _overfitting(found: Selection) -> Table:
    rows = tuple(
        (
            _word(each.measure),
            _count(each.variants),
            _count(each.blocks),
            _count(len(each.logits)),
            _number(each.probability, 2, reason=each.reason),
        )
        for each in found.overfitting
    )
    head = ("measure", "variants", "blocks", "splits", "PBO")
    return Table(
        "overfitting",
        "Probability of backtest overfitting",
        head,
        rows,
        reason=found.missing.get("overfitting", ""),
    )


def _folds(found: Selection) -> Table:
    rows = tuple(
        (
            _count(each.number),
            _word(span(each.train_from_ms, each.train_until_ms)),
            _count(each.embargo_days),
            _word(span(each.test_from_ms, each.test_until_ms)),
            _word("looked at once" if each.looked_at_once else ""),
        )
        for each in found.folds
    )
    head = ("fold", "training (UTC)", "embargo, days", "test (UTC)", "")
    return Table(
        "fold-spans", "Folds", head, rows, reason=found.missing.get("folds", ""), folded=True
    )


def _ledger(found: Selection) -> Table:
    rows = tuple(
        (
            _count(each.number),
            _word(each.name),
            _word(each.family),
            _word(each.subject),
            _word(", ".join(f"{k} {v}" for k, v in sorted(each.parameters.items()))),
            _word(each.data),
            _word(each.folds),
            _word(each.metric),
            _number(each.value, 4, signed=True),
            _number(each.sharpe, 3, signed=True, reason="no portfolio of this variant"),
            _day(each.at_ms),
        )
        for each in found.ledger
    )
    head = (
        "no.",
        "variant",
        "family",
        "subject",
        "parameters",
        "recording",
        "folds",
        "metric",
        "value",
        "daily Sharpe",
        "tried (UTC)",
    )
    return Table(
        "ledger",
        "Trial ledger: everything that was tried",
        head,
        rows,
        "Kept so that luck can be told from skill: the more variants were tried, the better the best "
        "looks by chance alone.",
        found.missing.get("ledger", ""),
        folded=len(rows) > 20,
    )


def level_tables(found: LevelFindings, prefix: str) -> tuple[Table, ...]:
    """All tables of one recording's levels."""
    classes = tuple(
        (
            _word(each.group),
            _word(each.name),
            _word(each.side),
            _count(each.issued),
            _count(each.touched),
            _rate(each.hold_rate.value, 1, reason=each.hold_rate.reason),
            _rate(each.placebo_hold_rate.value, 1, reason=each.placebo_hold_rate.reason),
            _points(each.difference),
            _ends(each.difference, scale=100, digits=1),
            _p(each.p_value),
            _p(each.adjusted_p_value),
            Cell({True: "served", False: "not served", None: ""}[each.served]),
        )
        for each in found.classes
    )
    head = (
        "class",
        "name",
        "side",
        "issued",
        "touches",
        "held",
        "placebo held",
        "difference",
        "95 %, pp",
        "p",
        "p adjusted",
        "",
    )
    coverage = tuple(
        (
            _word(each.name),
            _word(each.side),
            _number(each.zones, 1),
            Cell(
                f"{percent(each.covered, 0)} of {number(each.within_atr, 0)} ATR",
                each.covered,
                numeric=True,
            ),
            _rate(each.touched, 0),
        )
        for each in found.coverage
    )
    return (
        _probability(found, prefix),
        Table(
            f"{prefix}-classes",
            "Every class of levels",
            head,
            classes,
            "Difference in percentage points, its interval clustered by day.",
            found.missing.get("classes", ""),
            folded=True,
        ),
        Table(
            f"{prefix}-coverage",
            "Zone coverage",
            ("levels", "side", "zones a market", "price range covered", "touched"),
            coverage,
            "The more of the price axis the zones cover, the less a hit says.",
            found.missing.get("coverage", ""),
        ),
    )


def _probability(found: LevelFindings, prefix: str) -> Table:
    row = (
        _number(found.brier, 4, reason=found.missing.get("brier", "")),
        _number(found.base_rate_brier, 4, reason=found.missing.get("base_rate_brier", "")),
        _figure(found.brier_skill, 4, signed=True),
        _ends(found.brier_skill, digits=4),
        _points(found.calibration_error, signed=False),
    )
    head = ("Brier score", "of the base rate", "skill", "95 %", "calibration error")
    return Table(
        f"{prefix}-probability",
        "How good the stated probability is",
        head,
        (row,),
        "Skill above 0: stating the probability beats always stating the base rate.",
    )


def run_tables(run: Run) -> tuple[Table, ...]:
    """The files that were read and the options of the run."""
    files = tuple(
        (
            _word(each.name),
            _word(each.exchange),
            _word(each.timeframe),
            _word(span(each.from_ms, each.until_ms)),
            _count(each.markets),
            _count(each.days),
            _count(each.rows),
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
            tuple((_word(name), _word(str(value))) for name, value in options.items()),
            "The same code, files, options and seed give this report again, byte for byte.",
        ),
    )


def missing_table(missing: Iterable[tuple[str, str]], name: str) -> Table:
    """What could not be measured, and why."""
    rows = tuple((_word(what.replace("_", " ")), _word(why)) for what, why in missing)
    return Table(name, "Not measured", ("what", "why"), rows)


def _word(text: str) -> Cell:
    return Cell(text, text)


def _count(value: int) -> Cell:
    return Cell(count(value), value, numeric=True)


def _days(horizon: int) -> Cell:
    return Cell(f"{horizon} d", horizon, numeric=True)


def _day(at_ms: int | None) -> Cell:
    return Cell(date(at_ms), at_ms)


def _number(value: float | None, digits: int, *, signed: bool = False, reason: str = "") -> Cell:
    return Cell(number(value, digits, signed=signed), value, _why(value, reason), numeric=True)


def _rate(value: float | None, digits: int, *, signed: bool = False, reason: str = "") -> Cell:
    return Cell(percent(value, digits, signed=signed), value, _why(value, reason), numeric=True)


def _figure(figure: Measured, digits: int, *, signed: bool = False, reason: str = "") -> Cell:
    return _number(figure.value, digits, signed=signed, reason=figure.reason or reason)


def _points(figure: Measured, *, signed: bool = True) -> Cell:
    text = points(figure.value, signed=signed)
    return Cell(text, figure.value, _why(figure.value, figure.reason), numeric=True)


def _p(value: float | None) -> Cell:
    return Cell(probability(value), value, numeric=True)


def _ends(figure: Measured, *, scale: float = 1.0, digits: int = 3) -> Cell:
    return Cell(interval(figure, scale=scale, digits=digits), figure.low, mark="ends")


def _why(value: object, reason: str) -> str:
    return "" if value is not None else reason or "not measured"
