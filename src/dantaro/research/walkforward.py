"""Engines run walk-forward over a recording, and their fold models applied to others."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from dantaro.analysis.features import NAMES
from dantaro.analysis.measures import LEAST_MARKETS
from dantaro.analysis.model_files import Training
from dantaro.analysis.models import Linear, RankingModel, parse_ranking
from dantaro.analysis.panel import BoolArray, FloatArray
from dantaro.analysis.scores import estimates
from dantaro.errors import RecordingInvalid
from dantaro.research.checkpoints import Arrays, Checkpoints, packed, step_name
from dantaro.research.decisions import Decisions, daily_ranks, flat, unflat
from dantaro.research.engines import TARGET, Design, Engine
from dantaro.research.folds import Fold, walk_forward
from dantaro.research.recordings import Recording

_LEAST_TRAINING_DAYS = 30

OnFold = Callable[[], None]


@dataclass(frozen=True, slots=True, eq=False)
class DatedModel:
    """A model and the decisions that it may judge: those from `from_ms` to before `until_ms`."""

    model: RankingModel
    from_ms: int
    until_ms: int


@dataclass(frozen=True, slots=True, eq=False)
class EngineRun:
    """What one engine said out of sample.

    Attributes:
        engine: its name; `family` as in `report_data.EngineRecord`.
        estimates: float64[M, C], NaN on days that no fold tests.
        models: the fitted model of each fold; none of an engine whose models cannot be served.
    """

    engine: str
    family: str
    estimates: FloatArray
    models: tuple[DatedModel, ...]


def usable_folds(recording: Recording, decisions: Decisions) -> tuple[Fold, ...]:
    """The folds that have enough to be fitted on and something to be tested on.

    Raises:
        RecordingInvalid: there is none; the message says what is missing.
    """
    ranked = decisions.ranked.sum(axis=0)
    enough = ranked >= LEAST_MARKETS
    folds = tuple(
        fold
        for fold in walk_forward(ranked.size, horizon=max(TARGET))
        if enough[: fold.train_end].sum() >= _LEAST_TRAINING_DAYS
        and enough[fold.test_start : fold.test_end].any()
    )
    if folds:
        return folds
    reasons = {
        str(reason): int(applied.sum()) for reason, applied in decisions.universe.reasons.items()
    }
    most = max(reasons, key=lambda name: reasons[name], default="")
    left_out = f" (most were left out as {most})" if reasons.get(most) else ""
    raise RecordingInvalid(
        f"{recording.file}: {ranked.size} days, {int(enough.sum())} of them with {LEAST_MARKETS} ranked "
        f"markets or more, and at most {int(ranked.max(initial=0))} ranked on one{left_out}; a third of "
        f"the days is fitted on, which takes {_LEAST_TRAINING_DAYS} such days, and the rest is tested. "
        "Give a longer recording of more markets first, or measure a finished --model"
    )


def design(decisions: Decisions, columns: int, *, horizons: Sequence[int]) -> Design:
    """The training table of the decisions before `columns`: market-days whose outcomes are all known."""
    chosen = decisions.ranked.copy()
    chosen[:, columns:] = False
    for horizon in horizons:
        chosen &= np.isfinite(decisions.returns[horizon])
    return Design(
        features=tuple(decisions.ranks),
        ranks=np.column_stack([flat(values, chosen) for values in decisions.ranks.values()]),
        outcomes={h: flat(daily_ranks(decisions.returns[h], chosen), chosen) for h in horizons},
        returns={h: flat(decisions.returns[h], chosen) for h in horizons},
        columns=np.nonzero(chosen.T)[0].astype(np.int64),
    )


def run_engine(
    engine: Engine,
    decisions: Decisions,
    folds: Sequence[Fold],
    *,
    horizons: Sequence[int],
    checkpoints: Checkpoints,
    on_fold: OnFold,
) -> EngineRun:
    """Fit `engine` anew for each fold and let it judge the fold's test days."""
    said = np.full(decisions.ranked.shape, np.nan)
    models, family = [], ""
    decided = decisions.decided_at_ms
    for fold in folds:
        kept = checkpoints.step(
            step_name(decisions.name, engine.name, str(fold.number)),
            {"train_end": fold.train_end, "test_end": fold.test_end, "horizons": list(horizons)},
            partial(_fit_and_judge, engine, decisions, fold, horizons),
        )
        family = str(kept["family"])
        said[:, fold.test_start : fold.test_end] = kept["said"]
        if engine.servable:
            model = parse_ranking(kept["model"].tobytes())
            last = int(decided[fold.test_end - 1])
            models.append(DatedModel(model, int(decided[fold.test_start]), last + 1))
        on_fold()
    return EngineRun(engine.name, family, said, tuple(models))


def family_of(engine: Engine, model: RankingModel) -> str:
    """`equal_weight`, `linear` or `trees`."""
    if engine.complexity == 0:
        return "equal_weight"
    return "linear" if isinstance(model.form, Linear) else "trees"


def judge(models: Sequence[DatedModel], decisions: Decisions) -> FloatArray:
    """What the models say of the days that each may judge, float64[M, C]; NaN on all others."""
    said = np.full(decisions.ranked.shape, np.nan)
    decided = decisions.decided_at_ms
    for dated in models:
        days = (decided >= dated.from_ms) & (decided < dated.until_ms)
        where = decisions.ranked & days
        if where.any():
            said = _merge(said, unflat(_estimates(dated.model, decisions, where), where))
    return said


def open_ended(models: Sequence[DatedModel]) -> tuple[DatedModel, ...]:
    """The models as another recording may use them: each until the next one was fitted, the last on."""
    ends = [model.from_ms for model in models[1:]] + [2**62]
    return tuple(
        DatedModel(dated.model, dated.from_ms, end) for dated, end in zip(models, ends, strict=True)
    )


def influence(models: Sequence[DatedModel]) -> Mapping[str, FloatArray]:
    """Each feature's share in what each model says, float64[models]."""
    shares = []
    for dated in models:
        found = dict(zip(dated.model.features, dated.model.form.importance(), strict=True))
        shares.append([float(found.get(name, 0.0)) for name in NAMES])
    table = np.array(shares).reshape(len(models), len(NAMES))
    return {name: table[:, at] for at, name in enumerate(NAMES) if table[:, at].any()}


def span(decisions: Decisions, table: Design) -> Training:
    """What a model fitted on `table` was fitted on."""
    decided = decisions.decided_at_ms[np.unique(table.columns)]
    bounds = (int(decided[0]), int(decided[-1])) if decided.size else (0, 0)
    return Training((decisions.name,), *bounds, rows=len(table.ranks))


def _fit_and_judge(
    engine: Engine, decisions: Decisions, fold: Fold, horizons: Sequence[int]
) -> Arrays:
    table = design(decisions, fold.train_end, horizons=horizons)
    model = engine.fit(table)
    days = slice(fold.test_start, fold.test_end)
    where = np.zeros(decisions.ranked.shape, dtype=bool)
    where[:, days] = decisions.ranked[:, days]
    return {
        "model": packed(model.to_file(span(decisions, table), ())),
        "family": np.array(family_of(engine, model)),
        "said": unflat(_estimates(model, decisions, where), where)[:, days],
    }


def _estimates(model: RankingModel, decisions: Decisions, where: BoolArray) -> FloatArray:
    ranks = {name: flat(decisions.ranks[name], where) for name in model.features}
    return estimates(model, ranks)


def _merge(first: FloatArray, second: FloatArray) -> FloatArray:
    return np.where(np.isnan(second), first, second)
