"""Engines see what was over, say something about what was not, and travel to other recordings as they are."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from dantaro.analysis.features import NAMES, SCORED
from dantaro.analysis.models import EQUAL_WEIGHTS, Linear, RankingModel
from dantaro.analysis.panel import BoolArray
from dantaro.analysis.parameters import Parameters
from dantaro.research.checkpoints import Checkpoints
from dantaro.research.decisions import Decisions, prepare_decisions
from dantaro.research.engines import ENGINES, Design, Engine
from dantaro.research.folds import walk_forward
from dantaro.research.walkforward import (
    DatedModel,
    design,
    influence,
    judge,
    open_ended,
    run_engine,
)
from research_worlds import a_recording, a_world

_HORIZONS = (1, 7)


@pytest.fixture(scope="module")
def decisions() -> Decisions:
    return prepare_decisions(a_recording(a_world(24, 190)), Parameters(), horizons=_HORIZONS)


def _engine(seen: list[Design]) -> Engine:
    """Equal weights, with a note of the designs that it was given."""

    class Noting(Engine):
        def fit(self, design: Design) -> RankingModel:
            seen.append(design)
            return super().fit(design)

    equal = ENGINES["equal"]
    return Noting("equal", equal.label, 0, equal.features, {}, equal.fitting)


def _run(decisions: Decisions, engine: Engine, folder: Path) -> tuple[int, Sequence[DatedModel]]:
    folds = walk_forward(decisions.decided_at_ms.size, horizon=7)
    steps: list[int] = []
    run = run_engine(
        engine,
        decisions,
        folds,
        horizons=_HORIZONS,
        checkpoints=Checkpoints(folder, {}),
        on_fold=lambda: steps.append(1),
    )
    return len(steps), run.models


def test_a_training_table_holds_no_decision_whose_outcome_touches_a_test_day(
    decisions: Decisions, tmp_path: Path
) -> None:
    seen: list[Design] = []
    _run(decisions, _engine(seen), tmp_path)
    folds = walk_forward(decisions.decided_at_ms.size, horizon=7)
    assert len(seen) == len(folds)
    for table, fold in zip(seen, folds, strict=True):
        assert table.columns.max() + 7 < fold.test_start
        assert all(np.isfinite(outcome).all() for outcome in table.outcomes.values())


def test_a_training_table_is_that_of_a_recording_that_ends_where_it_does(
    decisions: Decisions,
) -> None:
    world = a_world(24, 190)
    cut = {
        name: type(series)(
            series.opened_at_ms[:127],
            series.open[:127],
            series.high[:127],
            series.low[:127],
            series.close[:127],
            series.volume[:127],
        )
        for name, series in world.items()
    }
    short = prepare_decisions(a_recording(cut), Parameters(), horizons=_HORIZONS)
    from_whole = design(decisions, 120, horizons=_HORIZONS)
    from_short = design(short, 120, horizons=_HORIZONS)
    assert np.array_equal(from_whole.ranks, from_short.ranks, equal_nan=True)
    for horizon in _HORIZONS:
        assert np.array_equal(from_whole.outcomes[horizon], from_short.outcomes[horizon])


def test_every_ranked_market_of_a_test_day_is_judged_and_nothing_before(
    decisions: Decisions, tmp_path: Path
) -> None:
    folds = walk_forward(decisions.decided_at_ms.size, horizon=7)
    run = run_engine(
        ENGINES["equal"],
        decisions,
        folds,
        horizons=_HORIZONS,
        checkpoints=Checkpoints(tmp_path, {}),
        on_fold=lambda: None,
    )
    first = folds[0].test_start
    assert np.isnan(run.estimates[:, :first]).all()
    assert np.array_equal(np.isfinite(run.estimates[:, first:]), decisions.ranked[:, first:])
    mean = np.mean([decisions.ranks[feature.name] for feature in SCORED], axis=0)
    assert run.estimates[3, first] == pytest.approx(mean[3, first])
    assert run.family == "equal_weight"


def test_an_interrupted_run_goes_on_where_it_was(decisions: Decisions, tmp_path: Path) -> None:
    seen: list[Design] = []
    _run(decisions, _engine(seen), tmp_path)
    fitted = len(seen)
    newest = max(tmp_path.iterdir(), key=lambda path: path.name)
    newest.unlink()
    steps, _ = _run(decisions, _engine(seen), tmp_path)
    assert steps == fitted
    assert len(seen) == fitted + 1


def test_fold_models_judge_another_recording_by_date_without_refitting(
    decisions: Decisions, tmp_path: Path
) -> None:
    _, models = _run(decisions, ENGINES["ridge_7"], tmp_path)
    other = prepare_decisions(
        a_recording(a_world(22, 200, seed=5), name="other"), Parameters(), horizons=_HORIZONS
    )
    said = judge(open_ended(models), other)
    judged: BoolArray = np.asarray(np.isfinite(said).any(axis=0))
    assert not judged[other.decided_at_ms < models[0].from_ms].any()
    assert judged[other.decided_at_ms >= models[0].from_ms].all()  # the last model judges on
    own = judge(models, decisions)
    assert np.isfinite(own).any(axis=0).sum() == sum(
        ((decisions.decided_at_ms >= m.from_ms) & (decisions.decided_at_ms < m.until_ms)).sum()
        for m in models
    )


def test_influence_is_each_features_share_at_each_refit() -> None:
    turned = RankingModel(
        "x", EQUAL_WEIGHTS.features, Linear(0.5, np.array([3.0, 1.0, 0, 0, 0, 0, 0]))
    )
    shares = influence([DatedModel(EQUAL_WEIGHTS, 0, 1), DatedModel(turned, 1, 2)])
    first, second = EQUAL_WEIGHTS.features[:2]
    assert shares[first].tolist() == pytest.approx([1 / 7, 0.75])
    assert shares[second].tolist() == pytest.approx([1 / 7, 0.25])
    assert set(shares) <= set(NAMES)
