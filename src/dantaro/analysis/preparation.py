"""What the three results share: panels, features, exclusions and ranked sets of one moment.

`inputs.build_panels` does the heavy part and depends on candles alone; `prepare` adds what tickers
change (universe, rates) and decides what is scored. While a market is still read from its days,
because its hours do not reach back yet, the generation is provisional.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dantaro.analysis.exclusions import (
    Measures,
    catalogue_exclusions,
    identity_conflict,
    measured_exclusions,
    nothing_known,
    stale_after,
)
from dantaro.analysis.features import HISTORY_DAYS, NAMES
from dantaro.analysis.inputs import Inputs, Panels, build_panels, venue_as_of
from dantaro.analysis.panel import BoolArray, FloatArray
from dantaro.analysis.parameters import Parameters
from dantaro.analysis.rates import Rates
from dantaro.analysis.readings import Reading, read
from dantaro.analysis.scores import RankedSet
from dantaro.analysis.sets import Members, identify, ranked_sets
from dantaro.market.markets import Market
from dantaro.market.results import Exclusion
from dantaro.market.timeframes import DAY_MS, HOUR_MS


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """One moment, ready for scores, levels and the market's state; arrays are over `markets` [M].

    Attributes:
        markets: the rows: every market of the catalogue that has candles.
        coins: the coin of each row (`LUNA`, or `LUNA@okx` where the ticker means another coin).
        reading: features, closes and their age.
        dollars: US dollars per unit of the row's quote currency, NaN without a rate.
        scored: True where no reason keeps the market out of the ranking.
        exclusions: every reason of every market of the catalogue.
        sets: the ranked sets, `all` first.
    """

    inputs: Inputs
    parameters: Parameters
    now_ms: int
    panels: Panels
    markets: tuple[Market, ...]
    coins: tuple[str, ...]
    reading: Reading
    dollars: FloatArray
    scored: BoolArray
    exclusions: tuple[Exclusion, ...]
    sets: tuple[RankedSet, ...]
    rates: Rates

    @property
    def data_as_of_ms(self) -> int:
        """Closing time of the newest candle behind what is scored, else behind anything; 0 if none."""
        rows = self.scored if self.scored.any() else np.ones(len(self.markets), dtype=bool)
        return int(self.reading.as_of_ms[rows].max(initial=0))

    @property
    def interval_ms(self) -> int:
        """Length of the candles that the moment rests on: an hour, or a day until there are hours."""
        hours = self.reading.from_hourly[self.scored].any() or not self.scored.any()
        return HOUR_MS if hours else DAY_MS

    @property
    def stale_after_ms(self) -> int:
        return stale_after(self.data_as_of_ms, self.interval_ms)

    @property
    def provisional(self) -> bool:
        """Whether a scored market is read from its days because its hours do not reach back yet."""
        hours_known = self.panels.hourly.listed_slots
        waiting = ~self.reading.from_hourly & (hours_known < HISTORY_DAYS * 24)
        return bool((waiting & self.scored).any())

    def newest_closed(self) -> Mapping[str, int]:
        """Closing time of the newest candle that each exchange has, by exchange."""
        newest: dict[str, int] = {}
        for panel in (self.panels.hourly, self.panels.daily):
            for exchange, as_of_ms in venue_as_of(panel).items():
                if as_of_ms > newest.get(exchange, -1):
                    newest[exchange] = as_of_ms
        return dict(sorted(newest.items()))


def prepare(
    inputs: Inputs, parameters: Parameters, *, now_ms: int, panels: Panels | None = None
) -> Prepared:
    """Everything that scores, levels and the market's state rest on at `now_ms`.

    `panels` may be those of an earlier pass over the same candles; only tickers and the catalogue's
    flags are then taken anew.
    """
    panels = panels or build_panels(inputs, parameters, now_ms=now_ms)
    markets = panels.markets
    reading = read(panels)
    rates = _rates(inputs, markets, reading.close)
    dollars = _dollars(markets, rates)
    measures = _measures(reading, dollars)
    reasons = _reasons(inputs, parameters, panels, measures, now_ms=now_ms)
    catalogue = {market.key for market in inputs.markets}
    scored = np.array([m.key in catalogue and m.key not in reasons for m in markets], dtype=bool)
    members = Members(markets, scored, measures.price_usd, measures.turnover_usd)
    coins, conflicts = identify(members, ratio=parameters.identity_ratio)
    for row, ratio in conflicts.items():
        flag = identity_conflict(markets[row], ratio, coins[row], parameters)
        reasons[markets[row].key] = (flag,)
    return Prepared(
        inputs=inputs,
        parameters=parameters,
        now_ms=now_ms,
        panels=panels,
        markets=markets,
        coins=coins,
        reading=reading,
        dollars=dollars,
        scored=scored,
        exclusions=tuple(found for m in inputs.markets for found in reasons.get(m.key, ())),
        sets=ranked_sets(members, coins, apart=frozenset(conflicts)),
        rates=rates,
    )


def _rates(inputs: Inputs, markets: Sequence[Market], close: FloatArray) -> Rates:
    """Rates by the latest closes, and by the last tickers for markets whose candles are not collected.

    A rate of hours ago is good enough to compare turnovers; without one thin markets would pass.
    """
    prices = {key: price for key, price in inputs.last_prices.items() if price > 0}
    prices.update({key: ticker.price for key, ticker in inputs.tickers.items() if ticker.price > 0})
    for row in map(int, np.flatnonzero(np.isfinite(close))):
        prices[markets[row].key] = float(close[row])
    return Rates(inputs.markets, prices, _turnovers(inputs))


def _dollars(markets: Sequence[Market], rates: Rates) -> FloatArray:
    found = [rates.find(market.exchange, market.quote) for market in markets]
    return np.array([np.nan if rate is None else rate.value for rate in found], dtype=np.float64)


def _turnovers(inputs: Inputs) -> dict[str, float]:
    """24-hour turnovers by `Market.key`: of the tickers, else as last known."""
    known = {
        key: ticker.turnover_24h
        for key, ticker in inputs.tickers.items()
        if ticker.turnover_24h is not None
    }
    return {**inputs.last_turnovers, **known}


def _universe_turnovers(
    inputs: Inputs, markets: Sequence[Market], measured: FloatArray
) -> dict[str, float]:
    """What the universe is ranked by: `_turnovers`, which is what candles are collected by, and only
    where an exchange gives none in a quote currency at all, the `measured` ones of `markets`.
    """
    turnovers = _turnovers(inputs)
    told = {(m.exchange, m.quote) for m in inputs.markets if m.key in turnovers}
    for market, turnover in zip(markets, measured, strict=True):
        if (market.exchange, market.quote) not in told and np.isfinite(turnover):
            turnovers[market.key] = float(turnover)
    return turnovers


def _measures(reading: Reading, dollars: FloatArray) -> Measures:
    return Measures(
        interval_ms=reading.interval_ms,
        venue_as_of_ms=reading.venue_as_of_ms,
        recorded_as_of_ms=reading.recorded_as_of_ms,
        history_days=reading.history_days,
        truncated=reading.truncated,
        quiet_share=reading.quiet_share,
        unmeasured=_unmeasured(reading.features),
        turnover=reading.features["turnover_30d"],
        turnover_usd=reading.features["turnover_30d"] * dollars,
        price_usd=reading.close * dollars,
        volatility=reading.features["volatility_30d"],
    )


def _unmeasured(features: Mapping[str, FloatArray]) -> Sequence[str]:
    """For each row the first feature without a value, "" if all have one."""
    missing = np.array([~np.isfinite(features[name]) for name in NAMES])
    return [NAMES[int(row.argmax())] if row.any() else "" for row in missing.T]


def _reasons(
    inputs: Inputs, parameters: Parameters, panels: Panels, measures: Measures, *, now_ms: int
) -> dict[str, tuple[Exclusion, ...]]:
    """Every reason of every market that is not scored, by `Market.key`."""
    turnovers = _universe_turnovers(inputs, panels.markets, measures.turnover)
    catalogue = catalogue_exclusions(inputs.markets, turnovers, parameters)
    measured = measured_exclusions(
        panels.markets, measures, panels.anomalies, parameters, now_ms=now_ms
    )
    known = {market.key for market in panels.markets}
    reasons: dict[str, tuple[Exclusion, ...]] = {}
    for market in inputs.markets:
        listed = catalogue.get(market.key, ())
        facts = {exclusion.reason for exclusion in listed}
        figures = (e for e in measured.get(market.key, ()) if e.reason not in facts)
        found = (*listed, *figures)
        if not found and market.key not in known:
            found = (nothing_known(market),)
        if found:
            reasons[market.key] = found
    return reasons
