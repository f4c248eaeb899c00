"""Whether a feature knows the future.

Two tests that share nothing:

* *By what it reaches.* No honest feature of these markets has had a mean daily rank IC with the next
  day's return beyond 0.16, all of them joined by trees included. One beyond `SUSPICIOUS_IC`, that goes
  with the coming return rather than with the one just past, is suspected.
* *By how it is made.* The features are computed again from candles that end earlier. A value of the
  days that are left that changed was made with what came later: that is a leak, whatever it reaches.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from dantaro.analysis import measures
from dantaro.analysis.anomalies import until
from dantaro.analysis.estimates import newey_west, overlap_lags
from dantaro.analysis.history import History
from dantaro.analysis.panel import FloatArray
from dantaro.analysis.parameters import Parameters
from dantaro.research.decisions import Decisions, histories, history_features
from dantaro.research.measuring import measured
from dantaro.research.recordings import Recording
from dantaro.research.report_data import FeatureCheck

SUSPICIOUS_IC = 0.25
CONTROL = "tomorrow"

Compute = Callable[[History], Mapping[str, FloatArray]]


def check_features(
    decisions: Decisions,
    ranks: Mapping[str, FloatArray],
    *,
    horizons: Sequence[int],
    structural: frozenset[str] = frozenset(),
    controls: frozenset[str] = frozenset(),
) -> tuple[FeatureCheck, ...]:
    """Each feature's rank IC at each horizon, and whether it is suspected.

    `ranks` are float64[M, C], 1 favourable; `structural` names those whose past values changed,
    `controls` those that must be flagged.
    """
    past = past_returns(decisions)
    one_day = {
        name: _mean(measures.rank_correlations(values, decisions.returns[1]))
        for name, values in ranks.items()
    }
    flagged = {
        name: name in structural
        or (
            abs(one_day[name]) > SUSPICIOUS_IC
            and abs(one_day[name]) > abs(_mean(measures.rank_correlations(values, past)))
        )
        for name, values in ranks.items()
    }
    found = []
    for horizon in horizons:
        for name, values in ranks.items():
            daily = measures.rank_correlations(values, decisions.returns[horizon])
            lags = overlap_lags(horizon, daily.size)
            found.append(
                FeatureCheck(
                    feature=name,
                    horizon_days=horizon,
                    rank_ic=measured(newey_west(daily, lags=lags)),
                    threshold=SUSPICIOUS_IC,
                    flagged=flagged[name],
                    control=name in controls,
                )
            )
    return tuple(found)


def changed_by_the_future(
    recording: Recording,
    parameters: Parameters,
    *,
    compute: Compute = history_features,
    cut_days: Sequence[int] = (1, 7, 45),
) -> frozenset[str]:
    """The features whose values before a cut change when the candles after it are taken away.

    `compute` makes features float64[M, C] of a daily history; `cut_days` are how many of the newest
    days are taken away, one after the other.
    """
    _, whole = histories(
        recording.markets, recording.series, recording.timeframe, parameters=parameters
    )
    before = compute(whole)
    changed: set[str] = set()
    for days in cut_days:
        if days >= whole.opened_at_ms.size:
            continue
        cut_ms = int(whole.opened_at_ms[-days])
        series = {key: until(candles, cut_ms) for key, candles in recording.series.items()}
        _, short = histories(recording.markets, series, recording.timeframe, parameters=parameters)
        columns = short.opened_at_ms.size
        after = compute(short)
        changed |= {
            name
            for name, values in before.items()
            if not np.array_equal(values[:, :columns], after[name], equal_nan=True)
        }
    return frozenset(changed)


def tomorrows_return(days: History) -> FloatArray:
    """The control: a feature that knows the next day's return, float64[M, C]."""
    close = days.by_market(days.close)
    result = np.full(close.shape, np.nan)
    result[:, :-1] = close[:, 1:] / close[:, :-1] - 1.0
    return result


def with_control(days: History) -> Mapping[str, FloatArray]:
    """Every feature, and the control among them."""
    return {**history_features(days), CONTROL: tomorrows_return(days)}


def past_returns(decisions: Decisions) -> FloatArray:
    """The return of the day that ends with each decision, float64[M, C]; NaN where not ranked."""
    close = decisions.days.by_market(decisions.days.close)
    result = np.full(close.shape, np.nan)
    result[:, 1:] = close[:, 1:] / close[:, :-1] - 1.0
    return np.where(decisions.ranked, result, np.nan)


def _mean(daily: FloatArray) -> float:
    known = daily[np.isfinite(daily)]
    return float(known.mean()) if known.size else 0.0
