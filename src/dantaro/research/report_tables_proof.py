"""The tables of the engine's choice and of the levels."""

from dantaro.research.report_cells import (
    Cell,
    Table,
    count_cell,
    day_cell,
    days_cell,
    ends_cell,
    figure_cell,
    number_cell,
    p_cell,
    points_cell,
    rate_cell,
    word,
)
from dantaro.research.report_data import (
    LevelFindings,
    Selection,
)
from dantaro.research.report_words import (
    number,
    percent,
    span,
)


def selection_tables(found: Selection) -> tuple[Table, ...]:
    """All tables of the selection."""
    return (_engines(found), _deflated(found), _overfitting(found), _folds(found), _ledger(found))


def _engines(found: Selection) -> Table:
    rows = tuple(
        (
            Cell(each.engine, each.engine, mark="good" if each.engine == found.chosen else ""),
            word(each.family),
            days_cell(each.horizon_days),
            figure_cell(each.rank_ic, 3, signed=True),
            ends_cell(each.rank_ic),
            number_cell(each.rank_ic.t_stat, 1, signed=True),
            rate_cell(each.net_excess.value, 2, signed=True, reason=each.net_excess.reason),
            number_cell(each.net_excess.t_stat, 1, signed=True),
            rate_cell(each.turnover, 0),
            figure_cell(each.to_best, 3, signed=True),
            ends_cell(each.to_best),
            figure_cell(each.held_back_ic, 3, signed=True),
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
            days_cell(each.horizon_days),
            number_cell(each.sharpe, 3, reason=each.reason),
            number_cell(each.expected_best, 3, reason=each.reason),
            count_cell(each.trials),
            number_cell(each.skewness, 2, signed=True, reason=each.reason),
            number_cell(each.kurtosis, 1, reason=each.reason),
            count_cell(each.days),
            number_cell(each.probability, 3, reason=each.reason),
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
            word(each.measure),
            count_cell(each.variants),
            count_cell(each.blocks),
            count_cell(len(each.logits)),
            number_cell(each.probability, 2, reason=each.reason),
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
            count_cell(each.number),
            word(span(each.train_from_ms, each.train_until_ms)),
            count_cell(each.embargo_days),
            word(span(each.test_from_ms, each.test_until_ms)),
            word("looked at once" if each.looked_at_once else ""),
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
            count_cell(each.number),
            word(each.name),
            word(each.family),
            word(each.subject),
            word(", ".join(f"{k} {v}" for k, v in sorted(each.parameters.items()))),
            word(each.data),
            word(each.folds),
            word(each.metric),
            number_cell(each.value, 4, signed=True),
            number_cell(each.sharpe, 3, signed=True, reason="no portfolio of this variant"),
            day_cell(each.at_ms),
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
            word(each.group),
            word(each.name),
            word(each.side),
            count_cell(each.issued),
            count_cell(each.touched),
            rate_cell(each.hold_rate.value, 1, reason=each.hold_rate.reason),
            rate_cell(each.placebo_hold_rate.value, 1, reason=each.placebo_hold_rate.reason),
            points_cell(each.difference),
            ends_cell(each.difference, scale=100, digits=1),
            p_cell(each.p_value),
            p_cell(each.adjusted_p_value),
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
            word(each.name),
            word(each.side),
            number_cell(each.zones, 1),
            Cell(
                f"{percent(each.covered, 0)} of {number(each.within_atr, 0)} ATR",
                each.covered,
                numeric=True,
            ),
            rate_cell(each.touched, 0),
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
        number_cell(found.brier, 4, reason=found.missing.get("brier", "")),
        number_cell(found.base_rate_brier, 4, reason=found.missing.get("base_rate_brier", "")),
        figure_cell(found.brier_skill, 4, signed=True),
        ends_cell(found.brier_skill, digits=4),
        points_cell(found.calibration_error, signed=False),
    )
    head = ("Brier score", "of the base rate", "skill", "95 %", "calibration error")
    return Table(
        f"{prefix}-probability",
        "How good the stated probability is",
        head,
        (row,),
        "Skill above 0: stating the probability beats always stating the base rate.",
    )
