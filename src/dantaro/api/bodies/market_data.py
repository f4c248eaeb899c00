"""Ratings, exclusions, the KRW premium, the catalogue, candles and past generations."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence

from dantaro.api.bodies.model import absent
from dantaro.api.bodies.reading import AgeFields, Reading, resolution_of
from dantaro.api.bodies.recommendations import NO_TICKER, rating_details, rating_gaps
from dantaro.api.schemas.market_data import (
    CandlesAnswer,
    CoinItem,
    CoinsAnswer,
    ExclusionItem,
    ExclusionReasonItem,
    ExclusionsAnswer,
    GenerationItem,
    GenerationsAnswer,
    MarketItem,
    MarketsAnswer,
    PartItem,
    PremiumAnswer,
    PremiumItem,
    PremiumPoint,
    RatingAnswer,
    RatingPoint,
    SeriesItem,
)
from dantaro.api.times import rfc3339, rfc3339_or_none
from dantaro.errors import InvalidRequest, NotFound
from dantaro.market.markets import Market
from dantaro.market.results import Exclusion, ExclusionReason, PartKind, Premium, Rating
from dantaro.queries import Resolution, Snapshot
from dantaro.queries.history import PastPremium, PastRating
from dantaro.queries.parts import ALL, market_key
from dantaro.queries.stored import CandleSpan, MarketOverview, Overview, StoredSeries
from dantaro.storage.generations import Manifest

CANDLE_COLUMNS = ("opened_at_ms", "open", "high", "low", "close", "volume")
INDEX = "INDEX"
"""The coin whose premium is the weighted mean over an exchange's coins."""
NO_PREMIUM = "no premium can be told now"


def rating_body(
    reading: Reading,
    resolution: Resolution,
    timeframe: str | None,
    history: Mapping[str, Sequence[PastRating]],
) -> RatingAnswer:
    """The current ratings of a market and those published before.

    Raises:
        NotFound: it has none.
        InvalidRequest: it has none on this timeframe.
    """
    snapshot, market = reading.snapshot, resolution.market
    ratings = ratings_of(snapshot, market, timeframe)
    return RatingAnswer(
        success=True,
        symbol=market.base,
        exchange=market.exchange,
        market=market.symbol,
        ratings=[rating_details(ratings[name]) for name in sorted(ratings)],
        history={name: [_rating_point(p) for p in points] for name, points in history.items()},
        resolution=resolution_of(resolution),
        cache_timestamp=reading.published_at,
        data_source=reading.source,
        **reading.age_fields(snapshot.age_of_part(PartKind.RATINGS)),
    )


def ratings_of(snapshot: Snapshot, market: Market, timeframe: str | None) -> Mapping[str, Rating]:
    """The ratings of a market by timeframe, only `timeframe` when given.

    Raises:
        NotFound: there are none.
        InvalidRequest: there are, but none on this timeframe.
    """
    ratings = {} if snapshot.ratings is None else snapshot.ratings.of(market.key)
    if not ratings:
        raise NotFound(f"{market.key} has no rating; /api/v1/exclusions may say why")
    if timeframe is None:
        return ratings
    if timeframe not in ratings:
        raise InvalidRequest(
            f"timeframe: {market.key} has no rating on {timeframe!r}; "
            f"there are {', '.join(sorted(ratings))}"
        )
    return {timeframe: ratings[timeframe]}


def exclusions_body(reading: Reading, exchange: str | None) -> ExclusionsAnswer:
    """Every market that is left out (of one exchange), with its reasons."""
    part = reading.snapshot.exclusions
    by_market: dict[tuple[str, str], list[Exclusion]] = {}
    for row in () if part is None else part.rows:
        if exchange is None or row.exchange == exchange:
            by_market.setdefault((row.exchange, row.symbol), []).append(row)
    counts = Counter(row.reason.value for rows in by_market.values() for row in rows)
    return ExclusionsAnswer(
        success=True,
        exclusions=[_exclusion(rows) for _, rows in sorted(by_market.items())],
        total=len(by_market),
        counts=dict(sorted(counts.items())),
        cache_timestamp=reading.published_at,
        data_source=reading.source,
        message=None if part is not None else "no exclusions have been published yet",
        **reading.age_fields(reading.snapshot.age_of_part(PartKind.EXCLUSIONS)),
    )


def no_exclusions(fields: AgeFields, *, message: str, now_ms: int) -> ExclusionsAnswer:
    """The answer while nothing is published; its time is of the answer itself."""
    return ExclusionsAnswer(
        success=True,
        exclusions=[],
        total=0,
        counts={},
        cache_timestamp=rfc3339(now_ms),
        data_source="database",
        message=message,
        **fields,
    )


def no_premium(fields: AgeFields, *, message: str, now_ms: int) -> PremiumAnswer:
    """The answer while nothing is published; its time is of the answer itself."""
    return PremiumAnswer(
        success=True,
        premium=[],
        history=[],
        cache_timestamp=rfc3339(now_ms),
        data_source="database",
        message=message,
        **fields,
    )


def premium_body(
    reading: Reading, coin: str | None, history: Sequence[PastPremium]
) -> PremiumAnswer:
    """The premium of every coin, or of one.

    Raises:
        NotFound: this coin has none.
    """
    part = reading.snapshot.premiums
    rows = () if part is None else part.rows
    chosen = [row for row in rows if coin is None or row.coin == coin]
    if coin is not None and not chosen:
        raise NotFound(
            f"there is no KRW premium of {coin!r} now: it needs a KRW and a USDT market with prices of "
            "the time of a USDT/KRW price"
            if rows
            else _no_premium(reading)
        )
    return PremiumAnswer(
        success=True,
        premium=[_premium(row) for row in chosen],
        history=[
            PremiumPoint(
                published_at=rfc3339(point.published_at_ms),
                exchange=point.row.exchange,
                coin=point.row.coin,
                premium=point.row.premium,
            )
            for point in history
        ],
        cache_timestamp=reading.published_at,
        data_source=reading.source,
        message=None if rows else _no_premium(reading),
        **reading.age_fields(reading.snapshot.age_of_part(PartKind.PREMIUM)),
    )


def markets_body(
    overview: Overview, snapshot: Snapshot | None, fields: AgeFields, *, message: str | None
) -> MarketsAnswer:
    """The catalogue; what the current generation says of each market beside it."""
    ranked = snapshot.recommendations if snapshot is not None else None
    part = snapshot.exclusions if snapshot is not None else None
    reasons: dict[str, list[ExclusionReason]] = {}
    for row in () if part is None else part.rows:
        reasons.setdefault(market_key(row.exchange, row.symbol), []).append(row.reason)
    places = {} if ranked is None else ranked.places
    items = [_market(item, reasons, places) for item in overview.markets]
    return MarketsAnswer(
        success=True,
        markets=items,
        total=len(items),
        gaps_truncated=overview.gaps_truncated,
        message=message,
        **fields,
    )


def coins_body(
    markets: Iterable[Market],
    snapshot: Snapshot | None,
    fields: AgeFields,
    *,
    message: str | None,
) -> CoinsAnswer:
    """The coins of `markets`, each with the market that it is ranked by."""
    by_coin: dict[str, list[Market]] = {}
    for market in markets:
        by_coin.setdefault(market.base, []).append(market)
    coins = [_coin(coin, found, snapshot) for coin, found in sorted(by_coin.items())]
    return CoinsAnswer(success=True, coins=coins, total=len(coins), message=message, **fields)


def candles_body(
    span: CandleSpan, timeframe: str, resolution: Resolution, fields: AgeFields
) -> CandlesAnswer:
    """Stored candles of one market."""
    return CandlesAnswer(
        success=True,
        exchange=resolution.market.exchange,
        market=resolution.market.symbol,
        timeframe=timeframe,
        columns=list(CANDLE_COLUMNS),
        candles=list(span.candles),
        count=len(span.candles),
        limit_reached=span.limit_reached,
        resolution=resolution_of(resolution),
        **fields,
    )


def generations_body(
    manifests: Sequence[Manifest], fields: AgeFields, *, limit: int
) -> GenerationsAnswer:
    """Past generations, at most `limit` of them."""
    return GenerationsAnswer(
        success=True,
        generations=[_generation(manifest) for manifest in manifests[:limit]],
        total=min(limit, len(manifests)),
        limit_reached=len(manifests) > limit,
        **fields,
    )


def _rating_point(point: PastRating) -> RatingPoint:
    return RatingPoint(
        published_at=rfc3339(point.published_at_ms),
        data_as_of=rfc3339(point.row.data_as_of_ms),
        rating=point.row.rating,
        label=point.row.label,
        moving_averages=point.row.moving_averages,
        oscillators=point.row.oscillators,
        unavailable=rating_gaps(point.row),
    )


def _exclusion(rows: Sequence[Exclusion]) -> ExclusionItem:
    return ExclusionItem(
        exchange=rows[0].exchange,
        market=rows[0].symbol,
        reasons=[
            ExclusionReasonItem(
                reason=row.reason,
                figure=row.figure,
                threshold=row.threshold,
                detail=row.detail,
                unavailable=absent("not_a_measure", figure=row.figure, threshold=row.threshold),
            )
            for row in rows
        ],
    )


def _premium(row: Premium) -> PremiumItem:
    return PremiumItem(
        exchange=row.exchange,
        coin=row.coin,
        premium=row.premium,
        krw_price=row.krw_price,
        usdt_price=row.usdt_price,
        krw_per_usdt=row.krw_per_usdt,
        rate_source=row.rate_source,
        turnover_krw=row.turnover_krw,
        data_as_of=rfc3339(row.data_as_of_ms),
        unavailable={
            **absent(
                "mean_of_coins" if row.coin == INDEX else NO_TICKER,
                krw_price=row.krw_price,
                usdt_price=row.usdt_price,
            ),
            **absent(NO_TICKER, turnover_krw=row.turnover_krw),
        },
    )


def _no_premium(reading: Reading) -> str:
    """Why there is none on any exchange, as the state of the market says it."""
    snapshot = reading.snapshot
    if snapshot.premiums is None:
        return f"{NO_PREMIUM}: {reading.nothing_yet}"
    state = None if snapshot.statuses is None else snapshot.statuses.by_set.get(ALL)
    reason = None if state is None else state.missing.get("krw_premium")
    return NO_PREMIUM if reason is None else f"{NO_PREMIUM}: {reason}"


def _market(
    item: MarketOverview, reasons: Mapping[str, list[ExclusionReason]], ranked: Collection[str]
) -> MarketItem:
    stored, market = item.stored, item.stored.market
    return MarketItem(
        exchange=market.exchange,
        market=market.symbol,
        coin=market.base,
        quote=market.quote,
        venue_symbol=market.venue_symbol,
        listed=market.listed,
        flags=list(market.flags),
        first_seen=rfc3339(stored.first_seen_ms),
        last_seen=rfc3339(stored.last_seen_ms),
        series=[_series(series) for series in item.series.values()],
        ranked=market.key in ranked,
        excluded=reasons.get(market.key, []),
    )


def _series(series: StoredSeries) -> SeriesItem:
    covered = series.covered
    return SeriesItem(
        timeframe=covered.timeframe,
        first_candle=rfc3339_or_none(covered.first_candle_ms),
        last_candle=rfc3339_or_none(covered.last_candle_ms),
        asked_from=rfc3339(covered.start_ms),
        asked_until=rfc3339(covered.end_ms),
        open_gaps=series.open_gaps,
        missing_candles=series.missing_candles,
        unavailable=absent(
            "no_candles",
            first_candle=covered.first_candle_ms,
            last_candle=covered.last_candle_ms,
        ),
    )


def _coin(coin: str, markets: Sequence[Market], snapshot: Snapshot | None) -> CoinItem:
    reference = _reference(coin, markets, snapshot)
    return CoinItem(
        coin=coin,
        reference=reference,
        markets=sorted(market.key for market in markets),
        exchanges=sorted({market.exchange for market in markets}),
        unavailable=absent("not_ranked", reference=reference),
    )


def _reference(coin: str, markets: Sequence[Market], snapshot: Snapshot | None) -> str | None:
    if snapshot is None:
        return None
    ranking = snapshot.recommendations
    ranked = [m for m in markets if ranking is not None and m.key in ranking.places]
    return snapshot.resolve(coin).market.key if ranked else None


def _generation(manifest: Manifest) -> GenerationItem:
    return GenerationItem(
        generation=manifest.generation,
        published_at=rfc3339(manifest.published_at_ms),
        published_real_at=rfc3339(manifest.published_real_ms),
        data_as_of=rfc3339(manifest.data_as_of_ms),
        stale_after=rfc3339(manifest.stale_after_ms),
        verified_at=rfc3339(manifest.verified_at_ms),
        status=manifest.status,
        origin=manifest.origin,
        code_version=manifest.code_version,
        parameters=manifest.parameters,
        inputs={exchange: rfc3339(at_ms) for exchange, at_ms in sorted(manifest.inputs.items())},
        parts=[
            PartItem(
                part=kind,
                sha256=ref.sha256,
                size_bytes=ref.size_bytes,
                created_generation=ref.created_generation,
                data_as_of=rfc3339(ref.data_as_of_ms),
                stale_after=rfc3339(ref.stale_after_ms),
                verified_at=rfc3339(ref.verified_at_ms),
            )
            for kind, ref in manifest.parts.items()
        ],
    )
