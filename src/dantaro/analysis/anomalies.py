"""Price series that are two things under one name: redenominations and reused tickers.

A trade moves a price step by step, so a candle opens near the close before it however wild the move:
UNFI quadrupled inside one hour on 2022-06-07 and opened where the hour before had closed. A
redenomination, a token swap or another coin under the ticker shows as an *opening* far from the close
before it, nearly always after a trading halt (LUNA 2022, SUN 2021, BNX, QUICK and VIDT on Binance).

Two things are therefore looked for, both only if not reverted within the next twelve candles:

* an opening at least `opening_jump` times (3) away from the previous close;
* a move of `step_jump` times (8) from close to close within one candle, since a halt that is shorter
  than the candle hides the opening. A true collapse of that size (LUNA on 2022-05-11) is caught with
  it: what was measured before says nothing of the price after.

The coin's other markets can acquit it: a halted market that reopens where the others have traded to
all the while (within a factor of two, without a jump of their own) has merely caught up.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dantaro.analysis.panel import Series
from dantaro.market.timeframes import DAY_MS

_SETTLING_CANDLES = 12
_SAME_WITHIN = float(np.log(2.0))
_WITNESS_DELAY_MS = 2 * DAY_MS  # an older candle says nothing of the moment of the jump


@dataclass(frozen=True, slots=True)
class Anomaly:
    """The newest jump of a market: `ratio` new price over old, `before_ms` opening time of the last
    candle of the old price, `at_ms` of the first of the new.
    """

    at_ms: int
    before_ms: int
    ratio: float


def find_anomalies(
    series: Mapping[str, Series],
    coins: Mapping[str, str],
    *,
    opening_jump: float,
    step_jump: float,
) -> Mapping[str, Anomaly]:
    """The newest anomaly of each market that has one, by `Market.key`.

    `coins` maps `Market.key` to the coin's ticker; markets of one ticker are each other's witnesses.
    """
    witnesses: dict[str, list[str]] = {}
    for key in series:
        witnesses.setdefault(coins.get(key, key), []).append(key)
    found: dict[str, Anomaly] = {}
    for key, candles in series.items():
        others = [series[other] for other in witnesses[coins.get(key, key)] if other != key]
        for jump in _jumps(candles, np.log(opening_jump), np.log(step_jump)):
            if not any(_shares(jump, other, np.log(opening_jump)) for other in others):
                found[key] = jump
                break
    return found


def newest_of(*findings: Mapping[str, Anomaly]) -> Mapping[str, Anomaly]:
    """Each market's newest anomaly over several timeframes."""
    newest: dict[str, Anomaly] = {}
    for finding in findings:
        for key, anomaly in finding.items():
            if key not in newest or anomaly.at_ms > newest[key].at_ms:
                newest[key] = anomaly
    return newest


def cut(series: Mapping[str, Series], anomalies: Mapping[str, Anomaly]) -> Mapping[str, Series]:
    """The series without what lies before each market's anomaly: it is another thing's price."""
    return {
        key: since(candles, anomalies[key].at_ms) if key in anomalies else candles
        for key, candles in series.items()
    }


def since(candles: Series, at_ms: int) -> Series:
    """The candles that opened at or after `at_ms`."""
    return _slice(candles, int(np.searchsorted(candles.opened_at_ms, at_ms)), None)


def until(candles: Series, at_ms: int) -> Series:
    """The candles that opened before `at_ms`."""
    return _slice(candles, 0, int(np.searchsorted(candles.opened_at_ms, at_ms)))


def _slice(candles: Series, first: int, end: int | None) -> Series:
    part = slice(first, end)
    return Series(
        candles.opened_at_ms[part],
        candles.open[part],
        candles.high[part],
        candles.low[part],
        candles.close[part],
        candles.volume[part],
    )


def _jumps(candles: Series, opening_bound: float, step_bound: float) -> Sequence[Anomaly]:
    """The jumps of one series that were not reverted, newest first."""
    close, before = candles.close, candles.close[:-1]
    opening = np.log(candles.open[1:] / before)
    step = np.log(close[1:] / before)
    opens_away = np.abs(opening) >= opening_bound
    places = np.flatnonzero(opens_away | (np.abs(step) >= step_bound)) + 1
    if not places.size:
        return ()
    sizes = np.where(opens_away, opening, step)[places - 1]
    stays, returns = [], []
    for at, size in zip(places.tolist(), sizes.tolist(), strict=True):
        settled = float(np.median(close[at : at + _SETTLING_CANDLES]))
        stays.append(np.log(settled / close[at - 1]) / size >= 0.5)
        # the way back from a bad price ends where the way there began
        earlier = places[(places < at) & (places >= at - _SETTLING_CANDLES)]
        away = np.abs(np.log(settled / close[earlier - 1]))
        returns.append(bool((away < _SAME_WITHIN).any()))
    return [
        Anomaly(
            int(candles.opened_at_ms[at]),
            int(candles.opened_at_ms[at - 1]),
            float(close[at] / close[at - 1]),
        )
        for at, stay, back in zip(places[::-1].tolist(), stays[::-1], returns[::-1], strict=True)
        if stay and not back
    ]


def _shares(jump: Anomaly, other: Series, opening_bound: float) -> bool:
    """Whether another market of the coin traded its way to the same new price."""
    old = int(np.searchsorted(other.opened_at_ms, jump.before_ms, side="right")) - 1
    new = int(np.searchsorted(other.opened_at_ms, jump.at_ms, side="right")) - 1
    if old < 0 or new <= old:
        return False
    times = other.opened_at_ms
    if max(jump.before_ms - times[old], jump.at_ms - times[new]) > _WITNESS_DELAY_MS:
        return False
    openings = np.log(other.open[old + 1 : new + 1] / other.close[old:new])
    moved = float(np.log(other.close[new] / other.close[old]))
    return bool(
        np.abs(openings).max() < opening_bound
        and abs(moved - float(np.log(jump.ratio))) < _SAME_WITHIN
    )
