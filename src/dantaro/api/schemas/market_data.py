"""The shapes of exclusions, the KRW premium, the market list, candles and past generations."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from dantaro.api.schemas.base import Aged, Body, Source, Time, Unavailable
from dantaro.api.schemas.ranking import MarketResolution, RatingDetails
from dantaro.market.markets import Origin
from dantaro.market.results import ExclusionReason, PartKind, RatingLabel


class RatingPoint(Body):
    """A rating as it was published at `published_at`."""

    published_at: Time
    data_as_of: Time
    rating: float | None
    label: RatingLabel | None
    moving_averages: float | None
    oscillators: float | None
    unavailable: Unavailable


class RatingAnswer(Aged):
    """`GET /api/v1/rating/{symbol}`."""

    success: bool
    symbol: str
    exchange: str
    market: str
    ratings: Annotated[list[RatingDetails], Field(description="by timeframe, the asked one alone")]
    history: Annotated[
        Mapping[str, list[RatingPoint]], Field(description="by timeframe, newest first")
    ]
    resolution: MarketResolution
    cache_timestamp: Time
    data_source: Source


class ExclusionReasonItem(Body):
    """One reason for which a market is left out, with the figure behind it."""

    reason: ExclusionReason
    figure: float | None
    threshold: float | None
    detail: str
    unavailable: Unavailable


class ExclusionItem(Body):
    """One market that is not ranked."""

    exchange: str
    market: str
    reasons: list[ExclusionReasonItem]


class ExclusionsAnswer(Aged):
    """`GET /api/v1/exclusions`."""

    success: bool
    exclusions: list[ExclusionItem]
    total: int
    counts: Annotated[Mapping[str, int], Field(description="markets by reason")]
    cache_timestamp: Time
    data_source: Source
    message: str | None


class PremiumItem(Body):
    """One coin's KRW price over its USDT price; the coin `INDEX` is the weighted mean."""

    exchange: str
    coin: str
    premium: Annotated[float, Field(description="a fraction, 0.02 is two percent")]
    krw_price: float | None
    usdt_price: float | None
    krw_per_usdt: float
    rate_source: Annotated[str, Field(description="the market that the rate came from")]
    turnover_krw: float | None
    data_as_of: Time
    unavailable: Unavailable


class PremiumPoint(Body):
    """A premium as it was published at `published_at`."""

    published_at: Time
    exchange: str
    coin: str
    premium: float


class PremiumAnswer(Aged):
    """`GET /api/v1/premium`."""

    success: bool
    premium: list[PremiumItem]
    history: Annotated[
        list[PremiumPoint], Field(description="of the asked coin, else of the index; newest first")
    ]
    cache_timestamp: Time
    data_source: Source
    message: str | None


class SeriesItem(Body):
    """What is stored of one market on one timeframe."""

    timeframe: str
    first_candle: Annotated[Time | None, Field(description="its opening time")]
    last_candle: Annotated[Time | None, Field(description="its opening time")]
    asked_from: Annotated[Time, Field(description="the exchange was asked for all candles since")]
    asked_until: Time
    open_gaps: int
    missing_candles: int
    unavailable: Unavailable


class MarketItem(Body):
    """One market of the catalogue."""

    exchange: str
    market: str
    coin: str
    quote: str
    venue_symbol: str
    listed: bool
    flags: Annotated[list[str], Field(description="the exchange's own notices")]
    first_seen: Time
    last_seen: Time
    series: list[SeriesItem]
    ranked: bool
    excluded: list[ExclusionReason]


class MarketsAnswer(Aged):
    """`GET /api/v1/markets`."""

    success: bool
    markets: list[MarketItem]
    total: int
    gaps_truncated: Annotated[bool, Field(description="there are more gaps than were counted")]
    message: str | None


class CoinItem(Body):
    """One coin, with the market that it is ranked by."""

    coin: str
    reference: Annotated[str | None, Field(examples=["upbit:BTC/KRW"])]
    markets: list[str]
    exchanges: list[str]
    unavailable: Unavailable


class CoinsAnswer(Aged):
    """`GET /api/v1/coins`."""

    success: bool
    coins: list[CoinItem]
    total: int
    message: str | None


class CandlesAnswer(Aged):
    """`GET /api/v1/candles/{symbol}`: closed candles, ascending."""

    success: bool
    exchange: str
    market: str
    timeframe: str
    columns: list[str]
    candles: Annotated[
        list[tuple[int, float, float, float, float, float]],
        Field(description="opening time in ms, open, high, low, close, volume in base units"),
    ]
    count: int
    limit_reached: Annotated[bool, Field(description="there may be more; ask from the last on")]
    resolution: MarketResolution


class PartItem(Body):
    """One part of a generation."""

    part: PartKind
    sha256: str
    size_bytes: int
    created_generation: int
    data_as_of: Time
    stale_after: Time
    verified_at: Time


class GenerationItem(Body):
    """What was published, when, and by which code."""

    generation: int
    published_at: Time
    published_real_at: Annotated[Time, Field(description="by the database's clock")]
    data_as_of: Time
    stale_after: Time
    verified_at: Time
    status: str
    origin: Origin
    code_version: str
    parameters: Mapping[str, object]
    inputs: Annotated[
        Mapping[str, Time], Field(description="exchange to the close of its newest candle")
    ]
    parts: list[PartItem]


class GenerationsAnswer(Aged):
    """`GET /api/v1/generations`, newest first."""

    success: bool
    generations: list[GenerationItem]
    total: int
    limit_reached: bool
