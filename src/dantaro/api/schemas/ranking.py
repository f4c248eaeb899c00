"""The shapes of the ranking, ratings, levels, the market's state and the bundle."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from dantaro.api.schemas.base import Aged, Body, Source, Time, Unavailable, Unit
from dantaro.api.schemas.track_record import (
    LevelRecord,
    LevelsRecord,
    RecommendationRecord,
    RecordItem,
)
from dantaro.market.results import ExclusionReason, RatingLabel, Side, Strength

Band = Annotated[
    float | None, Field(description="a price, or null with the reason in `unavailable`")
]


class RatingSummary(Body):
    """The technical rating on one timeframe; it describes and does not predict."""

    rating: float | None
    label: RatingLabel | None
    moving_averages: float | None
    oscillators: float | None


class LevelBands(Body):
    """The six prices of support and resistance."""

    aggressive_support: Band
    moderate_support: Band
    conservative_support: Band
    aggressive_resistance: Band
    moderate_resistance: Band
    conservative_resistance: Band


class RecommendationItem(Body):
    """One ranked coin. The first thirteen fields are those of version 1."""

    symbol: Annotated[str, Field(description="the coin", examples=["BTC"])]
    total_score: Unit
    technical_score: Unit
    volume_score: Unit
    volatility_score: Unit
    risk_score: Annotated[Unit, Field(description="1 is the safest")]
    recommendation_strength: Strength
    current_price: float
    price_change_24h: Annotated[float | None, Field(description="a fraction, 0.01 is one percent")]
    volume_24h: Annotated[float | None, Field(description="turnover in quote currency")]
    market_cap: float | None
    analysis_details: Annotated[
        Mapping[str, float | None], Field(description="features and indicators by name")
    ]
    updated_at: Annotated[
        Time | None, Field(description="time of the newest input behind the item: ticker or close")
    ]
    verified_at: Annotated[
        Time | None, Field(description="when the worker last found the item to be so")
    ]
    rank: int
    coin: str
    exchange: str
    market: Annotated[str, Field(examples=["BTC/KRW"])]
    price_at: Annotated[
        Time, Field(description="time of `current_price`: the ticker's, else the last close")
    ]
    price_source: Literal["ticker", "last_close"]
    rating: Annotated[Mapping[str, RatingSummary], Field(description="by timeframe")]
    levels: LevelBands | None
    track_record: Annotated[
        RecommendationRecord | None, Field(description="how its strength class did")
    ]
    data_as_of: Time
    unavailable: Unavailable


class RecommendationsAnswer(Aged):
    """`GET /api/v1/recommendations`."""

    success: bool
    recommendations: list[RecommendationItem]
    total_analyzed: int
    cache_timestamp: Time
    generated_at: Annotated[float, Field(description="the same, in seconds since 1970")]
    data_source: Source
    message: str | None
    ranked_set: Annotated[str, Field(description="the markets that were ranked among themselves")]
    unavailable: Unavailable


class MarketResolution(Body):
    """Which market a symbol was taken for."""

    requested: str
    market: Annotated[str, Field(examples=["upbit:BTC/KRW"])]
    ambiguous: Annotated[
        bool, Field(description="several markets fit, and the reference market was taken")
    ]
    candidates: list[str]


class PlaceDetails(Body):
    """A market's standing in one ranked set, with everything behind it."""

    ranked_set: str
    set_size: int
    rank: int
    total_score: Unit
    technical_score: Unit
    volume_score: Unit
    volatility_score: Unit
    risk_score: Unit
    recommendation_strength: Strength
    ranks: Annotated[
        Mapping[str, float], Field(description="each feature's rank in the set, 1 is favourable")
    ]
    weights: Annotated[
        Mapping[str, float], Field(description="each feature's share in what the model says")
    ]
    base: Annotated[float | None, Field(description="the estimate before any feature is known")]
    contributions: Annotated[
        Mapping[str, float],
        Field(
            description="what each feature adds to `base`; in sets whose members also stand in a set of "
            "one exchange and quote, only there"
        ),
    ]
    estimate: Annotated[
        float | None,
        Field(
            description="`base` and all contributions: the mean rank that is expected of its return; "
            "`total_score` is the rank of this"
        ),
    ]
    model: Annotated[str | None, Field(description="the name of the model behind the total")]
    unavailable: Unavailable


class TrainingDetails(Body):
    """What a model was fitted on."""

    data: Annotated[list[str], Field(description="names of recordings")]
    decisions_from: Time
    decisions_until: Time
    rows: Annotated[int, Field(description="coins times days")]


class ModelDetails(Body):
    """A model: where it comes from, and how it did on what it was not fitted on."""

    name: str | None
    sha256: Annotated[
        str | None, Field(description="of its file; null for one that is in the code")
    ]
    training: TrainingDetails | None
    out_of_sample: Annotated[
        list[RecordItem], Field(description="what its backtests measured, by recording and horizon")
    ]
    unavailable: Unavailable


class RatingDetails(RatingSummary):
    """A rating with its votes and the indicator values behind them."""

    timeframe: str
    votes: Annotated[Mapping[str, int | None], Field(description="-1, 0, +1, or null: no data")]
    values: Mapping[str, float | None]
    data_as_of: Time
    unavailable: Unavailable


class RecommendationAnswer(Aged):
    """`GET /api/v1/recommendations/{symbol}`."""

    success: bool
    symbol: str
    recommendation: RecommendationItem
    features: Annotated[Mapping[str, float | None], Field(description="in natural units")]
    indicators: Mapping[str, float | None]
    unavailable: Unavailable
    thresholds: Annotated[
        Mapping[str, object],
        Field(description="the limits of the exclusions that the market passed, by parameter"),
    ]
    noted: Annotated[
        list[ExclusionReason],
        Field(description="what keeps it out of some ranked sets, though not of those in `places`"),
    ]
    model: ModelDetails
    places: list[PlaceDetails]
    ratings: list[RatingDetails]
    resolution: MarketResolution
    cache_timestamp: Time
    generated_at: float
    data_source: Source


class SupportLevels(LevelBands):
    """The levels of one market in the shape of version 1."""

    symbol: str
    calculation_method: str
    data_points_count: int
    updated_at: Annotated[Time | None, Field(description="close of the newest candle behind them")]
    verified_at: Time | None
    unavailable: Unavailable


class LevelZone(Body):
    """One support or resistance zone."""

    side: Side
    crossed: Annotated[
        bool, Field(description="whether `current_price` has left the level's side since")
    ]
    price: float
    zone_low: float
    zone_high: float
    touches: int
    first_seen: Time
    last_evidence_at: Time
    confirmed_at: Annotated[Time, Field(description="when it could first have been known")]
    expires_at: Time
    age_seconds: Annotated[int, Field(description="from `confirmed_at` to the data's time")]
    methods: list[str]
    strength: Unit
    hold_probability: Annotated[
        float | None,
        Field(description="that it holds when it is touched, calibrated on what was measured"),
    ]
    track_record: Annotated[
        LevelRecord | None, Field(description="how levels of its methods and side did")
    ]
    unavailable: Unavailable


class SupportLevelsAnswer(Aged):
    """`GET /api/v1/support-levels/{symbol}`."""

    success: bool
    symbol: str
    support_levels: SupportLevels
    cache_timestamp: Time
    data_source: Source
    exchange: str
    market: str
    current_price: Annotated[float, Field(description="as in /recommendations")]
    price_at: Time
    price_source: Literal["ticker", "last_close"]
    levels_price: Annotated[float, Field(description="the close that the levels were computed at")]
    atr: Annotated[float | None, Field(description="daily average true range in quote currency")]
    levels: Annotated[list[LevelZone], Field(description="the most proven first")]
    track_record: Annotated[
        LevelsRecord | None, Field(description="how the served levels did, and each band")
    ]
    model: Annotated[
        ModelDetails | None,
        Field(description="behind `hold_probability` and the order of `levels`"),
    ]
    resolution: MarketResolution
    unavailable: Unavailable


class MarketState(Body):
    """The state of one ranked set in the shape of version 1, with added figures."""

    market_trend: Literal["bullish", "bearish", "neutral", "unknown"]
    market_sentiment: Literal["positive", "negative", "neutral"]
    overall_score: float | None
    active_coins_count: int
    total_market_cap: float | None
    total_volume_24h: float | None
    analysis_summary: Annotated[
        Mapping[str, float | None], Field(description="every figure behind the state, by name")
    ]
    updated_at: Annotated[Time | None, Field(description="close of the newest candle behind it")]
    verified_at: Time | None
    turnover_currency: str | None
    volatility_regime: str | None
    gainers: Annotated[Mapping[str, float], Field(description="symbol to its 24 h change")]
    losers: Mapping[str, float]
    ranked_set: str
    unavailable: Unavailable


class MarketStatusAnswer(Aged):
    """`GET /api/v1/market-status`."""

    success: bool
    status: Literal["healthy", "degraded"]
    total_symbols: int
    system_health: Annotated[
        Mapping[str, str], Field(examples=[{"worker": "active", "data": "fresh"}])
    ]
    market_status: MarketState
    cache_timestamp: Time
    data_source: Source


class BundleRequest(BaseModel):
    """What a bundle should hold."""

    model_config = ConfigDict(
        extra="ignore",
        json_schema_extra={"examples": [{"recommendations_count": 20, "symbols": ["BTC", "ETH"]}]},
    )

    include_recommendations: bool = True
    recommendations_count: Annotated[int, Field(ge=1, le=100)] = 50
    include_support_levels: bool = True
    symbols: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=64)]], Field(max_length=100)
    ] = []
    include_market_status: bool = True


class PartError(Body):
    """Why something that was asked for is not in a bundle."""

    subject: Annotated[str, Field(description="the symbol, or the part itself")]
    code: str
    detail: str


class BundleData(Body):
    """The parts; one that was not asked for is null (recommendations: an empty list)."""

    recommendations: list[RecommendationItem]
    support_levels: Annotated[
        Mapping[str, SupportLevels], Field(description="by the symbol as asked for")
    ]
    market_status: MarketState | None


class BundleAnswer(Aged):
    """`POST /api/v1/bundle`: everything from one generation."""

    success: bool
    data: BundleData
    cache_timestamp: Time
    data_source: str
    message: str | None
    errors: Annotated[Mapping[str, list[PartError]], Field(description="by part")]
