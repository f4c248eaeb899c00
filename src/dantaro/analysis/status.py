"""The state of the market, per ranked set, from its scored markets alone.

Every figure is a plain number in `MarketStatus.figures`; where one cannot be computed it is None and
`missing` says why. Days are UTC days of the daily panel unless "24 h" says otherwise. Formulas:

* `breadth_20d`, `_50d`, `_200d`: share of markets whose last close is above the mean of their last n
  daily closes.
* `advance_share`: share of markets that rose over 24 h; `advance_turnover`: turnover of those that
  rose over the turnover of those that rose or fell; `advance_share_7d`: share that rose over 7 days.
* `index_change_24h`, `_7d`, `_30d`: mean change over the markets, equal weights.
* `index_above_mean_50d`: the equal-weight index (compounded mean log returns) over its own mean of
  50 days, minus one; of 20 days while there are not 50.
* `realized_volatility_30d`: sample standard deviation of the index's last 30 daily log returns, times
  sqrt(365). `volatility_percentile`: share of its values of the last year (60 at least) that are not
  above the present one. The regime is calm below 1/3, stressed above 2/3, else normal.
* `dispersion_24h`: standard deviation of the 24 h changes over the markets.
* `correlation_30d`: mean pairwise correlation of daily log returns over 30 days.
* `turnover_ratio_30d`: turnover of 24 h over the mean daily turnover of the last 30 days.
* `concentration_btc`, `_eth`, `_top10`: share of the 24 h turnover.
* `krw_premium`: the KRW premium index over the set's exchanges (all of them for the set `all`, whose
  reference markets are mostly quoted in USDT), weighted by KRW turnover.

`trend` is bullish when more than 55 % of the markets are above their 50-day mean (20-day while there
are not 50) and the index is above its own, bearish when fewer than 45 % are and it is below, else
neutral. `sentiment` is the mean of `advance_share`, `advance_turnover` and `advance_share_7d`: above
0.55 positive, below 0.45 negative, else neutral. `overall_score` is the mean of the breadths, of that
mean, and of one minus the volatility percentile, as far as they are known.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np

from dantaro.analysis.exclusions import stale_after
from dantaro.analysis.panel import FloatArray, IntArray, Panel
from dantaro.analysis.premium import INDEX
from dantaro.analysis.preparation import Prepared
from dantaro.analysis.scores import RankedSet
from dantaro.analysis.sets import ALL
from dantaro.market.results import MarketStatus, Premium

BREADTH_DAYS = (20, 50, 200)
_SENTIMENT = ("advance_share", "advance_turnover", "advance_share_7d")
_HIGH, _LOW = 0.55, 0.45
_TOP = 5
_YEAR_DAYS = 365


_SHORT_HISTORY = "too few days of candles"
_REASONS = {
    "advance_turnover": "no turnover among the markets that moved",
    "dispersion_24h": "fewer than two markets",
    "correlation_30d": "fewer than two markets that moved through 30 days",
    "turnover_ratio_30d": "no turnover in the last 30 days",
    "concentration_btc": "BTC is not in the set, or nothing was traded",
    "concentration_eth": "ETH is not in the set, or nothing was traded",
    "concentration_top10": "no turnover in 24 hours",
}


@dataclass(frozen=True, slots=True, eq=False)
class _Basis:
    """What every set needs: over all rows [M], or rows and daily columns [M, C]."""

    close: FloatArray
    means: Mapping[int, FloatArray]
    returns: FloatArray
    daily_turnover: FloatArray
    change_24h: FloatArray
    change_7d: FloatArray
    change_30d: FloatArray
    turnover_24h: FloatArray

    def take(self, rows: IntArray, factor: FloatArray) -> "_Basis":
        """The rows of one set, turnovers multiplied by `factor` into one currency."""
        return _Basis(
            close=self.close[rows],
            means={days: mean[rows] for days, mean in self.means.items()},
            returns=self.returns[rows],
            daily_turnover=self.daily_turnover[rows] * factor[:, None],
            change_24h=self.change_24h[rows],
            change_7d=self.change_7d[rows],
            change_30d=self.change_30d[rows],
            turnover_24h=self.turnover_24h[rows] * factor,
        )


def market_status(
    prepared: Prepared,
    premiums: Sequence[Premium] = (),
    premium_missing: Mapping[str, str] | None = None,
) -> tuple[MarketStatus, ...]:
    """The state of every ranked set, in the order of `prepared.sets`.

    `premiums` are the rows of `premium.premium`, `premium_missing` its reasons by exchange.
    """
    basis = _basis(prepared)
    return tuple(
        _of_set(ranked, prepared, basis, premiums, premium_missing or {})
        for ranked in prepared.sets
    )


def mean_pairwise_correlation(returns: FloatArray) -> float | None:
    """Mean correlation over all pairs of rows of `returns` [M, T]; rows that do not move are left
    out; None with fewer than two others.

    With rows standardised to z, the sum over all pairs is (|sum of rows|^2 / T - M) / 2.
    """
    moves = returns.std(axis=1)
    moving = returns[moves > 0]
    count, length = moving.shape
    if count < 2:
        return None
    z = (moving - moving.mean(axis=1, keepdims=True)) / moving.std(axis=1, keepdims=True)
    total = z.sum(axis=0)
    return float((total @ total / length - count) / (count * (count - 1)))


def volatility_percentile(index_returns: FloatArray) -> tuple[float | None, float | None]:
    """The annualised 30-day volatility of an index and its percentile within the last year."""
    if index_returns.size < 30:
        return None, None
    windows = np.lib.stride_tricks.sliding_window_view(index_returns[-(_YEAR_DAYS + 29) :], 30)
    values = windows.std(axis=1, ddof=1) * sqrt(_YEAR_DAYS)
    percentile = float((values <= values[-1]).mean()) if values.size >= 60 else None
    return float(values[-1]), percentile


def _basis(prepared: Prepared) -> _Basis:
    daily, days, reading = prepared.panels.daily, prepared.panels.days, prepared.reading
    with np.errstate(invalid="ignore"):
        returns = np.diff(np.log(daily.close), axis=1)
    by_hours, by_days = _last_turnover(days), _last_turnover(daily)
    turnover = np.where(reading.from_hourly, by_hours, by_days)
    change = reading.features["reversal_1d"].copy()
    for row, market in enumerate(prepared.markets):
        ticker = prepared.inputs.tickers.get(market.key)
        if ticker is not None and ticker.change_24h is not None:
            change[row] = ticker.change_24h
        if ticker is not None and ticker.turnover_24h is not None:
            turnover[row] = ticker.turnover_24h
    return _Basis(
        close=reading.close,
        means={days_back: _mean_of_last(daily.close, days_back) for days_back in BREADTH_DAYS},
        returns=returns,
        daily_turnover=daily.close * daily.volume,
        change_24h=change,
        change_7d=reading.features["momentum_7d"],
        change_30d=reading.features["momentum_30d"],
        turnover_24h=turnover,
    )


def _of_set(
    ranked: RankedSet,
    prepared: Prepared,
    basis: _Basis,
    premiums: Sequence[Premium],
    premium_missing: Mapping[str, str],
) -> MarketStatus:
    rows = ranked.members
    quotes = sorted({prepared.markets[row].quote for row in rows})
    one_quote = len(quotes) == 1
    own = basis.take(rows, np.ones(len(rows)) if one_quote else prepared.dollars[rows])
    # The premium is a figure of the whole market, though none of its won markets may be a reference.
    spanned = prepared.inputs.markets if ranked.name == ALL else [prepared.markets[r] for r in rows]
    exchanges = {market.exchange for market in spanned}
    figures = {
        **_breadth(own),
        **_advances(own),
        **_index_figures(own.returns),
        **_turnover_figures(own, [prepared.coins[row] for row in rows]),
        "krw_premium": _premium_index(premiums, exchanges),
    }
    sentiment = _mean(figures, _SENTIMENT)
    gainers, losers = _movers(own.change_24h, [prepared.markets[row].symbol for row in rows])
    as_of_ms = int(prepared.reading.as_of_ms[rows].max())
    interval_ms = int(prepared.reading.interval_ms[rows].min())
    return MarketStatus(
        ranked_set=ranked.name,
        trend=_trend(figures),
        sentiment=_word(sentiment, "positive", "negative"),
        overall_score=_overall(figures, sentiment),
        active_coins=len(rows),
        turnover_24h=float(own.turnover_24h.sum()),
        turnover_currency=quotes[0] if one_quote else "USDT",
        data_as_of_ms=as_of_ms,
        stale_after_ms=stale_after(as_of_ms, interval_ms),
        figures=figures,
        gainers=gainers,
        losers=losers,
        missing=_missing(figures, exchanges, premium_missing),
        volatility_regime=_regime(figures["volatility_percentile"]),
    )


def _breadth(own: _Basis) -> dict[str, float | None]:
    figures: dict[str, float | None] = {}
    for days, mean in own.means.items():
        known = np.isfinite(mean)
        above = own.close[known] > mean[known]
        figures[f"breadth_{days}d"] = float(above.mean()) if known.any() else None
    return figures


def _advances(own: _Basis) -> dict[str, float | None]:
    rose, moved = own.change_24h > 0, own.change_24h != 0
    turnover_moved = float(own.turnover_24h[moved].sum())
    return {
        "advance_share": float(rose.mean()),
        "advance_turnover": (
            float(own.turnover_24h[rose].sum()) / turnover_moved if turnover_moved > 0 else None
        ),
        "advance_share_7d": float((own.change_7d > 0).mean()),
        "index_change_24h": float(own.change_24h.mean()),
        "index_change_7d": float(own.change_7d.mean()),
        "index_change_30d": float(own.change_30d.mean()),
        "dispersion_24h": float(own.change_24h.std(ddof=1)) if len(rose) > 1 else None,
    }


def _index_figures(returns: FloatArray) -> dict[str, float | None]:
    """Figures of the equal-weight index of daily log returns [M, C]."""
    index = _index_returns(returns)
    volatility, percentile = volatility_percentile(index)
    recent = returns[:, -30:]
    whole = recent[np.isfinite(recent).all(axis=1)] if recent.shape[1] == 30 else recent[:0]
    return {
        "index_above_mean_50d": _above_own_mean(index, 50),
        "index_above_mean_20d": _above_own_mean(index, 20),
        "realized_volatility_30d": volatility,
        "volatility_percentile": percentile,
        "correlation_30d": mean_pairwise_correlation(whole),
    }


def _turnover_figures(own: _Basis, coins: Sequence[str]) -> dict[str, float | None]:
    total = float(own.turnover_24h.sum())
    recent = own.daily_turnover[:, -30:]
    usual = float(np.nansum(recent)) / max(recent.shape[1], 1)
    largest = np.sort(own.turnover_24h)[::-1]
    shares = dict(zip(coins, own.turnover_24h / total, strict=True)) if total > 0 else {}
    btc, eth = shares.get("BTC"), shares.get("ETH")
    return {
        "turnover_ratio_30d": total / usual if usual > 0 else None,
        "concentration_btc": None if btc is None else float(btc),
        "concentration_eth": None if eth is None else float(eth),
        "concentration_top10": float(largest[:10].sum()) / total if total > 0 else None,
    }


def _premium_index(premiums: Sequence[Premium], exchanges: Collection[str]) -> float | None:
    rows = [row for row in premiums if row.coin == INDEX and row.exchange in exchanges]
    if not rows:
        return None
    known = sum(row.turnover_krw or 0.0 for row in rows)
    weights = [(row.turnover_krw or 0.0) / known if known else 1 / len(rows) for row in rows]
    return sum(weight * row.premium for weight, row in zip(weights, rows, strict=True))


def _trend(figures: Mapping[str, float | None]) -> str:
    days = 50 if figures["breadth_50d"] is not None else 20
    breadth, above = figures[f"breadth_{days}d"], figures[f"index_above_mean_{days}d"]
    if breadth is None or above is None:
        return "neutral"
    if breadth > _HIGH and above > 0:
        return "bullish"
    return "bearish" if breadth < _LOW and above < 0 else "neutral"


def _overall(figures: Mapping[str, float | None], sentiment: float | None) -> float | None:
    percentile = figures["volatility_percentile"]
    parts = {
        "breadth": _mean(figures, [f"breadth_{days}d" for days in BREADTH_DAYS]),
        "sentiment": sentiment,
        "calm": None if percentile is None else 1.0 - percentile,
    }
    return _mean(parts, tuple(parts))


def _missing(
    figures: Mapping[str, float | None],
    exchanges: Collection[str],
    premium_missing: Mapping[str, str],
) -> dict[str, str]:
    missing = {
        name: _REASONS.get(name, _SHORT_HISTORY)
        for name, value in figures.items()
        if value is None and name != "krw_premium"
    }
    missing["total_market_cap"] = "no source of market capitalisation"
    if figures["krw_premium"] is None:
        reasons = sorted({premium_missing[name] for name in exchanges if name in premium_missing})
        missing["krw_premium"] = "; ".join(reasons) or "no KRW markets in the set"
    return missing


def _movers(
    change: FloatArray, symbols: Sequence[str]
) -> tuple[dict[str, float], dict[str, float]]:
    """The five that rose and the five that fell most over 24 h, the largest move first."""
    order = sorted(range(len(symbols)), key=lambda at: (-change[at], symbols[at]))
    up = {symbols[at]: float(change[at]) for at in order[:_TOP] if change[at] > 0}
    down = {symbols[at]: float(change[at]) for at in order[::-1][:_TOP] if change[at] < 0}
    return up, down


def _index_returns(returns: FloatArray) -> FloatArray:
    """Mean daily log return over the markets that have one; the days on which some market has."""
    known = np.isfinite(returns)
    count = known.sum(axis=0)
    mean = np.where(known, returns, 0.0).sum(axis=0) / np.maximum(count, 1)
    known_days: FloatArray = mean[count > 0]
    return known_days


def _above_own_mean(index: FloatArray, days: int) -> float | None:
    if index.size < days - 1:
        return None
    level = np.exp(np.concatenate(([0.0], np.cumsum(index[-(days - 1) :]))))
    return float(level[-1] / level.mean() - 1.0)


def _mean_of_last(closes: FloatArray, days: int) -> FloatArray:
    """Mean of the last `days` columns; NaN for rows that do not have as many."""
    if closes.shape[1] < days:
        return np.full(closes.shape[0], np.nan)
    mean: FloatArray = closes[:, -days:].mean(axis=1)
    return mean


def _last_turnover(panel: Panel) -> FloatArray:
    if not panel.opened_at_ms.size:
        return np.full(len(panel.markets), np.nan)
    turnover: FloatArray = panel.close[:, -1] * panel.volume[:, -1]
    return turnover


def _mean(figures: Mapping[str, float | None], names: Sequence[str]) -> float | None:
    known = [value for name in names if (value := figures[name]) is not None]
    return sum(known) / len(known) if known else None


def _word(value: float | None, above: str, below: str) -> str:
    if value is None or _LOW <= value <= _HIGH:
        return "neutral"
    return above if value > _HIGH else below


def _regime(percentile: float | None) -> str | None:
    if percentile is None:
        return None
    return "calm" if percentile < 1 / 3 else "stressed" if percentile > 2 / 3 else "normal"
