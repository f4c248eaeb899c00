"""The analysis' front door: candles and tickers in, documents out.

Every function takes the moment as `now_ms` and gives the same documents for the same inputs. To run
several of them on one moment, call `prepare` once and pass its result on; to run them again while no
candle has closed, pass the panels of the first `prepare` to the next.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain

import numpy as np

from dantaro.analysis.features import FEATURES
from dantaro.analysis.figures import market_features
from dantaro.analysis.inputs import Inputs, Panels, build_panels
from dantaro.analysis.levels import levels
from dantaro.analysis.panel import aggregate, blocks
from dantaro.analysis.parameters import Parameters
from dantaro.analysis.premium import Quotes, premium
from dantaro.analysis.preparation import Prepared, prepare
from dantaro.analysis.rating import ratings
from dantaro.analysis.scores import RankedSet, score_set, summarise
from dantaro.analysis.sets import is_traced
from dantaro.analysis.status import market_status
from dantaro.market.documents import Document, document
from dantaro.market.results import PartKind, Price, RankedSetSummary, Rating
from dantaro.market.timeframes import DAILY, FOUR_HOURLY, HOURLY

__all__ = [
    "Inputs",
    "Panels",
    "Parameters",
    "Prepared",
    "Recommended",
    "build_panels",
    "find_levels",
    "prepare",
    "read_market",
    "recommend",
]


@dataclass(frozen=True, slots=True)
class Recommended:
    """One pass' result. `recommendations` and `ratings` are None while no market can be scored;
    `exclusions` then say why. `data_as_of_ms` is the closing time of the newest candle behind the
    scored markets (0 without candles), `inputs` that of every exchange, and `provisional` whether
    some scored market is read from its days because its hours do not reach back yet.
    """

    recommendations: Document | None
    ratings: Document | None
    exclusions: Document
    prices: Document
    data_as_of_ms: int
    stale_after_ms: int
    inputs: Mapping[str, int]
    provisional: bool


def recommend(
    inputs: Inputs, parameters: Parameters, *, now_ms: int, prepared: Prepared | None = None
) -> Recommended:
    """Scores, ratings, exclusions and prices at `now_ms`.

    `prepared` is the result of `prepare` for the same arguments, if the caller has it already.
    """
    moment = prepared or prepare(inputs, parameters, now_ms=now_ms)
    scored = bool(moment.scored.any())
    return Recommended(
        recommendations=_recommendations(moment) if scored else None,
        ratings=_ratings(moment) if scored else None,
        exclusions=document(PartKind.EXCLUSIONS, moment.exclusions),
        prices=document(PartKind.PRICES, tuple(_prices(moment))),
        data_as_of_ms=moment.data_as_of_ms,
        stale_after_ms=moment.stale_after_ms,
        inputs=moment.newest_closed(),
        provisional=moment.provisional,
    )


def find_levels(
    inputs: Inputs, parameters: Parameters, *, now_ms: int, prepared: Prepared | None = None
) -> Document | None:
    """Support and resistance of every scored market; None while there is none."""
    moment = prepared or prepare(inputs, parameters, now_ms=now_ms)
    if not moment.scored.any():
        return None
    bands, zones = levels(moment)
    return document(PartKind.LEVELS, bands, zones)


def read_market(
    inputs: Inputs, parameters: Parameters, *, now_ms: int, prepared: Prepared | None = None
) -> tuple[Document, Document]:
    """The state of every ranked set, and the KRW premium; either table may be empty."""
    moment = prepared or prepare(inputs, parameters, now_ms=now_ms)
    closes = {
        moment.markets[row].key: float(moment.reading.close[row])
        for row in np.flatnonzero(moment.reading.recorded_as_of_ms == moment.data_as_of_ms)
        if np.isfinite(moment.reading.close[row])
    }
    apart = {coin.partition("@")[0] for coin in moment.coins if "@" in coin}
    coins = {coin for coin, scored in zip(moment.coins, moment.scored, strict=True) if scored}
    premiums, missing = premium(
        inputs.markets,
        Quotes.of(inputs.tickers, closes, inputs.last_turnovers),
        coins=coins - apart,
        data_as_of_ms=moment.data_as_of_ms,
    )
    status = market_status(moment, premiums, missing)
    return document(PartKind.MARKET_STATUS, status), document(PartKind.PREMIUM, premiums)


def _recommendations(moment: Prepared) -> Document:
    features = moment.reading.features
    dollars = {f.name: moment.dollars ** float(f.currency) for f in FEATURES if f.currency}
    in_dollars = {**features, **{name: features[name] * rate for name, rate in dollars.items()}}
    scores = [
        score
        for ranked in moment.sets
        for score in score_set(
            ranked,
            moment.markets,
            in_dollars if _spans_quotes(moment, ranked) else features,
            moment.parameters.ranking,
            traced=is_traced(ranked.name),
        )
    ]
    summaries = [_summary(moment, ranked) for ranked in moment.sets]
    return document(PartKind.RECOMMENDATIONS, market_features(moment), scores, summaries)


def _spans_quotes(moment: Prepared, ranked: RankedSet) -> bool:
    return len({moment.markets[row].quote for row in ranked.members}) > 1


def _summary(moment: Prepared, ranked: RankedSet) -> RankedSetSummary:
    return summarise(
        ranked,
        moment.parameters.ranking,
        data_as_of_ms=int(moment.reading.as_of_ms[ranked.members].max()),
        interval_ms=int(moment.reading.interval_ms[ranked.members].min()),
    )


def _ratings(moment: Prepared) -> Document:
    """The ratings of each timeframe, by rows at a time: all rows' four-hourly candles are not small."""
    hourly = blocks(moment.panels.hourly, moment.scored)
    daily = blocks(moment.panels.daily, moment.scored)
    found: dict[str, list[Rating]] = {frame.name: [] for frame in (HOURLY, FOUR_HOURLY, DAILY)}
    for hours, days in zip(hourly, daily, strict=True):
        for panel in (hours, aggregate(hours, FOUR_HOURLY), days):
            found[panel.timeframe.name] += ratings(panel) if panel.opened_at_ms.size else ()
    return document(PartKind.RATINGS, list(chain.from_iterable(found.values())))


def _prices(moment: Prepared) -> Iterator[Price]:
    """One row per listed market with a price, by exchange and symbol: its ticker, else its last close."""
    prices = {(price.exchange, price.symbol): price for price in _last_closes(moment)}
    prices.update({(price.exchange, price.symbol): price for price in _ticker_prices(moment)})
    for _, price in sorted(prices.items()):
        yield price


def _last_closes(moment: Prepared) -> Iterator[Price]:
    """The last close and its time; nobody knows the 24 hours before now without a ticker."""
    listed = {market.key for market in moment.inputs.markets if market.listed}
    reading = moment.reading
    for row in map(int, np.flatnonzero(np.isfinite(reading.close))):
        market = moment.markets[row]
        if market.key in listed:
            yield Price(
                exchange=market.exchange,
                symbol=market.symbol,
                price=float(reading.close[row]),
                change_24h=None,
                turnover_24h=None,
                at_ms=int(reading.recorded_as_of_ms[row]),
                source="last_close",
            )


def _ticker_prices(moment: Prepared) -> Iterator[Price]:
    """The tickers. Where an exchange publishes no 24-hour change it is taken against the hourly close
    24 hours before the newest one.
    """
    day_ago = _closes_a_day_ago(moment)
    for key, ticker in moment.inputs.tickers.items():
        change = ticker.change_24h
        if change is None and key in day_ago:
            change = ticker.price / day_ago[key] - 1.0
        yield Price(
            exchange=ticker.exchange,
            symbol=ticker.symbol,
            price=ticker.price,
            change_24h=change,
            turnover_24h=ticker.turnover_24h,
            at_ms=ticker.at_ms,
            source="ticker",
        )


def _closes_a_day_ago(moment: Prepared) -> Mapping[str, float]:
    days = moment.panels.days
    if days.close.shape[1] < 2:
        return {}
    fresh = moment.reading.from_hourly & (moment.reading.as_of_ms >= 0)
    closes = np.where(fresh, days.close[:, -2], np.nan)
    return {
        market.key: float(close)
        for market, close in zip(moment.markets, closes, strict=True)
        if np.isfinite(close)
    }
