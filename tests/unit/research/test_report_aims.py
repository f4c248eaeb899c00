from dataclasses import replace

import pytest

from dantaro.research.report_aims import judge
from dantaro.research.report_data import (
    Aim,
    CalibrationBin,
    Contender,
    LevelClass,
    Measured,
    PairedDifference,
    Portfolio,
    RandomRankings,
    RecordingFindings,
    Report,
    StrengthReturn,
    TopList,
    unmeasured,
)
from invented_report import invented_report

WHOLE = invented_report(days=70)
BARE = replace(WHOLE.recordings[0], contenders=(), differences=(), portfolios=(), series=(), random=(),
               strengths=(), slices=(), features=())  # fmt: skip


def total(horizon: int, ic: Measured, **more: object) -> Contender:
    return Contender("total", "score", "total score", horizon, ic, None, unmeasured("-"), **more)  # type: ignore[arg-type]


def judged(found: RecordingFindings) -> dict[str, Aim]:
    return {aim.text: aim for aim in judge(Report(WHOLE.run, (found,)))}


def only(found: RecordingFindings, words: str) -> Aim:
    (aim,) = (aim for text, aim in judged(found).items() if words in text)
    return aim


@pytest.mark.parametrize(
    ("horizon", "ic", "passed"),
    [(1, 0.16, True), (1, 0.1599, False), (7, 0.145, True), (7, 0.1449, False)],
)
def test_the_rank_ic_has_a_bar_at_one_and_at_seven_days(
    *, horizon: int, ic: float, passed: bool
) -> None:
    found = replace(BARE, contenders=(total(horizon, Measured(ic)),))
    assert only(found, "Rank IC of the total at least").passed is passed


def test_no_bar_stands_at_three_days() -> None:
    found = replace(BARE, contenders=(total(3, Measured(0.2)),))
    assert not [text for text in judged(found) if "at least" in text]


def test_a_rank_ic_that_was_not_measured_is_not_judged() -> None:
    aim = only(replace(BARE, contenders=(total(1, unmeasured("no days")),)), "at least")
    assert (aim.passed, aim.measured) == (None, "no days")


def test_one_baseline_within_chance_spoils_the_comparison() -> None:
    ahead = PairedDifference("rating", 1, Measured(0.2, 0.19, 0.21))
    near = PairedDifference("ranks", 1, Measured(0.004, -0.001, 0.009))
    found = replace(BARE, contenders=(total(1, Measured(0.16)),), differences=(ahead,))
    assert only(found, "every baseline").passed is True
    both = only(replace(found, differences=(ahead, near)), "every baseline")
    assert both.passed is False
    assert "least ahead of ranks" in both.measured


def test_a_missing_paired_difference_leaves_the_comparison_open() -> None:
    found = replace(
        BARE,
        contenders=(total(1, Measured(0.16)),),
        differences=(PairedDifference("rating", 1, unmeasured("no common days")),),
    )
    assert only(found, "every baseline").passed is None


@pytest.mark.parametrize(
    ("net", "passed"),
    [
        (Measured(0.002, t_stat=2.0), True),
        (Measured(0.002, t_stat=1.99), False),
        (Measured(-0.002, t_stat=2.5), False),
        (unmeasured("no list"), None),
    ],
)
def test_the_top_must_pay_after_costs_at_the_longest_horizon(
    *, net: Measured, passed: bool | None
) -> None:
    top = (TopList(20, Measured(0.01), net, Measured(0.5)),)
    rich = (TopList(20, Measured(0.01), Measured(0.05, t_stat=9.0), Measured(0.5)),)
    found = replace(
        BARE,
        contenders=(total(1, Measured(0.2), tops=rich), total(7, Measured(0.2), tops=top)),
    )
    aim = only(found, "after costs above 0")
    assert aim.passed is passed
    assert "7" in aim.text


@pytest.mark.parametrize(
    ("sharpe", "drawdown", "passed"),
    [(0.5, 0.6, True), (0.5, 0.8, False), (0.3, 0.6, False), (None, 0.6, None)],
)
def test_sharpe_and_drawdown_must_both_be_better(
    *, sharpe: float | None, drawdown: float, passed: bool | None
) -> None:
    found = replace(
        BARE,
        contenders=(total(7, Measured(0.2)),),
        portfolios=(
            Portfolio("top_20", 7, Measured(sharpe), 0.1, 0.7, drawdown),
            Portfolio("universe", 7, Measured(0.4), 0.1, 0.7, 0.7),
        ),
    )
    assert only(found, "Sharpe").passed is passed


def test_fifths_and_classes_must_fall_from_best_to_worst() -> None:
    falling = tuple(Measured(v) for v in (0.02, 0.01, 0.01, 0.0, -0.03))
    classes = tuple(
        StrengthReturn(name, 1, Measured(v), Measured(v))
        for name, v in (("STRONG_BUY", 0.01), ("BUY", 0.02), ("HOLD", 0.0))
    )
    found = replace(
        BARE, contenders=(total(1, Measured(0.2), quintiles=falling),), strengths=classes
    )
    assert only(found, "Quintiles").passed is True
    assert only(found, "Strength").passed is False


def test_a_fifth_that_was_not_measured_leaves_the_order_open() -> None:
    found = replace(
        BARE,
        contenders=(total(1, Measured(0.2), quintiles=(Measured(0.1), unmeasured("none"))),),
    )
    assert only(found, "Quintiles").passed is None


def test_chance_is_judged_by_the_random_rankings() -> None:
    draws = RandomRankings(1, "rank_ic", 1000, 0.1, 0.02, (), (), (0.0, 1.0), (1000,))
    found = replace(BARE, contenders=(total(1, Measured(0.2)),), random=(draws,))
    assert only(found, "random").passed is False
    assert only(replace(found, random=(replace(draws, p_value=0.001),)), "random").passed is True


def test_a_leak_control_that_stays_unseen_fails_the_method() -> None:
    features = WHOLE.recordings[0].features
    assert only(replace(BARE, features=features), "knows tomorrow").passed is True
    blind = tuple(replace(each, flagged=False) for each in features)
    aim = only(replace(BARE, features=blind), "knows tomorrow")
    assert (aim.passed, aim.subject) == (False, "method")
    assert "NOT flagged" in aim.measured


def test_an_honest_feature_that_is_flagged_fails_the_method() -> None:
    features = WHOLE.recordings[0].features
    wrong = (replace(features[0], flagged=True), *features[1:])
    aim = only(replace(BARE, features=wrong), "knows tomorrow")
    assert aim.passed is False
    assert features[0].feature in aim.measured


def test_without_a_control_nothing_is_said_of_leaks() -> None:
    assert only(BARE, "knows tomorrow").passed is None


def levels(difference: Measured, *, predicted: float = 0.6, n: int = 500) -> list[Aim]:
    whole = LevelClass(
        "set", "served set", "both", 900, 500, Measured(0.6), Measured(0.6), difference
    )
    bins = (
        CalibrationBin(0.5, 0.6, 500, 0.55, Measured(0.56)),
        CalibrationBin(0.6, 0.7, n, predicted, Measured(0.65)),
    )
    found = replace(WHOLE.levels[0], classes=(whole,), calibration=bins)
    return list(judge(Report(WHOLE.run, (), levels=(found,))))


@pytest.mark.parametrize(
    ("difference", "beyond_chance", "three_points"),
    [
        (Measured(0.031, 0.01, 0.05), True, True),
        (Measured(0.021, 0.01, 0.03), True, False),
        (Measured(0.031, -0.01, 0.07), False, True),
        (unmeasured("no placebo"), None, None),
    ],
)
def test_served_levels_are_held_against_placebo(
    *, difference: Measured, beyond_chance: bool | None, three_points: bool | None
) -> None:
    first, second, *_ = levels(difference)
    assert (first.passed, second.passed) == (beyond_chance, three_points)


@pytest.mark.parametrize(
    ("predicted", "n", "passed"), [(0.64, 500, True), (0.62, 500, False), (0.62, 199, True)]
)
def test_calibration_counts_bins_with_enough_touches(
    *, predicted: float, n: int, passed: bool
) -> None:
    *_, calibration = levels(Measured(0.0, -0.1, 0.1), predicted=predicted, n=n)
    assert calibration.passed is passed


def test_levels_measured_where_they_were_chosen_prove_nothing() -> None:
    found = replace(WHOLE.levels[0], sample="selection")
    assert judge(Report(WHOLE.run, (), levels=(found,))) == ()
