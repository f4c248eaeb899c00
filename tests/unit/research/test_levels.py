"""The study of levels: what is compared with what, by hand and on walks in which nothing can be found."""

from dataclasses import replace

import numpy as np
import pytest

from dantaro.analysis.level_candidates import PLACES
from dantaro.analysis.level_model import LevelModel
from dantaro.analysis.level_outcomes import BROKE, HELD, SUPPORT, UNRESOLVED, LevelLines
from dantaro.analysis.panel import Series
from dantaro.analysis.parameters import Parameters
from dantaro.errors import ConfigurationError, RecordingInvalid
from dantaro.market.timeframes import DAY_MS, HOUR_MS, HOURLY, Timeframe
from dantaro.research.level_cases import Cases, Outcomes
from dantaro.research.level_fit import _recalibration, fit_levels, join, logistic
from dantaro.research.level_history import issues, level_history
from dantaro.research.level_measures import _Touches, hold_rate, matched_difference
from dantaro.research.level_study import findings, records, study_levels, study_span
from dantaro.research.level_worth import DaySums, PlaceEffect, day_sums, place_effects, worth_of
from dantaro.research.recordings import Recording
from research_worlds import FIRST_MS, a_recording, a_world

PARAMETERS = Parameters()


def hourly_walk(seed: int, days: int, *, first_ms: int = FIRST_MS) -> Series:
    """Hours of a walk with a volatility of its own; nothing in it is better known than by chance."""
    rng = np.random.Generator(np.random.PCG64(seed))
    close = 10.0 * (seed + 1) * np.exp(np.cumsum(rng.normal(0, 0.008, days * 24)))
    opened = np.concatenate((close[:1], close[:-1]))
    high = np.maximum(opened, close) * (1 + rng.uniform(0, 0.004, close.size))
    low = np.minimum(opened, close) * (1 - rng.uniform(0, 0.004, close.size))
    volume = 2e6 * np.exp(rng.normal(size=close.size) * 0.5) / close
    times = first_ms + HOUR_MS * np.arange(close.size, dtype=np.int64)
    return Series(times, opened, high, low, close, volume)


def hourly_recording(markets: int = 6, days: int = 75, *, name: str = "hours") -> Recording:
    series = {f"C{seed:03d}/USDT": hourly_walk(seed, days) for seed in range(markets)}
    return a_recording(series, name=name, timeframe=HOURLY)


@pytest.fixture(scope="module")
def recording() -> Recording:
    return hourly_recording()


def test_levels_are_issued_from_what_was_closed_and_for_what_was_ranked(
    recording: Recording,
) -> None:
    history = level_history(recording, PARAMETERS)
    every = list(issues(history))
    assert every[0].day - FIRST_MS // DAY_MS >= 30  # a month of days is needed to be ranked
    for issue in every:
        assert int(issue.panel.as_of_ms[0]) == issue.day * DAY_MS
        assert issue.panel.close.shape[1] <= PARAMETERS.hourly_candles
        assert ((issue.atr > 0) & np.isfinite(issue.panel.close[:, -1])).all()
    few = list(issues(history, from_day=every[3].day, until_day=every[6].day))
    assert [issue.day for issue in few] == [issue.day for issue in every[3:6]]


def test_candles_that_follow_change_no_issue(recording: Recording) -> None:
    cut = {
        key: Series(
            *(
                getattr(s, n)[: 60 * 24]
                for n in ("opened_at_ms", "open", "high", "low", "close", "volume")
            )
        )
        for key, s in recording.series.items()
    }
    whole = list(issues(level_history(recording, PARAMETERS)))
    known = list(issues(level_history(replace(recording, series=cut), PARAMETERS)))
    assert len(known) < len(whole)
    for then, now in zip(known, whole[: len(known)], strict=True):
        assert then.atr.tolist() == now.atr.tolist()
        assert np.array_equal(then.panel.close, now.panel.close)


def test_candles_of_another_length_are_refused() -> None:
    four = a_recording({"C000/USDT": hourly_walk(0, 40)}, timeframe=Timeframe("4h", 4 * HOUR_MS))
    with pytest.raises(RecordingInvalid, match="candles of 1h or 1d, not 4h"):
        level_history(four, PARAMETERS)


def touches(*rows: tuple[int, int, int]) -> _Touches:
    """Touches of (held, day, stratum)."""
    held, day, stratum = (np.array(column) for column in zip(*rows, strict=True))
    return _Touches(held.astype(bool), day, stratum)


def test_placebos_are_weighted_to_lie_where_the_levels_lie() -> None:
    levels = touches((1, 1, 0), (1, 2, 0), (0, 1, 5), (1, 3, 5), (0, 4, 5), (0, 4, 5))
    # in stratum 0 placebos hold 1 of 2, in stratum 5 one of 4; there are twice as many levels there
    placebos = touches((1, 1, 0), (0, 2, 0), (1, 1, 5), (0, 3, 5), (0, 4, 5), (0, 4, 5))
    found = matched_difference(levels, placebos)
    assert found.value == pytest.approx(3 / 6 - (2 / 6 * 0.5 + 4 / 6 * 0.25))
    assert (found.n, found.days) == (6, 4)


def test_equal_touches_on_equal_days_differ_by_nothing_and_surely() -> None:
    same = touches((1, 1, 0), (0, 2, 0), (1, 3, 2), (0, 3, 2))
    found = matched_difference(same, same)
    assert found.value == pytest.approx(0.0)
    assert found.low == pytest.approx(0.0, abs=1e-12)


def cases_of(days: list[int], distances: list[float]) -> Cases:
    size = len(days)
    whole, zeros = np.array(days), np.zeros(size)
    lines = LevelLines(
        np.zeros(size, dtype=np.int64),
        whole,
        np.full(size, SUPPORT, np.int8),
        zeros,
        zeros,
        zeros + 1,
    )
    none = np.zeros(size, dtype=np.int64)
    return Cases(
        day=whole,
        lines=lines,
        features=np.zeros((size, 3)),
        places=none,
        served=np.ones(size, dtype=bool),
        band=none - 1,
        rank=none,
        worth=zeros,
        probability=zeros + 0.6,
        touches=none,
        distance=np.array(distances),
        age_days=zeros,
    )


def test_only_entries_within_a_day_that_were_decided_count() -> None:
    cases = cases_of([1, 2, 3, 4], [0.1, 0.1, 0.1, 0.1])
    outcomes = Outcomes(
        state=np.array([HELD, HELD, BROKE, UNRESOLVED]),
        entered=np.array([True, False, True, True]),
        placebo_state=np.array([[HELD, BROKE, BROKE, BROKE]]),
        placebo_entered=np.array([[True, True, True, False]]),
        placebo_distance=np.full((1, 4), 0.2),
    )
    found = hold_rate(cases, outcomes, np.ones(4, dtype=bool))
    assert (found.issued, found.rate.n, found.rate.value) == (4, 2, 0.5)
    assert found.placebos == 3
    assert found.placebo_rate == pytest.approx(1 / 3)
    assert found.difference.value == pytest.approx(0.5 - 1 / 3)
    nothing = hold_rate(cases, outcomes, np.zeros(4, dtype=bool))
    assert (nothing.rate.value, nothing.difference.value, nothing.p_value) == (None, None, None)


def test_the_effect_of_a_place_is_found_and_its_shrinking_by_hand() -> None:
    rng = np.random.Generator(np.random.PCG64(3))
    place, bends = PLACES.index("vwap"), 9
    sums = []
    for day in range(200):
        with_it = (rng.random(60) < 0.3).astype(float)
        held = (rng.random(60) < 0.5 + 0.1 * with_it).astype(float)
        values = np.zeros((60, len(PLACES) + bends))
        values[:, place] = with_it - with_it.mean()
        outcome = held - held.mean()
        counts = np.zeros(len(PLACES), dtype=np.int64)
        counts[place] = int(with_it.sum())
        sums.append(DaySums(day, 0, values.T @ values, values.T @ outcome, 60, counts))
    (found,) = place_effects(sums)
    assert (found.place, found.side) == ("vwap", "support")
    assert found.effect == pytest.approx(0.1, abs=3 * found.error)
    # as if the touches were independent: the root of p (1 - p) / (n q (1 - q)); days add no noise here
    assert found.error == pytest.approx(np.sqrt(0.25 / (12_000 * 0.21)), rel=0.3)
    worth = worth_of([found], false_discoveries=0.1)
    square = found.effect**2
    assert worth[0, place] == pytest.approx(found.effect * square / (square + found.error**2))
    assert np.count_nonzero(worth) == 1


def test_what_did_not_survive_the_correction_is_worth_nothing() -> None:
    doubtful = PlaceEffect("vwap", "support", 0.05, 0.03, 5000, 300, 0.1, 0.4)
    assert not worth_of([doubtful], false_discoveries=0.1).any()


def test_the_sums_of_a_day_do_not_see_what_a_whole_market_did(recording: Recording) -> None:
    history = level_history(recording, PARAMETERS)
    every = list(issues(history))[:3]
    for day in day_sums(history, every):
        # within market, day and side a constant has no variation: only differences are left
        assert day.cross.shape == (len(PLACES) + 9,) * 2
        assert np.isfinite(day.cross).all()
        assert (np.diag(day.cross) >= 0).all()


def test_the_logistic_regression_is_that_of_scikit_learn() -> None:
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415

    rng = np.random.Generator(np.random.PCG64(5))
    features = rng.normal(size=(3000, 3)) * [1.0, 2.0, 0.1] + [0.0, 5.0, -1.0]
    held = rng.random(3000) < 1 / (1 + np.exp(-(0.3 + 0.5 * features[:, 0] - 3 * features[:, 2])))
    intercept, coefficients = logistic(features, held, ridge=10.0)
    middle, spread = features.mean(axis=0), features.std(axis=0)
    theirs = LogisticRegression(C=0.1, tol=1e-10, max_iter=1000).fit(
        (features - middle) / spread, held
    )
    assert coefficients.tolist() == pytest.approx((theirs.coef_[0] / spread).tolist(), rel=1e-4)
    expected = theirs.intercept_[0] - (theirs.coef_[0] / spread) @ middle
    assert intercept == pytest.approx(expected, rel=1e-4)


def test_a_map_is_used_where_it_helped_on_later_parts_and_else_not() -> None:
    rng = np.random.Generator(np.random.PCG64(7))
    bold, fair = [], []
    for _ in range(3):
        chance = rng.uniform(0.4, 0.6, 4000)
        happened = rng.random(4000) < chance
        bold.append((0.5 + 4 * (chance - 0.5), happened))  # says too much
        fair.append((chance, happened))
    stated, observed = _recalibration(bold)
    assert stated.size > 2
    assert (np.diff(observed) >= 0).all()
    assert np.interp(0.8, stated, observed) == pytest.approx(0.575, abs=0.03)
    assert [knots.tolist() for knots in _recalibration(fair)] == [[0.0, 1.0], [0.0, 1.0]]


def test_recordings_are_joined_in_time_and_may_not_overlap() -> None:
    first = hourly_recording(2, 10, name="first")
    later = a_recording(
        {"C001/USDT": hourly_walk(1, 5, first_ms=FIRST_MS + 10 * DAY_MS)},
        name="later",
        timeframe=HOURLY,
    )
    joined = join([later, first])
    assert joined.name == "first+later"
    assert joined.series["binance:C001/USDT"].opened_at_ms.size == 15 * 24
    assert (np.diff(joined.series["binance:C001/USDT"].opened_at_ms) > 0).all()
    with pytest.raises(ConfigurationError, match="begins before another recording"):
        join([first, hourly_recording(2, 10, name="again")])


def test_without_hours_or_without_enough_touches_nothing_is_fitted(recording: Recording) -> None:
    def fit(one: Recording, days: int) -> None:
        until_ms = FIRST_MS + days * DAY_MS
        fit_levels([one], until_ms=until_ms, parameters=PARAMETERS, seed=1, on_step=lambda *_: None)

    with pytest.raises(ConfigurationError, match="give a recording of 1h"):
        fit(a_recording(a_world(3, 40)), 30)
    with pytest.raises(ConfigurationError, match="touches before the end of the training span"):
        fit(recording, 50)


def test_a_study_counts_what_was_served_and_repeats_itself(recording: Recording) -> None:
    same = np.array([0.0, 1.0])
    worth = np.zeros((2, len(PLACES)))
    worth[:, PLACES.index("vwap")] = 0.02
    model = LevelModel(worth, 0.4, np.zeros(3), same, same, sha256="0" * 64)
    steps: list[str] = []
    study = [
        study_levels(
            [recording],
            model,
            parameters=PARAMETERS,
            seed=seed,
            on_step=lambda name, _done, _total: steps.append(name),
        )
        for seed in (1, 1, 2)
    ]
    assert study[0] == study[1] != study[2]
    (found,) = study[0]
    assert (found.sample, found.data) == ("transfer", "hours")
    assert steps[0] == "levels of hours, transfer"
    sets = {(one.name, one.side): one for one in found.classes if one.group == "set"}
    both, support, resistance = (sets["served", side] for side in ("both", "support", "resistance"))
    assert both.issued == support.issued + resistance.issued == sum(found.states.values())
    assert both.touched == support.touched + resistance.touched
    assert sets["of proven worth", "both"].issued <= both.issued <= sets["all zones", "both"].issued
    # nothing can be known of a walk: the interval of the largest class holds zero or nearly so
    assert abs(sets["all zones", "both"].difference.value or 0.0) < 0.05
    assert sum(one.n for one in found.calibration) == found.brier_skill.n
    kept = {(one.measure, one.group, one.name) for one in records([found])}
    assert ("hold_minus_placebo", "all", "all") in kept
    assert ("hold_rate", "side", "support") in kept


def test_what_was_fitted_on_is_kept_apart_from_what_came_later(recording: Recording) -> None:
    same = np.array([0.0, 1.0])
    until_ms = FIRST_MS + 60 * DAY_MS
    plain = LevelModel(np.zeros((2, len(PLACES))), 0.4, np.zeros(3), same, same)
    model = replace(
        plain,
        training=replace(plain.training, data=("hours",), from_ms=FIRST_MS, until_ms=until_ms),
    )
    study = study_levels([recording], model, parameters=PARAMETERS, seed=1, on_step=lambda *_: None)
    assert [found.sample for found in study] == ["selection", "out_of_sample"]
    assert study[0].until_ms < until_ms <= study[1].from_ms
    assert all(one.from_ms >= until_ms for one in records(study))


def test_a_span_without_any_level_is_not_studied(recording: Recording) -> None:
    same = np.array([0.0, 1.0])
    model = LevelModel(np.zeros((2, len(PLACES))), 0.4, np.zeros(3), same, same)
    history = level_history(recording, PARAMETERS)
    assert study_span(history, model, sample="transfer", per_side=12, days=(0, 5), seed=1) is None
    studied = study_span(history, model, sample="transfer", per_side=12, days=(0, 1 << 30), seed=1)
    assert studied is not None
    assert findings(studied).horizon_days == 7


def test_a_model_is_fitted_on_one_span_and_measured_on_the_next() -> None:
    many = hourly_recording(20, 110)
    until_ms = FIRST_MS + 90 * DAY_MS
    steps: list[str] = []
    fitted = fit_levels(
        [many],
        until_ms=until_ms,
        parameters=PARAMETERS,
        seed=1,
        on_step=lambda name, _done, _total: steps.append(name),
    )
    assert LevelModel.parse(fitted.body).sha256 == fitted.model.sha256
    training = fitted.model.training
    assert (training.data, training.until_ms) == (("hours",), until_ms)
    assert training.rows >= 1000
    assert fitted.later is not None
    assert fitted.later.from_ms >= until_ms
    assert fitted.model.records == records([fitted.later])
    assert steps == ["what places are worth", "the chance of holding", "the record on later days"]
    assert fitted.summary[0].startswith(f"Fitted on {training.rows:,} touches of hours")
    assert "Served, both: hold rate minus placebo" in fitted.summary[-1]
