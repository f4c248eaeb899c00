"""What a ranking must beat: simple rankings, the ratings that traders read, and a plain tree model.

A higher score is meant to be the better one. The momentum, turnover, volatility and MAX rankings point
the way that was measured to be favourable; the rating and the RSI stand both as they are read (a "buy"
first) and reversed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import lightgbm
import numpy as np

from dantaro.analysis import indicators
from dantaro.analysis.features import SCORED
from dantaro.analysis.history import History
from dantaro.analysis.panel import FloatArray
from dantaro.analysis.rating import group_series
from dantaro.analysis.windows import highest, lowest
from dantaro.research.decisions import Decisions, daily_ranks, flat, unflat

SEVEN: Mapping[str, int] = {
    "volatility_30d": -1,
    "max_7d": -1,
    "reversal_1d": -1,
    "momentum_7d": -1,
    "turnover_30d": -1,
    "volume_surge": -1,
    "distance_from_7d_high": 1,
}
"""The features of the equal-weight ranking, with the sign that was measured to be favourable."""

ORIGINAL_WEIGHTS = {"technical": 0.4, "volume": 0.3, "volatility": 0.2, "risk": 0.1}
TREES, LEAVES = 150, 15
_TREE_SETTINGS = {
    "objective": "regression",
    "num_leaves": LEAVES,
    "learning_rate": 0.04,
    "verbosity": -1,
    "deterministic": True,
    "force_row_wise": True,
    "num_threads": 1,
}


@dataclass(frozen=True, slots=True, eq=False)
class Ranking:
    """One way to rank, over M markets and C days.

    Attributes:
        name, kind, label: as in `report_data.Contender`.
        scores: float64[M, C], higher is better; NaN where it ranks nothing.
        by_horizon: scores of a ranking that is made anew for each horizon, instead of `scores`.
    """

    name: str
    kind: str
    label: str
    scores: FloatArray
    by_horizon: Mapping[int, FloatArray] = field(default_factory=dict)

    def at(self, horizon: int) -> FloatArray:
        return self.by_horizon.get(horizon, self.scores)


def group_scores(decisions: Decisions) -> Mapping[str, FloatArray]:
    """The four scores, float64[M, C] in (0, 1): the mean rank of each group's features."""
    groups: dict[str, list[FloatArray]] = {}
    for feature in SCORED:
        groups.setdefault(str(feature.group), []).append(decisions.ranks[feature.name])
    return {name: np.mean(groups[name], axis=0) for name in ORIGINAL_WEIGHTS if name in groups}


def simple_baselines(decisions: Decisions) -> tuple[Ranking, ...]:
    """Every baseline that nothing is fitted for."""
    ranked, features = decisions.ranked, decisions.features
    signed = {
        name: daily_ranks(sign * features[name], ranked)
        for name, sign in {**SEVEN, "momentum_30d": -1}.items()
    }
    scores = group_scores(decisions)
    original = sum(weight * scores[name] for name, weight in ORIGINAL_WEIGHTS.items())
    averages, rating, rsi = ratings(decisions.days)
    read = {
        "rating": (rating, "Rating of 26 votes"),
        "rating_averages": (averages, "Moving-average part of the rating"),
        "rsi": (rsi, "RSI of 14 days"),
    }
    found = [
        _baseline(
            "equal_weight", np.mean([signed[n] for n in SEVEN], axis=0), "Mean of seven ranks"
        ),
        _baseline("original", np.asarray(original), "Four scores weighted 0.4, 0.3, 0.2, 0.1"),
        _baseline("low_volatility", signed["volatility_30d"], "Low volatility, 30 days"),
        _baseline("max_7d", signed["max_7d"], "Small largest daily return of 7 days (MAX)"),
        _baseline("reversal_1d", signed["reversal_1d"], "1-day reversal"),
        _baseline("momentum_7d", signed["momentum_7d"], "Low 7-day momentum"),
        _baseline("momentum_30d", signed["momentum_30d"], "Low 30-day momentum"),
        _baseline("turnover", signed["turnover_30d"], "Low turnover, 30 days"),
    ]
    for name, (values, label) in read.items():
        chosen = np.where(ranked, values, np.nan)
        found.append(_baseline(name, chosen, label))
        found.append(_baseline(f"{name}_reversed", -chosen, f"{label}, reversed"))
    return tuple(found)


def ratings(days: History) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Moving-average part of the rating, the whole rating, and the RSI of 14 days, float64[M, C]."""
    shape = days.close.shape
    averages, rating, rsi = (np.full(shape, np.nan) for _ in range(3))
    for rows, panel in days.panels():
        width = panel.opened_at_ms.size
        part_a, part_b = group_series(panel)
        both = np.where(
            np.isnan(part_b), part_a, np.where(np.isnan(part_a), part_b, 0.5 * (part_a + part_b))
        )
        averages[rows, :width], rating[rows, :width] = part_a, np.round(both, 12)
        rsi[rows, :width] = indicators.rsi(panel, 14, last=width)
    return days.by_market(averages), days.by_market(rating), days.by_market(rsi)


def tree_features(decisions: Decisions) -> tuple[FloatArray, ...]:
    """The twenty ranks of the plain tree model, float64[M, C] each, 1 is favourable or high."""
    days, ranked = decisions.days, decisions.ranked
    named = {**SEVEN, "momentum_30d": -1}
    known = [daily_ranks(sign * decisions.features[name], ranked) for name, sign in named.items()]
    averages, _, rsi = ratings(days)
    more = [averages, rsi, *(days.by_market(values) for values in _more_features(days))]
    return (*known, *(daily_ranks(values, ranked) for values in more))


def fit_trees(
    table: FloatArray, decisions: Decisions, *, horizon: int, train_end: int, seed: int
) -> str:
    """The plain tree model for one horizon, fitted on the decisions before `train_end`, as LightGBM's
    text; `table` is that of `tree_table`. It predicts the cross-sectional rank of the forward return.
    """
    where = decisions.ranked
    outcome = flat(daily_ranks(decisions.returns[horizon], where), where)
    column = np.nonzero(where.T)[0]
    train = (column < train_end) & np.isfinite(outcome)
    data = lightgbm.Dataset(table[train], outcome[train])
    model = lightgbm.train({**_TREE_SETTINGS, "seed": seed}, data, num_boost_round=TREES)
    return str(model.model_to_string())


def tree_table(decisions: Decisions) -> FloatArray:
    """float64[n, 20]: the ranks of the ranked market-days, day after day."""
    return np.column_stack([flat(values, decisions.ranked) for values in tree_features(decisions)])


def tree_ranking(
    models: Mapping[int, Sequence[tuple[int, int, str]]], table: FloatArray, decisions: Decisions
) -> Ranking:
    """What the models of each horizon, each with the times from and before which it may judge, say."""
    where = decisions.ranked
    decided = decisions.decided_at_ms[np.nonzero(where.T)[0]]
    by_horizon = {}
    for horizon, dated in models.items():
        said = np.full(len(table), np.nan)
        for from_ms, until_ms, text in dated:
            rows = (decided >= from_ms) & (decided < until_ms)
            if rows.any():
                booster = lightgbm.Booster(model_str=text)
                said[rows] = np.asarray(booster.predict(table[rows], num_threads=1))
        by_horizon[horizon] = unflat(said, where)
    label = "LightGBM regressor on 20 ranks (150 trees, 15 leaves)"
    return Ranking("lightgbm", "baseline", label, np.full(where.shape, np.nan), by_horizon)


def _baseline(name: str, scores: FloatArray, label: str) -> Ranking:
    return Ranking(name, "baseline", label, scores)


def _more_features(days: History) -> tuple[FloatArray, ...]:
    """Ten features beyond the scored ones, float64[R, C]; NaN where a window leaves the segment."""
    close, high, low = days.close, days.high, days.low
    returns = np.full(close.shape, np.nan)
    returns[:, 1:] = close[:, 1:] / close[:, :-1] - 1.0
    known = ~np.isnan(returns)
    market = np.where(known, returns, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    window = _windows(returns, 30)
    common = _windows(np.broadcast_to(market, returns.shape), 30)
    own = window - window.mean(axis=-1, keepdims=True)
    other = common - common.mean(axis=-1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        beta = (own * other).sum(axis=-1) / (other * other).sum(axis=-1)
        rest = own - beta[..., None] * other
        spread = np.sqrt((own * own).mean(axis=-1))
        skewness = (own**3).mean(axis=-1) / spread**3
        return (
            beta,
            np.sqrt((rest * rest).mean(axis=-1)),
            skewness,
            (close - low) / np.where(high > low, high - low, np.nan),
            _change(close, 14),
            _change(close, 90),
            _windows(returns, 7).std(axis=-1) / spread,
            close / highest(high, 30) - 1.0,
            close / lowest(low, 30) - 1.0,
            high / low - 1.0,
        )


def _windows(values: FloatArray, size: int) -> FloatArray:
    """float64[R, C, size]: the last `size` values at each column, NaN before the first."""
    padded = np.pad(values, ((0, 0), (size - 1, 0)), constant_values=np.nan)
    windows: FloatArray = np.lib.stride_tricks.sliding_window_view(padded, size, axis=1)
    return windows


def _change(close: FloatArray, size: int) -> FloatArray:
    result = np.full(close.shape, np.nan)
    result[:, size:] = close[:, size:] / close[:, :-size] - 1.0
    return result
