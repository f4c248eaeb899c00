"""A feature that knows the future is caught twice; one that does not is left in peace."""

from collections.abc import Mapping

import numpy as np
import pytest

from dantaro.analysis.features import FEATURES
from dantaro.analysis.history import History
from dantaro.analysis.panel import FloatArray
from dantaro.analysis.parameters import Parameters
from dantaro.research.decisions import Decisions, daily_ranks, prepare_decisions
from dantaro.research.leaks import (
    CONTROL,
    changed_by_the_future,
    check_features,
    past_returns,
    tomorrows_return,
    with_control,
)
from dantaro.research.recordings import Recording
from research_worlds import a_recording, a_world


@pytest.fixture(scope="module")
def recording() -> Recording:
    return a_recording(a_world(30, 120))


@pytest.fixture(scope="module")
def decisions(recording: Recording) -> Decisions:
    return prepare_decisions(recording, Parameters(), horizons=(1, 7))


def test_tomorrows_return_is_flagged_by_what_it_reaches_and_no_honest_feature_is(
    decisions: Decisions,
) -> None:
    # reversal is planted in this world, so an honest feature has a high rank IC here
    ranks = {
        **decisions.ranks,
        CONTROL: daily_ranks(tomorrows_return(decisions.days), decisions.ranked),
    }
    found = check_features(decisions, ranks, horizons=(1, 7), controls=frozenset({CONTROL}))
    flagged = {check.feature for check in found if check.flagged}
    assert flagged == {CONTROL}
    best = max(abs(c.rank_ic.value or 0) for c in found if c.feature != CONTROL)
    assert best > 0.2
    (control,) = [c for c in found if c.feature == CONTROL and c.horizon_days == 1]
    assert control.control
    assert (control.rank_ic.value or 0) > 0.99


def test_tomorrows_return_is_flagged_by_how_it_is_made_and_no_honest_feature_is(
    recording: Recording,
) -> None:
    assert changed_by_the_future(recording, Parameters(), compute=with_control) == {CONTROL}


def test_a_feature_scaled_by_the_whole_recording_reaches_little_and_is_caught_all_the_same(
    recording: Recording, decisions: Decisions
) -> None:
    def scaled(days: History) -> Mapping[str, FloatArray]:
        close = days.by_market(days.close)
        deviation = np.nanstd(close, axis=1, keepdims=True)
        return {
            "honest": close,
            "scaled": (close - np.nanmean(close, axis=1, keepdims=True)) / deviation,
        }

    assert changed_by_the_future(recording, Parameters(), compute=scaled) == {"scaled"}
    ranks = {"scaled": daily_ranks(scaled(decisions.days)["scaled"], decisions.ranked)}
    (by_reach,) = check_features(decisions, ranks, horizons=(1,))
    (by_making,) = check_features(decisions, ranks, horizons=(1,), structural=frozenset({"scaled"}))
    assert not by_reach.flagged
    assert by_making.flagged


def test_the_checks_cover_every_feature_that_is_served(decisions: Decisions) -> None:
    names = {check.feature for check in check_features(decisions, decisions.ranks, horizons=(1,))}
    assert names >= {feature.name for feature in FEATURES}


def test_the_past_return_is_that_of_the_day_that_ends_with_the_decision(
    decisions: Decisions,
) -> None:
    close = decisions.days.close
    assert past_returns(decisions)[3, 50] == pytest.approx(close[3, 50] / close[3, 49] - 1)
