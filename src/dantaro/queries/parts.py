"""A generation's parts, decoded and indexed by market, coin and ranked set."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from dantaro.market.documents import Document
from dantaro.market.results import (
    Bands,
    Exclusion,
    Level,
    MarketFeatures,
    MarketStatus,
    PartKind,
    Premium,
    Price,
    RankedSetSummary,
    Rating,
    Score,
)

ALL = "all"
"""The ranked set over every market, one reference market per coin."""


def market_key(exchange: str, symbol: str) -> str:
    """`upbit:BTC/KRW`, as `Market.key`."""
    return f"{exchange}:{symbol}"


def set_name(*, exchange: str | None, quote: str | None) -> str:
    """The ranked set of an exchange, a quote currency, both or neither."""
    if exchange is None:
        return ALL if quote is None else f"*:{quote}"
    return exchange if quote is None else f"{exchange}:{quote}"


@dataclass(frozen=True, slots=True)
class RankedSet:
    """One ranked set: its summary and its scores, best first."""

    summary: RankedSetSummary
    scores: tuple[Score, ...]


@dataclass(frozen=True, slots=True)
class Recommendations:
    """The part RECOMMENDATIONS. `places` maps a market's key to its score in each ranked set."""

    features: Mapping[str, MarketFeatures]
    sets: Mapping[str, RankedSet]
    places: Mapping[str, Mapping[str, Score]]


@dataclass(frozen=True, slots=True)
class Ratings:
    """The part RATINGS: by market key, then timeframe."""

    by_market: Mapping[str, Mapping[str, Rating]]


@dataclass(frozen=True, slots=True)
class Levels:
    """The part LEVELS: the bands and the zones by market key."""

    bands: Mapping[str, Bands]
    zones: Mapping[str, tuple[Level, ...]]


@dataclass(frozen=True, slots=True)
class Statuses:
    """The part MARKET_STATUS by ranked set."""

    by_set: Mapping[str, MarketStatus]


@dataclass(frozen=True, slots=True)
class Exclusions:
    """The part EXCLUSIONS: all rows, in the order of the document."""

    rows: tuple[Exclusion, ...]


@dataclass(frozen=True, slots=True)
class Premiums:
    """The part PREMIUM: all rows, in the order of the document."""

    rows: tuple[Premium, ...]


@dataclass(frozen=True, slots=True)
class Prices:
    """The part PRICES by market key."""

    by_market: Mapping[str, Price]


Part: TypeAlias = Recommendations | Ratings | Levels | Statuses | Exclusions | Premiums | Prices


def index_part(content: Document) -> Part:
    """`content` indexed for reading."""
    match content.kind:
        case PartKind.RECOMMENDATIONS:
            return _recommendations(content)
        case PartKind.RATINGS:
            return _ratings(content)
        case PartKind.LEVELS:
            return _levels(content)
        case PartKind.MARKET_STATUS:
            return Statuses({row.ranked_set: row for row in content.rows(MarketStatus)})
        case PartKind.EXCLUSIONS:
            return Exclusions(content.rows(Exclusion))
        case PartKind.PREMIUM:
            return Premiums(content.rows(Premium))
        case PartKind.PRICES:
            return Prices(
                {market_key(row.exchange, row.symbol): row for row in content.rows(Price)}
            )


def _recommendations(content: Document) -> Recommendations:
    scores: dict[str, list[Score]] = {}
    places: dict[str, dict[str, Score]] = {}
    for score in content.rows(Score):
        scores.setdefault(score.ranked_set, []).append(score)
        places.setdefault(market_key(score.exchange, score.symbol), {})[score.ranked_set] = score
    return Recommendations(
        features={market_key(r.exchange, r.symbol): r for r in content.rows(MarketFeatures)},
        sets={
            row.ranked_set: RankedSet(
                row, tuple(sorted(scores.get(row.ranked_set, ()), key=lambda score: score.rank))
            )
            for row in content.rows(RankedSetSummary)
        },
        places=places,
    )


def _ratings(content: Document) -> Ratings:
    by_market: dict[str, dict[str, Rating]] = {}
    for row in content.rows(Rating):
        by_market.setdefault(market_key(row.exchange, row.symbol), {})[row.timeframe] = row
    return Ratings(by_market)


def _levels(content: Document) -> Levels:
    zones: dict[str, list[Level]] = {}
    for level in content.rows(Level):
        zones.setdefault(market_key(level.exchange, level.symbol), []).append(level)
    return Levels(
        bands={market_key(row.exchange, row.symbol): row for row in content.rows(Bands)},
        zones={key: tuple(levels) for key, levels in zones.items()},
    )
