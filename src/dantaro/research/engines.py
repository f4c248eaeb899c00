"""The engines that were tried: ways to fit the model behind the total score.

Each is fitted on market-days: the ranks of the features at a decision, and the rank among the day's
markets of what followed. One target serves all horizons, since one total is served: 0.7 of the rank of
the one-day return and 0.3 of that of the seven-day return, which is more of the one-day rank than the
seven-day ranking loses by.

From the plain to the rich: equal weights (nothing fitted), ridge and non-negative least squares on ranks,
boosted stumps (an additive model: one curve per feature), and boosted trees. What was tried before these
and left out is in `docs/decisions/0005-ranking-model.md`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import lightgbm
import numpy as np
from scipy.optimize import nnls

from dantaro.analysis.features import NAMES, SCORED
from dantaro.analysis.models import EQUAL_WEIGHTS, Linear, RankingModel, Tree, Trees
from dantaro.analysis.panel import FloatArray, IntArray
from dantaro.research.trial_features import TRIALS

TARGET: Mapping[int, float] = {1: 0.7, 7: 0.3}
"""Weight of each horizon's outcome rank in what is fitted."""

_RIDGE = 300.0
_SEVEN = tuple(feature.name for feature in SCORED)
_BOOSTING: Mapping[str, object] = {
    "objective": "regression",
    "learning_rate": 0.03,
    "min_data_in_leaf": 500,
    "bagging_fraction": 0.7,
    "bagging_freq": 1,
    "feature_fraction": 0.5,
    # One thread and fixed seeds: the same rows give the same trees, bit for bit.
    "num_threads": 1,
    "deterministic": True,
    "force_row_wise": True,
    "seed": 7,
    "verbosity": -1,
}


@dataclass(frozen=True, slots=True, eq=False)
class Design:
    """What an engine is fitted on: n market-days.

    Attributes:
        features: names of the columns of `ranks`.
        ranks: float64[n, F] in (0, 1), 1 favourable; NaN where a feature has no value.
        outcomes: by horizon the rank of the forward return among the day's markets, float64[n] in (0, 1);
            NaN where it is not known.
        returns: by horizon the forward return itself, float64[n].
        columns: int64[n], the day of each row, ascending.
    """

    features: tuple[str, ...]
    ranks: FloatArray
    outcomes: Mapping[int, FloatArray]
    returns: Mapping[int, FloatArray]
    columns: IntArray

    def select(self, features: Sequence[str]) -> FloatArray:
        """float64[n, F] of the named features; a missing rank is the middle one."""
        places = [self.features.index(name) for name in features]
        chosen = self.ranks[:, places]
        return np.where(np.isnan(chosen), 0.5, chosen)

    def target(self) -> FloatArray:
        """float64[n]: the blend of outcome ranks, of the horizons that the data has."""
        weights = {horizon: TARGET[horizon] for horizon in TARGET if horizon in self.outcomes}
        if not weights:
            weights = dict.fromkeys(self.outcomes, 1.0)
        total = sum(weights.values())
        blend = sum(weight / total * self.outcomes[horizon] for horizon, weight in weights.items())
        return np.asarray(blend)


@dataclass(frozen=True, slots=True)
class Engine:
    """A way to fit. `complexity` orders engines from the simplest up: of those that are not
    significantly worse than the best the simplest is taken. `features` are the ranks that it is given;
    an engine that is not `servable` is given some that the worker does not compute.
    """

    name: str
    label: str
    complexity: int
    features: tuple[str, ...]
    parameters: Mapping[str, float | str]
    fitting: Callable[[FloatArray, FloatArray, IntArray, Mapping[str, Any]], Linear | Trees]
    servable: bool = True

    def fit(self, design: Design) -> RankingModel:
        """The model fitted on the rows whose outcomes are all known.

        Raises:
            ValueError: no row has its outcomes.
        """
        target = design.target()
        known = np.isfinite(target)
        if not known.any():
            raise ValueError("no market-day with a known outcome to fit on")
        ranks = design.select(self.features)[known]
        form = self.fitting(ranks, target[known], design.columns[known], self.parameters)
        return RankingModel(self.name, self.features, form)


def trees_of(booster: lightgbm.Booster, *, features: int) -> Trees:
    """LightGBM's trees, without LightGBM."""
    return Trees(
        [_tree(info["tree_structure"]) for info in booster.dump_model()["tree_info"]],
        features=features,
    )


def _equal(
    ranks: FloatArray, target: FloatArray, columns: IntArray, parameters: Mapping[str, Any]
) -> Linear:
    del ranks, target, columns, parameters
    assert isinstance(EQUAL_WEIGHTS.form, Linear)  # noqa: S101 - it is linear by definition
    return EQUAL_WEIGHTS.form


def _ridge(
    ranks: FloatArray, target: FloatArray, columns: IntArray, parameters: Mapping[str, Any]
) -> Linear:
    """Least squares with a penalty on the squared weights (Hoerl and Kennard 1970)."""
    del columns
    centred, base = ranks - 0.5, float(target.mean())
    penalty = float(parameters["penalty"]) * np.eye(ranks.shape[1])
    gram = centred.T @ centred + penalty
    weights = np.linalg.solve(gram, centred.T @ (target - base))
    return Linear(base, np.asarray(weights, dtype=np.float64))


def _non_negative(
    ranks: FloatArray, target: FloatArray, columns: IntArray, parameters: Mapping[str, Any]
) -> Linear:
    """Least squares with weights of at least zero (Lawson and Hanson 1974): no sign is turned round."""
    del columns, parameters
    centred, base = ranks - 0.5, float(target.mean())
    gram = centred.T @ centred
    # The same minimum as on all rows, from the factor of their Gram matrix.
    factor = np.linalg.cholesky(gram + 1e-9 * np.trace(gram) * np.eye(len(gram))).T
    weights, _ = nnls(factor, np.linalg.solve(factor.T, centred.T @ (target - base)))
    return Linear(base, np.asarray(weights, dtype=np.float64))


def _boosted(
    ranks: FloatArray, target: FloatArray, columns: IntArray, parameters: Mapping[str, Any]
) -> Trees:
    """Gradient-boosted regression trees (Friedman 2001), by LightGBM (Ke et al. 2017)."""
    del columns
    settings = {**_BOOSTING, **{k: v for k, v in parameters.items() if k != "trees"}}
    data = lightgbm.Dataset(ranks, target, free_raw_data=True)
    booster = lightgbm.train(settings, data, num_boost_round=int(parameters["trees"]))
    return trees_of(booster, features=ranks.shape[1])


def _ranked(
    ranks: FloatArray, target: FloatArray, columns: IntArray, parameters: Mapping[str, Any]
) -> Trees:
    """LambdaMART (Burges 2010): trees that order each day's markets, with the target in ten grades."""
    settings = {**_BOOSTING, **{k: v for k, v in parameters.items() if k != "trees"}}
    _, sizes = np.unique(columns, return_counts=True)
    grades = np.minimum((target * 10).astype(np.int64), 9)
    settings |= {
        "objective": "lambdarank",
        "label_gain": list(range(10)),
        "lambdarank_truncation_level": 30,
    }
    data = lightgbm.Dataset(ranks, grades, group=sizes, free_raw_data=True)
    booster = lightgbm.train(settings, data, num_boost_round=int(parameters["trees"]))
    return trees_of(booster, features=ranks.shape[1])


def _tree(node: Mapping[str, Any]) -> Tree:
    """One tree with its leaves numbered from left to right."""
    splits: list[list[float]] = []
    values: list[float] = []
    covers: list[float] = []

    def walk(node: Mapping[str, Any]) -> None:
        if "split_feature" not in node:
            values.append(float(node["leaf_value"]))
            covers.append(float(node.get("leaf_count", 1)))
            return
        here = [
            float(node["split_feature"]),
            float(node["threshold"]),
            float(len(values)),
            0.0,
            0.0,
        ]
        splits.append(here)
        walk(node["left_child"])
        here[3] = len(values)
        walk(node["right_child"])
        here[4] = len(values)

    walk(node)
    return Tree(
        feature=tuple(int(split[0]) for split in splits),
        threshold=tuple(split[1] for split in splits),
        begin=tuple(int(split[2]) for split in splits),
        split=tuple(int(split[3]) for split in splits),
        end=tuple(int(split[4]) for split in splits),
        value=tuple(values),
        cover=tuple(covers),
    )


_ALL = (
    Engine("equal", "Equal weights on seven ranks", 0, _SEVEN, {}, _equal),
    Engine("ridge_7", "Ridge on seven ranks", 1, _SEVEN, {"penalty": _RIDGE}, _ridge),
    Engine("nnls", "Non-negative least squares on all ranks", 2, NAMES, {}, _non_negative),
    Engine("ridge", "Ridge on all ranks", 2, NAMES, {"penalty": _RIDGE}, _ridge),
    Engine(
        "stumps",
        "Boosted stumps: one curve per feature",
        3,
        NAMES,
        {"trees": 600, "num_leaves": 2, "learning_rate": 0.06},
        _boosted,
    ),
    Engine(
        "lambdamart",
        "LambdaMART, 15 leaves",
        5,
        NAMES,
        {"trees": 100, "num_leaves": 15, "learning_rate": 0.1, "extra_trees": "true"},
        _ranked,
    ),
    Engine(
        "trees_4", "Boosted trees, 4 leaves", 4, NAMES, {"trees": 600, "num_leaves": 4}, _boosted
    ),
    Engine(
        "trees_15", "Boosted trees, 15 leaves", 5, NAMES, {"trees": 400, "num_leaves": 15}, _boosted
    ),
    Engine(
        "random_trees",
        "Boosted trees, 15 leaves, thresholds drawn at random",
        5,
        NAMES,
        {"trees": 400, "num_leaves": 15, "extra_trees": "true"},
        _boosted,
    ),
    Engine(
        "random_trees_trials",
        "The same, given the trial features as well",
        6,
        (*NAMES, *TRIALS),
        {"trees": 400, "num_leaves": 15, "extra_trees": "true"},
        _boosted,
        servable=False,
    ),
)
ENGINES: Mapping[str, Engine] = {engine.name: engine for engine in _ALL}
DEFAULT = "random_trees"
