"""What the analysis finds and a generation keeps: frozen rows, one type per table of a part.

A value that could not be computed is None, and the row's `missing` maps its name to the reason.
Times are UTC milliseconds. A market is named by (`exchange`, `symbol`), as in `Market.key`.

A *ranked set* is a group of markets that are ranked among themselves, named `all`, `upbit` (every
quote of one exchange), `*:KRW` (one quote over all exchanges) or `upbit:KRW`. Sets that span several
markets of a coin take its most liquid one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class PartKind(StrEnum):
    """The parts of a generation."""

    RECOMMENDATIONS = "recommendations"
    RATINGS = "ratings"
    LEVELS = "levels"
    MARKET_STATUS = "market_status"
    EXCLUSIONS = "exclusions"
    PREMIUM = "premium"
    PRICES = "prices"
    TRACK_RECORD = "track_record"


class Strength(StrEnum):
    """Class of a recommendation, from the quantile of its total score within its ranked set."""

    STRONG_BUY = "STRONG_BUY"
    BUY = "BUY"
    HOLD = "HOLD"
    SELL = "SELL"
    STRONG_SELL = "STRONG_SELL"


class RatingLabel(StrEnum):
    """Label of a technical rating in [-1, 1]."""

    STRONG_BUY = "STRONG_BUY"
    BUY = "BUY"
    NEUTRAL = "NEUTRAL"
    SELL = "SELL"
    STRONG_SELL = "STRONG_SELL"


class ExclusionReason(StrEnum):
    """Why a market is left out of the ranking."""

    STABLECOIN = "stablecoin"
    FIAT = "fiat"
    WRAPPED = "wrapped"
    LEVERAGED_TOKEN = "leveraged_token"  # noqa: S105 - a kind of coin, not a secret
    LOW_TURNOVER = "low_turnover"
    INSUFFICIENT_HISTORY = "insufficient_history"
    STALE = "stale"
    GAPPY = "gappy"
    PRICE_ANOMALY = "price_anomaly"
    OUTSIDE_UNIVERSE = "outside_universe"
    FLAGGED_BY_EXCHANGE = "flagged_by_exchange"
    DELISTING = "delisting"
    IDENTITY_CONFLICT = "identity_conflict"


class Side(StrEnum):
    """Which side of the price a level is on."""

    SUPPORT = "support"
    RESISTANCE = "resistance"


@dataclass(frozen=True, slots=True)
class MarketFeatures:
    """Table `features` of RECOMMENDATIONS: the figures behind every score of one scored market.

    `features` in natural units (returns as fractions, turnover in quote currency per day),
    `indicators` the plain indicator values shown to people (RSI and the like).
    """

    exchange: str
    symbol: str
    coin: str
    quote: str
    data_as_of_ms: int
    close: float
    features: Mapping[str, float | None]
    indicators: Mapping[str, float | None]
    missing: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Score:
    """Table `scores` of RECOMMENDATIONS: one market's standing in one ranked set.

    Scores are in [0, 1], 1 is better; `rank` 1 is best. `total` is the rank of `estimate`, which is the
    mean rank that the set's model expects the market's forward return to have in the set.

    `ranks` holds each feature's cross-sectional rank in [0, 1] after its sign was applied (1 =
    favourable), `contributions` what each adds to the model's base: together they are the estimate. The
    set `all` and those of one exchange and quote hold every feature of the model; other sets, whose
    members stand in one of those as well, only the ranks of the four scores, and no contributions.
    """

    ranked_set: str
    exchange: str
    symbol: str
    rank: int
    total: float
    technical: float
    volume: float
    volatility: float
    risk: float
    strength: Strength
    ranks: Mapping[str, float]
    estimate: float | None = None
    contributions: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RankedSetSummary:
    """Table `sets` of RECOMMENDATIONS: one row per ranked set.

    `weights` is each feature's weight in the total (they sum to 1; of trees, the share of what they
    say); `data_as_of_ms` the close time of the newest closed candle behind the set; `stale_after_ms`
    when its data counts as stale. `missing` maps a quote currency whose markets are not in the set to
    the reason (no rate). `model` is the total's model and `model_sha256` its file's hash ("" if it was
    not fitted), `base` the estimate that it starts from.
    """

    ranked_set: str
    size: int
    weights: Mapping[str, float]
    data_as_of_ms: int
    stale_after_ms: int
    missing: Mapping[str, str] = field(default_factory=dict)
    model: str = ""
    model_sha256: str = ""
    base: float | None = None


@dataclass(frozen=True, slots=True)
class Rating:
    """Table `ratings` of RATINGS: the technical rating of one market on one timeframe.

    `votes` are -1, 0, +1 or None (no data); `rating` the mean of the two group means, in [-1, 1].
    """

    exchange: str
    symbol: str
    timeframe: str
    data_as_of_ms: int
    rating: float | None
    label: RatingLabel | None
    moving_averages: float | None
    oscillators: float | None
    votes: Mapping[str, int | None]
    values: Mapping[str, float | None]


@dataclass(frozen=True, slots=True)
class Bands:
    """Table `bands` of LEVELS: the contract's six prices of one market, None with a reason in `missing`.

    supports: aggressive >= moderate >= conservative, all below `price`; resistances mirror that.
    `atr` is the daily average true range in quote currency.
    """

    exchange: str
    symbol: str
    price: float
    atr: float | None
    aggressive_support: float | None
    moderate_support: float | None
    conservative_support: float | None
    aggressive_resistance: float | None
    moderate_resistance: float | None
    conservative_resistance: float | None
    calculation_method: str
    data_points_count: int
    data_as_of_ms: int
    missing: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Level:
    """Table `levels` of LEVELS: one support or resistance zone.

    `touches` counts separate visits after confirmation; `confirmed_at_ms` is when the level could
    first have been known; `strength` in [0, 1]; `hold_probability` None until it is measured.
    """

    exchange: str
    symbol: str
    side: Side
    price: float
    zone_low: float
    zone_high: float
    touches: int
    first_seen_ms: int
    last_evidence_at_ms: int
    confirmed_at_ms: int
    expires_at_ms: int
    methods: tuple[str, ...]
    strength: float
    hold_probability: float | None = None


@dataclass(frozen=True, slots=True)
class MarketStatus:
    """Table `status` of MARKET_STATUS: the state of one ranked set.

    `trend` bullish, bearish or neutral; `sentiment` positive, negative or neutral; `overall_score`
    in [0, 1]. `figures` holds every number behind them, `gainers` and `losers` symbol -> 24 h change.
    `volatility_regime` calm, normal or stressed, None where the history is too short to say.
    """

    ranked_set: str
    trend: str
    sentiment: str
    overall_score: float | None
    active_coins: int
    turnover_24h: float | None
    turnover_currency: str
    data_as_of_ms: int
    stale_after_ms: int
    figures: Mapping[str, float | None]
    gainers: Mapping[str, float]
    losers: Mapping[str, float]
    missing: Mapping[str, str] = field(default_factory=dict)
    volatility_regime: str | None = None


@dataclass(frozen=True, slots=True)
class Exclusion:
    """Table `exclusions` of EXCLUSIONS: one reason for which one market is left out.

    `figure` is what was measured and `threshold` what it was held against, both None where the
    reason is a fact and not a measure; `detail` says it in words.
    """

    exchange: str
    symbol: str
    reason: ExclusionReason
    figure: float | None
    threshold: float | None
    detail: str


@dataclass(frozen=True, slots=True)
class Premium:
    """Table `premium` of PREMIUM: one coin's KRW price over its USDT price, as a fraction (0.02 = +2 %).

    `krw_per_usdt` is the rate used and `rate_source` the market it came from; coin `INDEX` is the
    turnover-weighted mean over the exchange's coins.
    """

    exchange: str
    coin: str
    premium: float
    krw_price: float | None
    usdt_price: float | None
    krw_per_usdt: float
    rate_source: str
    turnover_krw: float | None
    data_as_of_ms: int


@dataclass(frozen=True, slots=True)
class Price:
    """Table `prices` of PRICES: a ticker, frozen when the generation was published, or where there was
    none the last close, of which no 24-hour figures are known. `source` is `ticker` or `last_close`.
    """

    exchange: str
    symbol: str
    price: float
    change_24h: float | None
    turnover_24h: float | None
    at_ms: int
    source: str = "ticker"


@dataclass(frozen=True, slots=True)
class Record:
    """Table `records` of TRACK_RECORD: one figure that was measured of one class of results.

    Attributes:
        source: `live`, from published generations alone, or `backtest`, from recorded candles.
        subject: `recommendations` or `levels`.
        measure: what was measured: `rank_ic`, `hit_rate`, `excess_return`, `net_excess_return`,
            `turnover`, `sharpe`, `max_drawdown`, `hold_rate`, `hold_minus_placebo`, `brier_skill` or
            `calibration_error`. Returns and rates are fractions.
        horizon_days: how long after the publication the outcome was taken.
        data: the ranked set (live), or the name of the recording (backtest).
        group, name: the class that was measured, such as `strength` and `BUY`; `all` and `all` for
            everything.
        value, low, high: the figure and its 95 % interval.
        t_stat: the figure over its standard error, of Newey and West where outcomes overlap.
        n: observations; `days` the days they fall on.
        from_ms, until_ms: the span of the publications that were measured.
        beats_baselines: whether the class did better than its baselines by more than chance; None
            where the measure is not held against any.
    """

    source: str
    subject: str
    measure: str
    horizon_days: int
    data: str
    group: str
    name: str
    value: float | None
    low: float | None
    high: float | None
    t_stat: float | None
    n: int
    days: int
    from_ms: int
    until_ms: int
    beats_baselines: bool | None = None
    missing: Mapping[str, str] = field(default_factory=dict)
