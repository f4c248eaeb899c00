from dataclasses import replace
from typing import Any, cast

import pytest

from dantaro.research.plots import Plot, bars_of, between_rows, rounded, shown
from dantaro.research.plots_checks import (
    features_checked,
    folds_compared,
    random_rankings,
    slices_compared,
)
from dantaro.research.plots_levels import calibration, decay, methods_compared
from dantaro.research.plots_rankings import (
    contenders_compared,
    drawdowns,
    equity_and_drawdown,
    rank_ic_over_time,
)
from dantaro.research.plots_selection import (
    folds_over_time,
    influence_over_time,
    overfitting_logits,
)
from dantaro.research.report_data import Measured, Overfitting, Selection
from invented_report import invented_report

REPORT = invented_report(days=70)
RECORDING = REPORT.recordings[0]
LEVELS = REPORT.levels[0]
SELECTION = cast(Selection, REPORT.selection)


def traces(plot: Plot, name: str) -> list[dict[str, Any]]:
    assert plot.figure is not None
    return [trace for trace in plot.figure["data"] if trace.get("name") == name]


def test_a_drawdown_is_the_loss_from_the_highest_value_so_far() -> None:
    # Peaks 1, 2, 2, 3, 3: 1/1-1, 2/2-1, 1.5/2-1, 3/3-1, 0.75/3-1.
    assert drawdowns((1.0, 2.0, 1.5, 3.0, 0.75)) == (0.0, 0.0, -0.25, 0.0, -0.75)


def test_a_drawdown_leaves_a_hole_where_the_equity_has_one() -> None:
    assert drawdowns((None, 1.0, None, 0.5)) == (None, 0.0, None, -0.5)


def test_error_bars_end_where_the_interval_ends() -> None:
    # 0.1 in [0.08, 0.15]: 5 points up and 2 down, in percent; without an interval none.
    bars = bars_of([Measured(0.1, 0.08, 0.15), Measured(0.1)], 100)
    assert bars["array"] == pytest.approx([5.0, 0.0])
    assert bars["arrayminus"] == pytest.approx([2.0, 0.0])


def test_values_keep_six_digits_and_their_holes() -> None:
    assert rounded([0.123456789, None, 1e-9], 100) == [12.3457, None, 1e-7]


def test_labels_are_no_markup() -> None:
    assert shown("<b>&") == "&lt;b&gt;&amp;"


def test_the_band_surrounds_the_rolling_mean() -> None:
    plot = rank_ic_over_time(RECORDING, "a")
    (mean, *_), (upper, *_) = traces(plot, "mean of 60 days"), traces(plot, "95 % interval")
    assert mean["y"] == rounded(RECORDING.series[0].ic.rolling)
    assert upper["y"] == rounded(RECORDING.series[0].ic.high)
    assert upper["fill"] == "tonexty"


def test_the_total_is_told_from_scores_and_baselines() -> None:
    plot = contenders_compared(RECORDING, "a")
    assert [len(trace["y"]) for trace in traces(plot, "the total")] == [1, 1, 1]
    assert [len(trace["y"]) for trace in traces(plot, "scores")] == [4, 4, 4]
    assert [len(trace["y"]) for trace in traces(plot, "baselines")] == [10, 10, 10]


def test_the_best_ranking_stands_on_top() -> None:
    plot = contenders_compared(RECORDING, "a")
    assert plot.figure is not None
    assert plot.figure["layout"]["yaxis"]["categoryarray"][-1] == "total score"
    assert plot.figure["layout"]["yaxis"]["categoryarray"][0] == "technical rating"


def test_drawdowns_stand_under_their_equity_in_percent() -> None:
    (_, below, *_) = traces(equity_and_drawdown(RECORDING, "a"), "universe")
    equity = RECORDING.series[0].equity
    assert equity is not None
    assert below["y"] == rounded(drawdowns(equity.universe), 100)


def test_the_random_rankings_are_drawn_with_all_their_draws() -> None:
    plot = random_rankings(RECORDING, "a")
    assert sum(traces(plot, "random rankings")[0]["y"]) == 1000
    (line, *_) = traces(plot, "the total")
    assert line["x"] == [0.162, 0.162]
    assert "p = 0.001" in line["text"][1]


def test_a_flagged_feature_is_marked() -> None:
    flagged = traces(features_checked(RECORDING, "a"), "flagged")
    assert flagged[0]["y"] == ["tomorrow's return (control)"]


def test_a_fold_is_drawn_from_its_first_to_its_last_day() -> None:
    fold = SELECTION.folds[0]
    (training,) = traces(folds_over_time(SELECTION), "training")
    assert training["base"][0] == "2021-04-05"
    assert training["x"][0] == fold.train_until_ms - fold.train_from_ms
    (once,) = traces(folds_over_time(SELECTION), "held back, looked at once")
    assert once["y"] == ["fold 5"]


def test_weights_of_both_signs_are_centred_on_zero() -> None:
    plot = influence_over_time(SELECTION.influence[0], 0)
    assert plot.figure is not None
    (heat,) = plot.figure["data"]
    assert heat["zmin"] == -heat["zmax"]


def test_logits_are_parted_at_zero() -> None:
    logits = Overfitting("rank_ic", 4, 3, (-1.0, 0.0, 0.5, 2.0), 0.5)
    plot = overfitting_logits(replace(SELECTION, overfitting=(logits,)))
    assert traces(plot, "worse half")[0]["x"] == [-1.0, 0.0]
    assert traces(plot, "better half")[0]["x"] == [0.5, 2.0]


def test_logits_that_were_not_computed_say_why() -> None:
    none = Overfitting("rank_ic", 4, 1, (), None, reason="one variant only")
    assert overfitting_logits(replace(SELECTION, overfitting=(none,))).reason == "one variant only"


def test_levels_are_shown_in_points_by_side() -> None:
    plot = methods_compared(LEVELS, "a")
    served = [trace for trace in traces(plot, "served") if "volume_node" in trace["y"]]
    assert [len(trace["y"]) for trace in served] == [3, 3]
    both = [trace for trace in traces(plot, "served") if trace["y"] == ["served set, both sides"]]
    assert both[0]["x"] == pytest.approx([2.1])


def test_the_decay_has_a_panel_for_each_grouping_there_is() -> None:
    aged = replace(
        LEVELS, classes=tuple(each for each in LEVELS.classes if each.group != "touches")
    )
    plot = decay(aged, "a")
    assert plot.figure is not None
    titles = [each["text"] for each in plot.figure["layout"]["annotations"]]
    assert titles == ["by age", "by distance"]


def test_the_calibration_shows_its_touches() -> None:
    (bars,) = traces(calibration(LEVELS, "a"), "touches")
    assert bars["y"] == [each.n for each in LEVELS.calibration]


def test_empty_bins_are_left_out_of_the_calibration() -> None:
    gone = replace(
        LEVELS.calibration[0], n=0, predicted=None, observed=Measured(None, reason="empty")
    )
    plot = calibration(replace(LEVELS, calibration=(gone, *LEVELS.calibration[1:])), "a")
    (bars,) = traces(plot, "touches")
    assert len(bars["y"]) == len(LEVELS.calibration) - 1


def test_folds_stand_in_time_apart_from_tiers_and_regimes() -> None:
    folds, parts = folds_compared(RECORDING, "a"), slices_compared(RECORDING, "b")
    assert folds.figure is not None
    assert folds.figure["data"][0]["x"] == ["1", "2", "3"]
    assert [len(trace["y"]) for trace in traces(parts, "by regime")] == [4] * 6
    assert traces(parts, "by fold") == []


def test_rows_of_panels_keep_their_distance_in_pixels() -> None:
    # 80 of the 496 pixels between the margins of 56 above and 48 below.
    assert between_rows(80, height=600) == pytest.approx(80 / 496)


def test_the_threshold_stands_in_the_panel_of_the_next_day_alone() -> None:
    plot = features_checked(RECORDING, "a")
    assert plot.figure is not None
    dashed = [s for s in plot.figure["layout"]["shapes"] if s["line"].get("dash") == "dash"]
    assert [(s["x0"], s["xref"]) for s in dashed] == [(-0.3, "x"), (0.3, "x")]
