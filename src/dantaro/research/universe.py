"""Which markets were ranked on each day, by what was known on that day.

The same reasons as in `dantaro.analysis.exclusions`, over all days at once. Nothing here looks ahead:
a market that is delisted later is in until its candles end.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dantaro.analysis.coins import DOLLARS, classify
from dantaro.analysis.features import HISTORY_DAYS
from dantaro.analysis.history import History, collapses
from dantaro.analysis.panel import BoolArray, FloatArray, IntArray
from dantaro.analysis.parameters import Parameters
from dantaro.market.markets import Market
from dantaro.market.results import ExclusionReason


@dataclass(frozen=True, slots=True, eq=False)
class Universe:
    """M markets over C days.

    Attributes:
        listed: bool[M, C], whether the market had candles up to the day and has not ended before it.
        ranked: bool[M, C], whether no reason kept it out.
        reasons: for each reason bool[M, C], where it applied to a listed market.
    """

    listed: BoolArray
    ranked: BoolArray
    reasons: Mapping[ExclusionReason, BoolArray]


@dataclass(frozen=True, slots=True)
class Jump:
    """A price that is no continuation of the one before: `column` is the first day of the new one."""

    market: int
    column: int
    ratio: float


def frozen_universe(
    history: History,
    features: Mapping[str, FloatArray],
    parameters: Parameters,
    *,
    needed: Sequence[str] = (),
    source: History | None = None,
) -> Universe:
    """The universe of each day of a daily `history`.

    `features` are float64[M, C] by name (`turnover_30d` and `volatility_30d` are needed), `needed`
    names those without which a market cannot be ranked. `source` is the history that the days were
    made from (None: the days themselves); quiet candles are counted there.
    """
    ages, close = history.ages(), history.by_market(history.close)
    listed = _listed(ages)
    known = {
        **_kinds(history.markets, parameters, ages.shape),
        **_history_reasons(history, ages, parameters),
        ExclusionReason.GAPPY: _quiet(source or history, history) > parameters.max_quiet_share,
        ExclusionReason.STALE: listed & (ages == 0),
    }
    dollars = np.array([1.0 if m.quote in DOLLARS else np.nan for m in history.markets])[:, None]
    thin = features["turnover_30d"] * dollars < parameters.min_turnover_usd
    pegged = (np.abs(close * dollars - 1.0) <= parameters.peg_distance) & (
        features["volatility_30d"] < parameters.peg_volatility
    )
    _add(known, ExclusionReason.LOW_TURNOVER, thin)
    _add(known, ExclusionReason.STABLECOIN, pegged)
    _add(known, ExclusionReason.GAPPY, _after_hole(history, ages, parameters))
    unmeasured = np.zeros(ages.shape, dtype=bool)
    for name in needed:
        unmeasured |= ~np.isfinite(features[name])
    _add(known, ExclusionReason.INSUFFICIENT_HISTORY, unmeasured & (ages > 0))
    turnover = history.by_market(history.close * history.volume)
    _add(known, ExclusionReason.OUTSIDE_UNIVERSE, _outside(known, turnover, listed, parameters))
    excluded = np.logical_or.reduce(list(known.values()))
    return Universe(
        listed=listed,
        ranked=(ages > 0) & ~excluded,
        reasons={reason: found & listed for reason, found in known.items()},
    )


def price_jumps(history: History, parameters: Parameters) -> tuple[Jump, ...]:
    """Where a segment begins far from where the market's last one ended, or a day collapsed."""
    found = []
    for row in range(1, history.row_market.size):
        if history.row_market[row] == history.row_market[row - 1]:
            first = int(history.first[row])
            ratio = float(history.open[row, first] / history.last_close[row - 1])
            if abs(np.log(ratio)) >= np.log(parameters.opening_jump):
                found.append(Jump(int(history.row_market[row]), first, ratio))
    close = history.by_market(history.close)
    for market, column in np.argwhere(collapses(history, step_jump=parameters.step_jump)).tolist():
        ratio = float(close[market, column] / close[market, column - 1])
        found.append(Jump(market, column, ratio))
    return tuple(sorted(found, key=lambda jump: (jump.market, jump.column)))


def _add(
    known: dict[ExclusionReason, BoolArray], reason: ExclusionReason, found: BoolArray
) -> None:
    known[reason] = known[reason] | found if reason in known else found


def _listed(ages: IntArray) -> BoolArray:
    """From a market's first day to its last."""
    present = ages > 0
    begun = np.logical_or.accumulate(present, axis=1)
    goes_on = np.logical_or.accumulate(present[:, ::-1], axis=1)[:, ::-1]
    listed: BoolArray = begun & goes_on
    return listed


def _kinds(
    markets: Sequence[Market], parameters: Parameters, shape: tuple[int, ...]
) -> dict[ExclusionReason, BoolArray]:
    """What the ticker alone says: stablecoins, fiat, wrapped and leveraged tokens, other quotes."""
    bases = {market.base.upper() for market in markets}
    found: dict[ExclusionReason, BoolArray] = {}
    for row, market in enumerate(markets):
        kind = classify(market.base, bases=bases)
        reasons = [kind[0]] if kind else []
        if market.quote not in parameters.quotes:
            reasons.append(ExclusionReason.OUTSIDE_UNIVERSE)
        for reason in reasons:
            found.setdefault(reason, np.zeros(shape, dtype=bool))[row] = True
    return found


def _history_reasons(
    history: History, ages: IntArray, parameters: Parameters
) -> dict[ExclusionReason, BoolArray]:
    """Too few days since the listing, or since a jump after which the price is another thing's."""
    columns = np.arange(ages.shape[1])
    anomalous = np.zeros(ages.shape, dtype=bool)
    for jump in price_jumps(history, parameters):
        since = columns - jump.column
        anomalous[jump.market] |= (since >= 0) & (since < HISTORY_DAYS)
    return {
        ExclusionReason.INSUFFICIENT_HISTORY: (ages > 0) & (ages < HISTORY_DAYS),
        ExclusionReason.PRICE_ANOMALY: anomalous,
    }


def _after_hole(history: History, ages: IntArray, parameters: Parameters) -> BoolArray:
    """Too few days because of a hole, and not because of the listing."""
    later = np.zeros(ages.shape, dtype=bool)
    jumped = {(jump.market, jump.column) for jump in price_jumps(history, parameters)}
    for row in range(1, history.row_market.size):
        market, first = int(history.row_market[row]), int(history.first[row])
        if history.row_market[row - 1] == market and (market, first) not in jumped:
            later[market, first : int(history.last[row]) + 1] = True
    young: BoolArray = later & (ages > 0) & (ages < HISTORY_DAYS)
    return young


def _quiet(source: History, days: History) -> FloatArray:
    """Share of quiet candles among the newest `HISTORY_DAYS` days of candles, at each day's close."""
    slots = HISTORY_DAYS * (days.timeframe.milliseconds // source.timeframe.milliseconds)
    columns = source.opened_at_ms.size
    quiet = (~source.recorded & ~np.isnan(source.close)).astype(np.int64)
    # Sums of whole numbers are exact: here a running sum equals the sum of the window.
    running = np.concatenate(
        (np.zeros((quiet.shape[0], 1), np.int64), quiet.cumsum(axis=1)), axis=1
    )
    begin = np.maximum(np.arange(columns) + 1 - slots, source.first[:, None])
    length = np.arange(1, columns + 1) - begin
    inside = (length > 0) & (np.arange(columns) <= source.last[:, None])
    counts = running[:, 1:] - np.take_along_axis(running, np.minimum(begin, columns), axis=1)
    share = source.by_market(np.where(inside, counts / np.maximum(length, 1), np.nan))
    closes = days.opened_at_ms + days.timeframe.milliseconds
    places = np.searchsorted(source.opened_at_ms, closes) - 1
    return share[:, places]


def _outside(
    known: Mapping[ExclusionReason, BoolArray],
    turnover: FloatArray,
    listed: BoolArray,
    parameters: Parameters,
) -> BoolArray:
    """Beyond the universe's size by the day's turnover, among markets that the ticker admits."""
    admitted = listed.copy()
    for reason in (
        ExclusionReason.STABLECOIN,
        ExclusionReason.FIAT,
        ExclusionReason.WRAPPED,
        ExclusionReason.LEVERAGED_TOKEN,
        ExclusionReason.OUTSIDE_UNIVERSE,
    ):
        if reason in known:
            admitted &= ~known[reason]
    amount = np.where(admitted, np.nan_to_num(turnover), -1.0)
    # Equal amounts in the order of the markets, as `exclusions.universe` has them.
    place = np.argsort(np.argsort(-amount, axis=0, kind="stable"), axis=0, kind="stable")
    outside: BoolArray = admitted & (place >= parameters.universe_size)
    return outside
