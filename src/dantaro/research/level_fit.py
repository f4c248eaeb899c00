"""Fitting the levels model: what lies in a zone is worth, and from that a calibrated chance of holding.

1. The worth of every place (`level_worth`) on all days of the training span.
2. The zones of every day with that worth, each with what became of it within seven days.
3. A ridge logistic regression on the features of those that were decided.
4. Walk-forward predictions: the touches are cut into four parts of equal size in time, and each but the
   first is predicted by a regression on the parts before it, with a gap of the horizon. On these, by which
   nothing was fitted, a monotone map is fitted (pool adjacent violators on tenths), and it is used if maps
   of earlier parts made the Brier score of later ones smaller.
5. The record, on the recordings' days after the training span.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
from sklearn.isotonic import IsotonicRegression

from dantaro.analysis.level_features import FEATURES
from dantaro.analysis.level_model import LevelModel
from dantaro.analysis.level_outcomes import HELD
from dantaro.analysis.model_files import Training
from dantaro.analysis.panel import BoolArray, FloatArray, IntArray, Series
from dantaro.analysis.parameters import Parameters
from dantaro.errors import ConfigurationError
from dantaro.market.timeframes import DAY_MS, HOURLY
from dantaro.research.level_cases import HORIZON_DAYS, gather, outcomes, resolved
from dantaro.research.level_history import LevelHistory, issues, level_history
from dantaro.research.level_study import OnStep, findings, records, study_span
from dantaro.research.level_worth import PlaceEffect, day_sums, place_effects, worth_of
from dantaro.research.recordings import Recording
from dantaro.research.report_data import LevelFindings

FALSE_DISCOVERIES = 0.1
_RIDGE = 100.0
_PARTS = 4
_TENTHS = 10


@dataclass(frozen=True, slots=True, eq=False)
class FittedLevels:
    """A fitted model, its file, every place that was tried, and what was measured on later days."""

    model: LevelModel
    body: bytes
    tried: tuple[PlaceEffect, ...]
    later: LevelFindings | None

    @property
    def summary(self) -> tuple[str, ...]:
        """What came out, in words."""
        lines = [
            f"Fitted on {self.model.training.rows:,} touches of {', '.join(self.model.training.data)}."
        ]
        lines += [
            f"{one.place} as {one.side}: {100 * one.effect:+.1f} points "
            f"(t {one.t_stat:+.1f}, adjusted p {one.adjusted:.3f})"
            for one in self.tried
            if one.adjusted <= FALSE_DISCOVERIES
        ]
        if self.later is None:
            return (*lines, "No day after --until: nothing was measured.")
        for found in self.later.classes:
            if found.group == "set" and found.name == "served":
                gap = found.difference
                lines.append(
                    f"Served, {found.side}: hold rate minus placebo {_points(gap.value)} points "
                    f"[{_points(gap.low)}, {_points(gap.high)}], {gap.n:,} touches"
                )
        return tuple(lines)


def _points(fraction: float | None) -> str:
    return "-" if fraction is None else f"{100 * fraction:+.1f}"


def fit_levels(
    recordings: Sequence[Recording],
    *,
    until_ms: int,
    parameters: Parameters,
    seed: int,
    on_step: OnStep,
) -> FittedLevels:
    """Fit on the days of hourly `recordings` whose outcomes are known before `until_ms`; measure on the rest.

    Recordings of one exchange and quote currency are joined market by market. The same recordings and
    seed give the same bytes.

    Raises:
        ConfigurationError: there is no hourly recording, or too little before `until_ms`.
    """
    hourly = [one for one in recordings if one.timeframe == HOURLY]
    if not hourly:
        raise ConfigurationError("levels are fitted on hourly candles: give a recording of 1h")
    joined = join(hourly)
    history = level_history(joined, parameters)
    until = until_ms // DAY_MS
    last = until - HORIZON_DAYS
    on_step("what places are worth", 0, 3)
    tried = place_effects(day_sums(history, issues(history, until_day=last)))
    on_step("the chance of holding", 1, 3)
    model, rows = _regressed(history, tried, last, parameters)
    training = Training(
        data=tuple(one.name for one in hourly),
        from_ms=joined.from_ms,
        until_ms=until_ms,
        rows=rows,
    )
    model = replace(model, training=training)
    on_step("the record on later days", 2, 3)
    studied = study_span(
        history,
        model,
        sample="out_of_sample",
        per_side=parameters.levels_per_side,
        days=(until, joined.until_ms // DAY_MS + 1),
        seed=seed,
    )
    later = None if studied is None else replace(findings(studied), data=hourly[-1].name)
    model = replace(model, records=() if later is None else records([later]))
    body = model.to_bytes(tried=[asdict(one) for one in tried])
    return FittedLevels(LevelModel.parse(body), body, tried, later)


def join(recordings: Sequence[Recording]) -> Recording:
    """One recording of all markets, the candles of each in the order of the recordings.

    Raises:
        ConfigurationError: they are of several exchanges or quote currencies, or overlap in time.
    """
    first = recordings[0]
    if len({(one.exchange, one.quote) for one in recordings}) > 1:
        raise ConfigurationError(
            "levels are fitted on one exchange and quote currency at a time: give recordings of one"
        )
    ordered = sorted(recordings, key=lambda one: one.from_ms)
    series: dict[str, Series] = {}
    for recording in ordered:
        for key, candles in recording.series.items():
            series[key] = _appended(series.get(key), candles, recording)
    markets = {market.key: market for one in ordered for market in one.markets}
    names = [one.name for one in ordered]
    return replace(
        first,
        name=names[0] if len(names) == 1 else "+".join(names),
        markets=tuple(markets[key] for key in sorted(markets)),
        series=series,
    )


def _appended(known: Series | None, candles: Series, recording: Recording) -> Series:
    if known is None:
        return candles
    if known.opened_at_ms[-1] >= candles.opened_at_ms[0]:
        raise ConfigurationError(
            f"{recording.name} begins before another recording of its markets ends: give each once"
        )
    return Series(
        *(
            np.concatenate([getattr(known, name), getattr(candles, name)])
            for name in ("opened_at_ms", "open", "high", "low", "close", "volume")
        )
    )


def _regressed(
    history: LevelHistory, tried: Sequence[PlaceEffect], last: int, parameters: Parameters
) -> tuple[LevelModel, int]:
    worth = worth_of(tried, false_discoveries=FALSE_DISCOVERIES)
    plain = LevelModel(
        worth, 0.0, np.zeros(len(FEATURES)), np.array([0.0, 1.0]), np.array([0.0, 1.0])
    )
    every = issues(history, until_day=last)
    cases = gather(every, plain, per_side=parameters.levels_per_side)
    if cases is None:
        raise ConfigurationError(
            "no market was ranked before the end of the training span: give longer recordings"
        )
    found = outcomes(history, cases, seed=0, draws=0)
    which = resolved(found.state)
    features, day = cases.features[which], cases.day[which]
    held = found.state[which] == HELD
    if held.size < 1000:
        raise ConfigurationError(
            f"only {held.size} touches before the end of the training span: 1,000 are needed, so give "
            "longer recordings or a later --until"
        )
    stated, observed = _recalibration(_walked_forward(features, held, day))
    intercept, coefficients = logistic(features, held)
    model = LevelModel(worth, intercept, coefficients, stated, observed)
    return model, int(held.size)


_Forecasts = Sequence[tuple[FloatArray, BoolArray]]


def _walked_forward(features: FloatArray, held: BoolArray, day: IntArray) -> _Forecasts:
    """Predictions of every part but the first by the parts before it, and what happened."""
    found = []
    for inside in list(_time_parts(day))[1:]:
        before = day < int(day[inside].min()) - HORIZON_DAYS
        intercept, coefficients = logistic(features[before], held[before])
        found.append((_sigmoid(intercept + features[inside] @ coefficients), held[inside]))
    return found


def _recalibration(forecasts: _Forecasts) -> tuple[FloatArray, FloatArray]:
    """The knots of the map, or of none (what is stated is kept) where maps of earlier parts did not help."""
    plain = mapped = 0.0
    for later in range(1, len(forecasts)):
        predicted, happened = forecasts[later]
        knots = _monotone(*_together(forecasts[:later]))
        plain += float(((predicted - happened) ** 2).sum())
        mapped += float(((np.interp(predicted, *knots) - happened) ** 2).sum())
    if mapped < plain:
        return _monotone(*_together(forecasts))
    return np.array([0.0, 1.0]), np.array([0.0, 1.0])


def _together(forecasts: _Forecasts) -> tuple[FloatArray, BoolArray]:
    return (
        np.concatenate([predicted for predicted, _ in forecasts]),
        np.concatenate([happened for _, happened in forecasts]),
    )


def _time_parts(day: IntArray) -> Iterator[BoolArray]:
    edges = np.quantile(day, np.arange(1, _PARTS) / _PARTS)
    place = np.searchsorted(edges, day, side="right")
    for part in range(_PARTS):
        yield place == part


def logistic(
    features: FloatArray, held: BoolArray, *, ridge: float = _RIDGE
) -> tuple[float, FloatArray]:
    """Intercept and coefficients of a logistic regression by Newton's method.

    The penalty is `ridge` times the squared coefficients of standardised features; the intercept is not
    penalised (le Cessie and van Houwelingen, Ridge estimators in logistic regression, 1992).
    """
    middle, spread = features.mean(axis=0), features.std(axis=0)
    spread = np.where(spread > 0, spread, 1.0)
    design = np.column_stack((np.ones(held.size), (features - middle) / spread))
    penalty = np.diag([0.0, *[ridge] * features.shape[1]])
    beta = np.zeros(design.shape[1])
    for _ in range(50):
        probability = _sigmoid(design @ beta)
        gradient = design.T @ (held - probability) - penalty @ beta
        curvature = (design * (probability * (1 - probability))[:, None]).T @ design + penalty
        step = np.linalg.solve(curvature, gradient)
        beta += step
        if np.abs(step).max() < 1e-10:
            break
    coefficients = beta[1:] / spread
    return float(beta[0] - coefficients @ middle), coefficients


def _sigmoid(odds: FloatArray) -> FloatArray:
    probability: FloatArray = 1.0 / (1.0 + np.exp(-odds))
    return probability


def _monotone(predicted: FloatArray, happened: BoolArray) -> tuple[FloatArray, FloatArray]:
    """Knots of the monotone map: tenths of the predictions, pooled until their shares ascend."""
    order = np.argsort(predicted, kind="stable")
    tenths = np.array_split(order, _TENTHS)
    stated = np.array([predicted[part].mean() for part in tenths])
    shares = np.array([happened[part].mean() for part in tenths])
    counts = np.array([part.size for part in tenths], dtype=np.float64)
    observed = IsotonicRegression(out_of_bounds="clip").fit_transform(
        stated, shares, sample_weight=counts
    )
    stated, places = np.unique(stated, return_index=True)
    return stated, np.asarray(observed, dtype=np.float64)[places]
