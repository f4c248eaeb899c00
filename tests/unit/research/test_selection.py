"""The simplest engine that is not significantly worse is taken, by days that may be chosen by alone."""

import dataclasses

import numpy as np
import pytest

from dantaro.analysis.panel import BoolArray, FloatArray
from dantaro.errors import NotMeasurable
from dantaro.research.engines import ENGINES, Engine
from dantaro.research.ledger import Entry
from dantaro.research.measuring import Outcomes
from dantaro.research.selection import (
    Candidate,
    candidate,
    choose,
    deflated,
    engine_records,
    entries,
    overfitted,
)

_DAYS = 300


def _candidate(
    name: str, ic: FloatArray, *, complexity: int, servable: bool = True, net: float = 0.0
) -> Candidate:
    engine: Engine = dataclasses.replace(
        ENGINES["equal"], name=name, complexity=complexity, servable=servable
    )
    daily = net + 0.01 * np.random.default_rng(complexity).normal(size=_DAYS)
    return Candidate(engine, "linear", np.zeros((1, _DAYS)), {1: ic, 7: ic}, {1: daily, 7: daily})


def _ic(mean: float, seed: int = 0, spread: float = 0.02) -> FloatArray:
    common = np.random.default_rng(99).normal(size=_DAYS) * 0.1
    own: FloatArray = np.random.default_rng(seed).normal(size=_DAYS) * spread
    found: FloatArray = mean + common - common.mean() + own - own.mean()
    return found


@pytest.fixture
def every_day() -> BoolArray:
    return np.ones(_DAYS, dtype=bool)


def test_a_simple_engine_as_good_but_for_chance_is_taken(every_day: BoolArray) -> None:
    simple = _candidate("simple", _ic(0.1495, 1), complexity=1)
    rich = _candidate("rich", _ic(0.1500, 2), complexity=5)
    choice = choose([rich, simple], every_day)
    assert choice.name == "simple"
    assert "not significantly worse than the best, rich" in choice.why
    assert "+0.1495 against +0.1500" in choice.why


def test_an_engine_that_is_clearly_better_is_taken_whatever_its_complexity(
    every_day: BoolArray,
) -> None:
    simple = _candidate("simple", _ic(0.10, 1), complexity=1)
    rich = _candidate("rich", _ic(0.15, 2), complexity=5)
    assert choose([simple, rich], every_day).name == "rich"


def test_an_engine_whose_model_cannot_be_served_is_told_of_and_not_taken(
    every_day: BoolArray,
) -> None:
    simple = _candidate("simple", _ic(0.10, 1), complexity=1)
    beyond = _candidate("beyond", _ic(0.15, 2), complexity=5, servable=False)
    choice = choose([simple, beyond], every_day)
    assert choice.name == "simple"
    assert "beyond, whose model cannot be served, reached +0.1500" in choice.why
    with pytest.raises(NotMeasurable, match="no engine whose model can be served"):
        choose([beyond], every_day)


def test_the_days_held_back_have_no_say(every_day: BoolArray) -> None:
    late = np.arange(_DAYS) >= 200
    good_late = np.where(late, 0.9, _ic(0.10, 1))
    first = _candidate("good late", good_late, complexity=5)
    second = _candidate("good early", _ic(0.12, 2), complexity=6)
    assert choose([first, second], ~late).name == "good early"
    assert choose([first, second], every_day).name == "good late"


def test_what_was_held_back_is_recorded_apart(every_day: BoolArray) -> None:
    days = np.arange(_DAYS) < 200
    outcomes = Outcomes(
        np.arange(_DAYS, dtype=np.int64),
        {h: np.zeros((1, _DAYS)) for h in (1, 7)},
        np.zeros((1, _DAYS)),
        0.002,
    )
    ic = np.where(days, 0.1, 0.3)
    found = engine_records(
        [_candidate("a", ic, complexity=1), _candidate("b", ic - 0.02, complexity=2)],
        outcomes,
        days & every_day,
        count=20,
    )
    assert [(r.engine, r.horizon_days) for r in found] == [("a", 1), ("b", 1), ("a", 7), ("b", 7)]
    assert found[0].rank_ic.value == pytest.approx(0.1)
    assert found[0].held_back_ic.value == pytest.approx(0.3)
    assert found[0].to_best.value is None
    assert found[1].to_best.value == pytest.approx(-0.02)


def _trials(nets: dict[str, float]) -> tuple[Entry, ...]:
    candidates = [
        _candidate(name, _ic(0.1), complexity=place, net=net)
        for place, (name, net) in enumerate(nets.items())
    ]
    outcomes = Outcomes(
        np.arange(_DAYS, dtype=np.int64),
        {h: np.zeros((1, _DAYS)) for h in (1, 7)},
        np.zeros((1, _DAYS)),
        0.0,
    )
    days = np.arange(_DAYS) < 240
    return entries(candidates, outcomes, days, data="walks", sha256="0", folds="1-8")


def test_each_engine_and_horizon_is_a_trial_on_the_days_chosen_by() -> None:
    trials = _trials({"a": 0.001, "b": 0.0})
    assert [(t.name, t.metric) for t in trials] == [
        ("a", "rank_ic 1d"),
        ("a", "rank_ic 7d"),
        ("b", "rank_ic 1d"),
        ("b", "rank_ic 7d"),
    ]
    assert len(trials[0].daily) == len(trials[0].at_ms) == 240
    daily = np.array(trials[0].daily)
    assert trials[0].sharpe == pytest.approx(daily.mean() / daily.std(ddof=1))


def test_a_real_difference_survives_the_number_of_trials_and_noise_does_not() -> None:
    noise = dict.fromkeys("bcdef", 0.0)
    trials = _trials({"a": 0.005, **noise})  # half a deviation a day
    found = deflated(trials, "a", 7)
    assert found.trials == 6
    assert found.probability is not None
    assert found.probability > 0.99
    real = overfitted(trials, 7)
    assert (real.variants, real.probability) == (6, 0.0)
    chance = deflated(_trials({"a": 0.0, **noise}), "a", 7)
    assert chance.probability is not None
    assert chance.probability < 0.9


def test_what_needs_more_than_one_trial_says_so() -> None:
    found = overfitted(_trials({"a": 0.001}), 7)
    assert found.probability is None
    assert found.reason
    unknown = deflated((), "a", 7)
    assert unknown.probability is None
    assert unknown.reason


def test_a_candidate_is_measured_after_costs_against_the_universe_without() -> None:
    scores = np.broadcast_to(np.arange(30.0)[:, None], (30, 10)).copy()
    returns = np.zeros((30, 10))
    outcomes = Outcomes(np.arange(10, dtype=np.int64), {1: returns + scores}, returns, 0.002)
    found = candidate(ENGINES["equal"], "equal_weight", scores, outcomes, count=20)
    assert found.ic[1].tolist() == pytest.approx([1.0] * 10)
    # nothing moves: the first day costs 20 bp of the book, the others nothing
    assert found.net[1][0] == pytest.approx(-0.002)
    assert found.net[1][1:].tolist() == pytest.approx([0.0] * 9, abs=1e-12)
