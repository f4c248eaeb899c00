"""A ranking as money: the overlapping top-N portfolio, its Sharpe ratio and its drawdown."""

from dataclasses import dataclass
from math import sqrt

import numpy as np

from dantaro.analysis.estimates import NORMAL_95, Estimate
from dantaro.analysis.panel import BoolArray, FloatArray
from dantaro.errors import NotMeasurable


@dataclass(frozen=True, slots=True, eq=False)
class Portfolio:
    """What a portfolio did, day by day, float64[C] each; NaN before its first list, on days on
    which no market has a return, and once everything is lost.

    Attributes:
        returns: after costs, as fractions of the book's value before the day's trades.
        before_costs: of the same holdings, without the day's costs.
        traded: value bought and sold at the day's open over the book's value: 1 for the first purchase,
            2 when the whole book is replaced.
    """

    returns: FloatArray
    before_costs: FloatArray
    traded: FloatArray


def portfolio(
    weights: FloatArray, day_returns: FloatArray, *, holding_days: int, cost_per_side: float
) -> Portfolio:
    """The book that buys the list of every day, holds it for `holding_days` and renews that part of it.

    The book is cut into `holding_days` parts. All buy the first list; after that one part a day sells
    what is not in the new list and buys what is, at the next open, with the value that it has reached,
    and the other parts are left to drift. Only the net change is traded. A market without a return for
    the day cannot be traded at its open any more: what is held of it is sold at its last price (so that
    a delisted coin counts with its last price), and its place in a new list goes to the others. A day
    without a list changes nothing. The costs of a day are taken from the traded part's value.

    Args:
        weights: float64[M, C], of the list known at the close of day c; each column sums to 1, or is NaN
            when there is no list (`measures.top_weights`, `measures.universe_weights`).
        day_returns: float64[M, C], return over the day that begins at the next open after day c, NaN
            where there is none; -1 at the least.
        holding_days: days that a list is held, the parts of the book; 1 or more.
        cost_per_side: fee and half the spread as a fraction of the traded value (0.002 = 20 bp).

    Source: Jegadeesh and Titman, Returns to buying winners and selling losers, 1993 (overlapping
    portfolios).
    """
    _check(weights, day_returns, holding_days, cost_per_side)
    book = _Book(weights.shape[0], holding_days, cost_per_side)
    columns = weights.shape[1]
    result = np.full((3, columns), np.nan)
    for day in range(columns):
        day_return = day_returns[:, day]
        tradable = np.isfinite(day_return)
        if not tradable.any():
            continue
        book.trade(_tradable_weights(weights[:, day], tradable), tradable, part=day % holding_days)
        if book.invested:  # not before the first list
            result[:, day] = book.grow(np.where(tradable, day_return, 0.0))
    return Portfolio(*result)


def sharpe(daily: FloatArray, *, periods: int = 365) -> Estimate:
    """Annualised Sharpe ratio of daily returns (NaN skipped), the riskless return taken as zero.

    Mean over standard deviation (n - 1), times the root of `periods`. The standard error allows for
    skewness and kurtosis: `sqrt((1 - g3 SR + (g4 - 1) / 4 SR^2) / n)` per day.
    Sources: W. F. Sharpe, The Sharpe ratio, 1994; E. Mertens, Comments on variance of the IID estimator
    in Lo (2002), 2002.
    """
    known = daily[np.isfinite(daily)]
    n = len(known)
    if n < 2 or np.all(known == known[0]):
        return Estimate(None, None, None, None, n, n)
    deviations = known - known.mean()
    spread = sqrt(float(np.mean(deviations**2)))
    skewness = float(np.mean((deviations / spread) ** 3))
    kurtosis = float(np.mean((deviations / spread) ** 4))
    ratio = float(known.mean() / known.std(ddof=1))
    error = sqrt(max(0.0, 1 - skewness * ratio + (kurtosis - 1) / 4 * ratio**2) / n)
    year, width = sqrt(periods), NORMAL_95 * error
    t_stat = ratio / error if error > 0 else None
    return Estimate(ratio * year, (ratio - width) * year, (ratio + width) * year, t_stat, n, n)


def max_drawdown(daily: FloatArray) -> float | None:
    """Largest fall of the compounded value from an earlier peak (or the start), as a fraction 0..1.

    NaN days are skipped; None without any return.
    """
    known = daily[np.isfinite(daily)]
    if not len(known):
        return None
    value = np.concatenate([[1.0], np.cumprod(1 + known)])
    return float(np.max(1 - value / np.maximum.accumulate(value)))


class _Book:
    """Value held of each market in each part `[parts, M]`, and each part's cash; 1 in all at first."""

    def __init__(self, markets: int, parts: int, cost_per_side: float) -> None:
        self._held = np.zeros((parts, markets))
        self._cash = np.full(parts, 1.0 / parts)
        self._cost_per_side = cost_per_side
        self._value = 1.0  # before the day's trades
        self._traded = 0.0
        self.invested = False

    def trade(self, weights: FloatArray | None, tradable: BoolArray, *, part: int) -> None:
        """The trades of one open; `weights` is None on a day without a list."""
        self._value = self._worth()
        gone = self._held[:, ~tradable].sum(axis=1)
        self._held[:, ~tradable] = 0.0
        self._cash += gone * (1 - self._cost_per_side)
        self._traded = float(gone.sum())
        if weights is None:
            return
        for each in (part,) if self.invested else range(len(self._cash)):
            self._replace(each, weights)
        self.invested = True

    def grow(self, day_return: FloatArray) -> tuple[float, float, float]:
        """Let the day pass: its return after costs, before costs, and what was traded."""
        if self._value == 0:  # everything was lost before: there is nothing to have a return on
            return np.nan, np.nan, np.nan
        invested = self._worth()
        self._held *= 1 + day_return
        worth = self._worth()
        return worth / self._value - 1, worth / invested - 1, self._traded / self._value

    def _worth(self) -> float:
        return float(self._held.sum() + self._cash.sum())

    def _replace(self, part: int, weights: FloatArray) -> None:
        worth = self._held[part].sum() + self._cash[part]
        traded = float(np.abs(weights * worth - self._held[part]).sum())
        self._held[part] = weights * (worth - self._cost_per_side * traded)
        self._cash[part] = 0.0
        self._traded += traded


def _tradable_weights(weights: FloatArray, tradable: BoolArray) -> FloatArray | None:
    """The list without what has no next open, its weights summing to one; None without a list."""
    bought = np.where(tradable, weights, 0.0)
    total = bought.sum()
    if np.isnan(weights).any() or total <= 0:
        return None
    result: FloatArray = bought / total
    return result


def _check(
    weights: FloatArray, day_returns: FloatArray, holding_days: int, cost_per_side: float
) -> None:
    if weights.shape != day_returns.shape or weights.ndim != 2:
        raise NotMeasurable(
            f"weights of the shape {weights.shape} against returns of {day_returns.shape}:"
            " give both as [markets, days] over the same markets and days"
        )
    if holding_days < 1:
        raise NotMeasurable(f"a list held for {holding_days} days: give at least one")
    if not 0 <= cost_per_side < 0.5:
        raise NotMeasurable(
            f"costs of {cost_per_side} of the traded value: give a fraction, such as 0.002 for 20 bp"
        )
    if np.isinf(day_returns).any() or (day_returns < -1).any():
        raise NotMeasurable("a day's return is infinite or below -1: mark what is missing with NaN")
