"""A tiny published world for the API's tests: three coins on two exchanges, every part filled.

Upbit quotes in KRW, OKX in USDT. BTC and ETH trade on both, SOL on OKX only; USDC is left out of the
ranking. Numbers are plain enough to be checked by eye.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from dantaro.market.candles import Candle, Validated
from dantaro.market.documents import Document, EncodedDocument, document, encode
from dantaro.market.markets import Market, Origin
from dantaro.market.results import (
    Bands,
    Exclusion,
    ExclusionReason,
    Level,
    MarketFeatures,
    MarketStatus,
    PartKind,
    Premium,
    Price,
    RankedSetSummary,
    Rating,
    RatingLabel,
    Record,
    Score,
    Side,
    Strength,
)
from dantaro.market.timeframes import DAY_MS, HOUR_MS, HOURLY, MINUTE_MS
from dantaro.storage import facts, generations, workers
from dantaro.storage.candles import store_page
from dantaro.storage.catalogue import save_markets, stored_markets
from dantaro.storage.engine import Store
from dantaro.storage.generations import Manifest, Publication

CLOSED_MS = 1_767_225_600_000
"""2026-01-01T00:00:00Z: the close of the newest candle of the first generation."""
PUBLISHED_MS = CLOSED_MS + 10_000
STALE_MS = CLOSED_MS + 2 * HOUR_MS + 5 * MINUTE_MS

UPBIT_BTC = Market("upbit", "BTC/KRW", "BTC", "KRW", "KRW-BTC")
UPBIT_ETH = Market("upbit", "ETH/KRW", "ETH", "KRW", "KRW-ETH", flags=("caution",))
OKX_BTC = Market("okx", "BTC/USDT", "BTC", "USDT", "BTC-USDT")
OKX_ETH = Market("okx", "ETH/USDT", "ETH", "USDT", "ETH-USDT")
OKX_SOL = Market("okx", "SOL/USDT", "SOL", "USDT", "SOL-USDT")
OKX_USDC = Market("okx", "USDC/USDT", "USDC", "USDT", "USDC-USDT")
UPBIT = (UPBIT_BTC, UPBIT_ETH)
OKX = (OKX_BTC, OKX_ETH, OKX_SOL, OKX_USDC)
RANKED = (*UPBIT, OKX_BTC, OKX_ETH, OKX_SOL)
TOTALS: Mapping[str, float] = {"SOL": 0.9, "BTC": 0.5, "ETH": 0.25}
SETS: Mapping[str, Sequence[Market]] = {
    "all": (OKX_SOL, UPBIT_BTC, OKX_ETH),
    "upbit": UPBIT,
    "okx": (OKX_SOL, OKX_BTC, OKX_ETH),
    "*:KRW": UPBIT,
    "*:USDT": (OKX_SOL, OKX_BTC, OKX_ETH),
    "upbit:KRW": UPBIT,
    "okx:USDT": (OKX_SOL, OKX_BTC, OKX_ETH),
}
STRENGTHS = {"SOL": Strength.STRONG_BUY, "BTC": Strength.HOLD, "ETH": Strength.SELL}
PRICES = {
    "upbit:BTC/KRW": 90_000_000.0,
    "upbit:ETH/KRW": 4_500_000.0,
    "okx:BTC/USDT": 60_000.0,
    "okx:ETH/USDT": 3_000.0,
    "okx:SOL/USDT": 150.0,
    "okx:USDC/USDT": 1.0,
}
TURNOVERS = {
    "upbit:BTC/KRW": 3e11,
    "upbit:ETH/KRW": 1e11,
    "okx:BTC/USDT": 1.5e8,
    "okx:ETH/USDT": 1.2e8,
    "okx:SOL/USDT": 5e7,
    "okx:USDC/USDT": 1e6,
}


def recommendations(*, closed_ms: int = CLOSED_MS, lift: float = 0.0) -> Document:
    """Features, scores and sets; `lift` is added to every total, to make another generation."""
    features = [
        MarketFeatures(
            m.exchange,
            m.symbol,
            m.base,
            m.quote,
            closed_ms,
            PRICES[m.key],
            {"reversal_1d": -0.01, "turnover_30d": TURNOVERS[m.key]},
            {"rsi": 55.5, "adx": None},
            {"adx": "insufficient_history"},
        )
        for m in RANKED
    ]
    scores = [
        Score(
            name,
            m.exchange,
            m.symbol,
            place,
            TOTALS[m.base] + lift,
            0.6,
            0.8,
            0.7,
            0.4,
            STRENGTHS[m.base],
            {"reversal_1d": 0.5, "turnover_30d": 0.25},
        )
        for name, markets in SETS.items()
        for place, m in enumerate(markets, start=1)
    ]
    weights = {"reversal_1d": 0.5, "turnover_30d": 0.5}
    stale_ms = closed_ms + STALE_MS - CLOSED_MS
    sets = [
        RankedSetSummary(name, len(markets), weights, closed_ms, stale_ms)
        for name, markets in SETS.items()
    ]
    return document(PartKind.RECOMMENDATIONS, features, scores, sets)


def ratings(*, closed_ms: int = CLOSED_MS, rating: float = 0.4) -> Document:
    """One rating per market on 1h and 1d."""
    label = RatingLabel.BUY if rating > 0.1 else RatingLabel.NEUTRAL
    rows = [
        Rating(
            m.exchange,
            m.symbol,
            frame,
            closed_ms,
            rating,
            label,
            0.5,
            0.3,
            {"sma_10": 1, "rsi": 0, "ultimate": None},
            {"rsi": 55.5, "ultimate": None},
        )
        for m in RANKED
        for frame in ("1h", "1d")
    ]
    return document(PartKind.RATINGS, rows)


def levels(*, closed_ms: int = CLOSED_MS) -> Document:
    """Bands and two zones for every ranked market but SOL; the conservative resistance is missing."""
    bands, zones = [], []
    for m in RANKED:
        if m.base == "SOL":
            continue
        price = PRICES[m.key]
        bands.append(
            Bands(
                m.exchange,
                m.symbol,
                price,
                price * 0.02,
                price * 0.98,
                price * 0.95,
                price * 0.9,
                price * 1.02,
                price * 1.05,
                None,
                "zones",
                2160,
                closed_ms,
                {"conservative_resistance": "no_evidence"},
            )
        )
        zones += [_zone(m, side, price, closed_ms) for side in Side]
    return document(PartKind.LEVELS, bands, zones)


def _zone(market: Market, side: Side, price: float, closed_ms: int) -> Level:
    at = price * (0.98 if side is Side.SUPPORT else 1.02)
    return Level(
        market.exchange,
        market.symbol,
        side,
        at,
        at * 0.999,
        at * 1.001,
        3,
        closed_ms - 48 * HOUR_MS,
        closed_ms - HOUR_MS,
        closed_ms - 36 * HOUR_MS,
        closed_ms + 168 * HOUR_MS,
        ("swing", "round_number"),
        0.5,
    )


def market_status(*, closed_ms: int = CLOSED_MS, trend: str = "bullish") -> Document:
    """The state of every ranked set."""
    rows = [
        MarketStatus(
            name,
            trend,
            "positive",
            0.6,
            len(markets),
            5e8,
            "USD",
            closed_ms,
            closed_ms + STALE_MS - CLOSED_MS,
            {"breadth_20d": 0.7, "dispersion": None},
            {"okx:SOL/USDT": 0.05},
            {"okx:ETH/USDT": -0.02},
            {"dispersion": "insufficient_history"},
            "calm",
        )
        for name, markets in SETS.items()
    ]
    return document(PartKind.MARKET_STATUS, rows)


def exclusions() -> Document:
    """USDC is a stablecoin with too little turnover."""
    where = ("okx", "USDC/USDT")
    return document(
        PartKind.EXCLUSIONS,
        [
            Exclusion(*where, ExclusionReason.STABLECOIN, None, None, "USDC is a known stablecoin"),
            Exclusion(*where, ExclusionReason.LOW_TURNOVER, 1e6, 2e6, "turnover is too low"),
        ],
    )


def premium(*, closed_ms: int = CLOSED_MS, value: float = 0.02) -> Document:
    """BTC's premium on Upbit, and the index."""
    btc = Premium(
        "upbit", "BTC", value, 90_000_000.0, 60_000.0, 1470.0, "upbit:USDT/KRW", 3e11, closed_ms
    )
    index = replace(btc, coin="INDEX", krw_price=None, usdt_price=None)
    return document(PartKind.PREMIUM, [btc, index])


def prices(*, at_ms: int = CLOSED_MS + 5_000, factor: float = 1.0) -> Document:
    """A ticker of every market but Upbit's ETH, of which there is the last close."""
    rows = []
    for key, price in PRICES.items():
        exchange, symbol = key.split(":")
        if key == UPBIT_ETH.key:
            closed_ms = at_ms - 5_000
            rows.append(Price(exchange, symbol, price, None, None, closed_ms, "last_close"))
        else:
            rows.append(Price(exchange, symbol, price * factor, 0.01, TURNOVERS[key], at_ms))
    return document(PartKind.PRICES, rows)


HORIZONS = (1, 3, 7)
CLASS_MEANS = {
    Strength.STRONG_BUY: 0.0021,
    Strength.BUY: 0.0011,
    Strength.HOLD: 0.000123456,
    Strength.SELL: -0.0012,
    Strength.STRONG_SELL: -0.0031,
}
"""Mean excess return of one day, by strength."""
LEVEL_CLASSES = (
    ("all", "all", 0.008, 0.003),
    ("band", "aggressive_support", -0.004, 0.005),
    ("side", "support", 0.011, 0.004),
    ("side", "resistance", -0.009, 0.004),
    ("method", "round_number:support", 0.019, 0.006),
    ("method", "round_number:resistance", -0.018, 0.009),
    ("method", "swing:support", 0.001, 0.005),
    ("method", "swing:resistance", -0.002, 0.005),
)
"""Group, name, hold rate minus that of placebos, and its standard error."""


def a_record(
    measure: str,
    horizon: int,
    group: str,
    name: str,
    *,
    figure: tuple[float, float],
    beats: bool | None = None,
    days: int = 1003,
) -> Record:
    """One figure of a backtest: `figure` is the value and its standard error."""
    value, error = figure
    of_levels = measure in ("hold_rate", "hold_minus_placebo", "brier_skill", "calibration_error")
    return Record(
        source="backtest",
        subject="levels" if of_levels else "recommendations",
        measure=measure,
        horizon_days=horizon,
        data="binance_spot_1d",
        group=group,
        name=name,
        value=value,
        low=value - 1.96 * error,
        high=value + 1.96 * error,
        t_stat=value / error,
        n=days * (5 if of_levels else 40),
        days=days,
        from_ms=CLOSED_MS - (days + horizon) * DAY_MS,
        until_ms=CLOSED_MS - horizon * DAY_MS,
        beats_baselines=beats,
    )


def records(*, days: int = 1003) -> list[Record]:
    """What an evaluation finds, as plain numbers: total_score beats its baselines at one and three days,
    not at seven; round numbers below the price beat placebos, other levels do not.
    """
    rows = []
    for h in HORIZONS:
        total = (0.15 - 0.003 * h, 0.01)
        rows += [
            a_record("rank_ic", h, "score", "total", figure=total, beats=h < 7),
            a_record("rank_ic", h, "score", "technical", figure=(0.09, 0.01)),
            a_record("rank_ic", h, "baseline", "equal_weight", figure=(0.11, 0.01)),
            a_record("rank_ic", h, "baseline", "low_volatility", figure=(0.075, 0.01)),
            a_record("rank_ic", h, "tier", "high", figure=(0.12, 0.01)),
            a_record("rank_ic", h, "tier", "low", figure=(0.16, 0.01)),
            a_record("net_excess_return", h, "top", "20", figure=(0.0003 * h, 0.002)),
        ]
        for strength, mean in CLASS_MEANS.items():
            figure = (mean * h, 0.0005)
            rows.append(a_record("excess_return", h, "strength", strength, figure=figure))
    for group, name, over, error in LEVEL_CLASSES:
        rate, held = (0.61 + over, error), (over, error)
        beats = over - 1.96 * error > 0
        rows.append(a_record("hold_rate", 7, group, name, figure=rate))
        rows.append(a_record("hold_minus_placebo", 7, group, name, figure=held, beats=beats))
    rows.append(a_record("brier_skill", 7, "all", "all", figure=(0.021, 0.004)))
    rows.append(a_record("calibration_error", 7, "all", "all", figure=(0.014, 0.002)))
    return [replace(row, days=days) for row in rows]


def track_record(*more: Record) -> Document:
    """The record of a backtest, and `more`."""
    return document(PartKind.TRACK_RECORD, [*records(), *more])


def every_part(*, closed_ms: int = CLOSED_MS, lift: float = 0.0) -> tuple[Document, ...]:
    """All parts but the track record: what a new installation publishes."""
    return (
        recommendations(closed_ms=closed_ms, lift=lift),
        ratings(closed_ms=closed_ms, rating=0.4 + lift),
        levels(closed_ms=closed_ms),
        market_status(closed_ms=closed_ms),
        exclusions(),
        premium(closed_ms=closed_ms, value=0.02 + lift),
        prices(at_ms=closed_ms + 5_000, factor=1.0 + lift),
    )


def settle(store: Store, *, origin: Origin = Origin.SIMULATED) -> None:
    """Fix the store's origin and save the market lists."""
    facts.fix_origin(store, origin)
    save_markets(store, "upbit", UPBIT, at_ms=CLOSED_MS)
    save_markets(store, "okx", OKX, at_ms=CLOSED_MS)


def publish(
    store: Store,
    *documents: Document,
    at_ms: int = PUBLISHED_MS,
    closed_ms: int = CLOSED_MS,
    status: generations.Status = "complete",
    parameters: Mapping[str, object] = {"universe_size": 200},
) -> Manifest:
    """Publish `documents`, or all parts but the track record."""
    encoded: tuple[EncodedDocument, ...] = tuple(
        map(encode, documents or every_part(closed_ms=closed_ms))
    )
    return generations.publish(
        store,
        Publication(
            documents=encoded,
            analysed_at_ms=at_ms,
            data_as_of_ms=closed_ms,
            stale_after_ms=closed_ms + STALE_MS - CLOSED_MS,
            status=status,
            code_version="0.1.0",
            parameters=parameters,
            inputs={"upbit": closed_ms, "okx": closed_ms - HOUR_MS},
        ),
        lease=None,
        now_ms=lambda: at_ms,
    ).manifest


def beat(store: Store, *, jobs: Sequence[str] = ()) -> None:
    """Let a worker say that it is alive."""
    workers.beat(
        store,
        "worker-1",
        started_at_ms=PUBLISHED_MS,
        current_jobs=jobs,
        counts={"succeeded": 3},
        host="box",
        pid=42,
        version="0.1.0",
        speed=1.0,
        exchanges=("upbit", "okx"),
    )


def candles(store: Store) -> None:
    """Ten hours of Upbit's BTC up to the close, with two candles missing in the middle."""
    (market_id,) = [m.id for m in stored_markets(store) if m.market == UPBIT_BTC]
    hours = [hour for hour in range(10) if hour not in (4, 5)]
    start_ms = CLOSED_MS - 10 * HOUR_MS
    rows = tuple(
        Candle(start_ms + hour * HOUR_MS, 100.0, 110.0, 90.0, 105.0, 1.5) for hour in hours
    )
    store_page(
        store,
        market_id,
        HOURLY,
        start_ms=start_ms,
        end_ms=CLOSED_MS,
        validated=Validated(rows, (), 0),
        recorded_at_ms=CLOSED_MS,
    )
