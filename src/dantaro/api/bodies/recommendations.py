"""The ranking, and one recommendation with everything behind it."""

from collections.abc import Mapping
from dataclasses import dataclass

from dantaro.api.bodies.model import NOT_RECORDED, absent, ranking_model
from dantaro.api.bodies.prices import BAND_NAMES, shown_bands, shown_price
from dantaro.api.bodies.reading import AgeFields, Reading, resolution_of
from dantaro.api.bodies.records import StrengthRecords, sensible
from dantaro.api.schemas.ranking import (
    LevelBands,
    PlaceDetails,
    RatingDetails,
    RatingSummary,
    RecommendationAnswer,
    RecommendationItem,
    RecommendationsAnswer,
)
from dantaro.api.times import rfc3339, rfc3339_or_none
from dantaro.errors import NotFound
from dantaro.market.results import (
    Bands,
    ExclusionReason,
    MarketFeatures,
    PartKind,
    Price,
    Rating,
    Score,
    Strength,
)
from dantaro.queries import DataAge, Resolution, Snapshot, worst
from dantaro.queries.parts import ALL, Recommendations, market_key

PARTS = (
    PartKind.RECOMMENDATIONS,
    PartKind.PRICES,
    PartKind.RATINGS,
    PartKind.LEVELS,
    PartKind.PREMIUM,
    PartKind.TRACK_RECORD,
)
DETAIL_PARTS = (*PARTS, PartKind.EXCLUSIONS)
SHOWN_PARTS = (
    PartKind.RECOMMENDATIONS,
    PartKind.PRICES,
    PartKind.RATINGS,
    PartKind.LEVELS,
)
"""What an item is made of, but for the record of its class, which is of the past."""
_THRESHOLDS = (
    "universe_size",
    "quotes",
    "min_turnover_usd",
    "max_quiet_share",
    "max_silence_hours",
    "opening_jump",
    "step_jump",
    "identity_ratio",
    "peg_distance",
    "peg_volatility",
)
"""The parameters of the analysis that markets are excluded by."""
_SHOWN_DIGITS = 6
"""Of the figures of an item; the single recommendation has them to the last bit as `features`."""
NO_SOURCE = "no_source"
NO_TICKER = "no_ticker"
NOT_PUBLISHED = "not_published"
NO_DATA = "no_data"
"""The candles do not define the value: too few, or without any movement."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which of a ranked set's coins to list; `strengths` empty for all."""

    ranked_set: str
    top_n: int
    strengths: tuple[Strength, ...] = ()
    min_turnover: float | None = None


def recommendations_body(reading: Reading, selection: Selection) -> RecommendationsAnswer:
    """The best of a ranked set; an empty list and a message when the set holds nothing."""
    snapshot = reading.snapshot
    ranking = snapshot.recommendations
    ranked = None if ranking is None else ranking.sets.get(selection.ranked_set)
    items = [] if ranking is None else top_items(snapshot, ranking, selection)
    return RecommendationsAnswer(
        success=True,
        recommendations=items,
        total_analyzed=0 if ranked is None else ranked.summary.size,
        cache_timestamp=reading.published_at,
        generated_at=reading.published_seconds,
        data_source=reading.source,
        message=_message(reading, ranking, selection, items),
        ranked_set=selection.ranked_set,
        unavailable={} if ranked is None else ranked.summary.missing,
        **reading.age_fields(ranking_age(snapshot, selection.ranked_set)),
    )


def initializing_body(
    fields: AgeFields, selection: Selection, *, message: str, now_ms: int
) -> RecommendationsAnswer:
    """The answer while nothing is published; its times are of the answer itself."""
    return RecommendationsAnswer(
        success=True,
        recommendations=[],
        total_analyzed=0,
        cache_timestamp=rfc3339(now_ms),
        generated_at=now_ms / 1000,
        data_source="database",
        message=message,
        ranked_set=selection.ranked_set,
        unavailable={},
        **fields,
    )


def recommendation_body(reading: Reading, resolution: Resolution) -> RecommendationAnswer:
    """One market's recommendation.

    Raises:
        NotFound: the market is not ranked; the message says where the reason is.
    """
    snapshot, key = reading.snapshot, resolution.market.key
    ranking = snapshot.recommendations
    places = {} if ranking is None else ranking.places.get(key, {})
    if ranking is None or not places:
        raise NotFound(_unranked(reading, key))
    (features,) = ranking.features.rows(key)
    ratings = {} if snapshot.ratings is None else snapshot.ratings.of(key)
    records = StrengthRecords(snapshot.track_record)
    return RecommendationAnswer(
        success=True,
        symbol=features.coin,
        recommendation=_item(snapshot, ranking, _widest(places), records),
        features=features.features,
        indicators=features.indicators,
        unavailable=features.missing,
        thresholds={
            name: value
            for name, value in snapshot.manifest.parameters.items()
            if name in _THRESHOLDS
        },
        noted=_exclusions_of(snapshot, key),
        model=ranking_model(snapshot, ranking.sets[_widest(places).ranked_set].summary),
        places=[_place(ranking, score) for score in _whole(ranking, key)],
        ratings=[rating_details(rating) for rating in ratings.values()],
        resolution=resolution_of(resolution),
        cache_timestamp=reading.published_at,
        generated_at=reading.published_seconds,
        data_source=reading.source,
        **reading.age_fields(
            worst(
                snapshot.age_of_row(PartKind.RECOMMENDATIONS, features.data_as_of_ms),
                snapshot.age_of_parts(*SHOWN_PARTS),
            )
        ),
    )


def ranking_age(snapshot: Snapshot, ranked_set: str) -> DataAge:
    """The age of a ranked set as it is answered, with the levels, ratings and prices in its items."""
    return worst(snapshot.age_of_set(ranked_set), snapshot.age_of_parts(*SHOWN_PARTS))


def top_items(
    snapshot: Snapshot, ranking: Recommendations, selection: Selection
) -> list[RecommendationItem]:
    """The selected coins, best first."""
    ranked = ranking.sets.get(selection.ranked_set)
    chosen: list[RecommendationItem] = []
    records = StrengthRecords(snapshot.track_record)
    for score in () if ranked is None else ranked.scores:
        if len(chosen) == selection.top_n:
            break
        if selection.strengths and score.strength not in selection.strengths:
            continue
        if _turnover(snapshot, score) < (selection.min_turnover or 0.0):
            continue
        chosen.append(_item(snapshot, ranking, score, records))
    return chosen


def rating_summary(rating: Rating) -> RatingSummary:
    """A rating without its votes."""
    return RatingSummary(
        rating=sensible(rating.rating, _SHOWN_DIGITS),
        label=rating.label,
        moving_averages=sensible(rating.moving_averages, _SHOWN_DIGITS),
        oscillators=sensible(rating.oscillators, _SHOWN_DIGITS),
    )


def rating_details(rating: Rating) -> RatingDetails:
    """A rating with every vote and value."""
    return RatingDetails(
        timeframe=rating.timeframe,
        rating=rating.rating,
        label=rating.label,
        moving_averages=rating.moving_averages,
        oscillators=rating.oscillators,
        votes=rating.votes,
        values=rating.values,
        data_as_of=rfc3339(rating.data_as_of_ms),
        unavailable={
            **rating_gaps(rating),
            **{f"votes.{name}": NO_DATA for name, vote in rating.votes.items() if vote is None},
            **{f"values.{name}": NO_DATA for name, at in rating.values.items() if at is None},
        },
    )


def _item(
    snapshot: Snapshot, ranking: Recommendations, score: Score, records: StrengthRecords
) -> RecommendationItem:
    key = market_key(score.exchange, score.symbol)
    (features,) = ranking.features.rows(key)
    price = None if snapshot.prices is None else snapshot.prices.by_market.get(key)
    ratings = {} if snapshot.ratings is None else snapshot.ratings.of(key)
    found = None if snapshot.levels is None else snapshot.levels.bands.get(key)
    bands = None if found is None else shown_bands(snapshot, found)
    shown = shown_price(snapshot, key, close=features.close, closed_at_ms=features.data_as_of_ms)
    record, record_gaps = records.of(score)
    return RecommendationItem(
        symbol=features.coin,
        total_score=score.total,
        technical_score=score.technical,
        volume_score=score.volume,
        volatility_score=score.volatility,
        risk_score=score.risk,
        recommendation_strength=score.strength,
        current_price=shown.price,
        price_change_24h=None if price is None else price.change_24h,
        volume_24h=None if price is None else price.turnover_24h,
        market_cap=None,
        analysis_details={
            name: sensible(value, _SHOWN_DIGITS)
            for name, value in (*features.features.items(), *features.indicators.items())
        },
        updated_at=rfc3339(max(shown.at_ms, features.data_as_of_ms)),
        verified_at=rfc3339_or_none(snapshot.verified_at(PartKind.RECOMMENDATIONS)),
        rank=score.rank,
        coin=features.coin,
        exchange=score.exchange,
        market=score.symbol,
        price_at=rfc3339(shown.at_ms),
        price_source=shown.source,
        rating={name: rating_summary(rating) for name, rating in ratings.items()},
        levels=None if bands is None else _levels(bands),
        track_record=record,
        data_as_of=rfc3339(features.data_as_of_ms),
        unavailable={**_unavailable(features, price, ratings, bands), **record_gaps},
    )


def _unavailable(
    features: MarketFeatures,
    price: Price | None,
    ratings: Mapping[str, Rating],
    bands: Bands | None,
) -> Mapping[str, str]:
    """Every null of an item with its reason; what is inside a field is named `field.inside`."""
    reasons = {"market_cap": NO_SOURCE, **features.missing}
    if price is None or price.change_24h is None:
        reasons["price_change_24h"] = NO_TICKER
    if price is None or price.turnover_24h is None:
        reasons["volume_24h"] = NO_TICKER
    if bands is None:
        reasons["levels"] = NOT_PUBLISHED
    else:
        reasons |= {f"levels.{band}": reason for band, reason in bands.missing.items()}
    for name, rating in ratings.items():
        reasons |= {f"rating.{name}.{what}": why for what, why in rating_gaps(rating).items()}
    return reasons


def rating_gaps(rating: Rating) -> Mapping[str, str]:
    """The nulls of a rating without its votes, with the reason."""
    figures = ("rating", "label", "moving_averages", "oscillators")
    return {name: NO_DATA for name in figures if getattr(rating, name) is None}


def _levels(bands: Bands) -> LevelBands:
    return LevelBands(**{name: getattr(bands, name) for name in BAND_NAMES})


def _turnover(snapshot: Snapshot, score: Score) -> float:
    prices = snapshot.prices
    key = market_key(score.exchange, score.symbol)
    price = None if prices is None else prices.by_market.get(key)
    return 0.0 if price is None or price.turnover_24h is None else price.turnover_24h


def _widest(places: Mapping[str, Score]) -> Score:
    """The place in `all`, else in a set over all exchanges, else in any."""
    name = min(places, key=lambda name: (name != ALL, not name.startswith("*:"), name))
    return places[name]


def _whole(ranking: Recommendations, key: str) -> list[Score]:
    return sorted(ranking.details.rows(key), key=lambda score: score.ranked_set)


def _place(ranking: Recommendations, score: Score) -> PlaceDetails:
    summary = ranking.sets[score.ranked_set].summary
    return PlaceDetails(
        ranked_set=score.ranked_set,
        set_size=summary.size,
        rank=score.rank,
        total_score=score.total,
        technical_score=score.technical,
        volume_score=score.volume,
        volatility_score=score.volatility,
        risk_score=score.risk,
        recommendation_strength=score.strength,
        ranks=score.ranks,
        weights=summary.weights,
        base=summary.base,
        contributions=score.contributions,
        estimate=score.estimate,
        model=summary.model or None,
        unavailable=absent(
            NOT_RECORDED, base=summary.base, estimate=score.estimate, model=summary.model or None
        ),
    )


def _message(
    reading: Reading,
    ranking: Recommendations | None,
    selection: Selection,
    items: list[RecommendationItem],
) -> str | None:
    if items:
        return None
    if ranking is None:
        return reading.nothing_yet
    if selection.ranked_set not in ranking.sets:
        return f"no market of {selection.ranked_set} is ranked; /api/v1/exclusions has the reasons"
    return "no ranked coin fits the filters"


def _unranked(reading: Reading, key: str) -> str:
    snapshot = reading.snapshot
    reasons = _exclusions_of(snapshot, key)
    if reasons:
        return f"{key} is not ranked: {', '.join(reasons)}"
    why = reading.nothing_yet if snapshot.recommendations is None else "no candles"
    return f"{key} is not ranked: {why}"


def _exclusions_of(snapshot: Snapshot, key: str) -> list[ExclusionReason]:
    rows = () if snapshot.exclusions is None else snapshot.exclusions.rows
    return [row.reason for row in rows if market_key(row.exchange, row.symbol) == key]
