"""Several parts in one answer, all from one generation."""

from dantaro.api.bodies.levels import bands_of, support_levels
from dantaro.api.bodies.market_status import state_of, status_age, status_row
from dantaro.api.bodies.reading import AgeFields, Reading
from dantaro.api.bodies.recommendations import Selection, ranking_age, top_items
from dantaro.api.schemas.ranking import (
    BundleAnswer,
    BundleData,
    BundleRequest,
    PartError,
    RecommendationItem,
    SupportLevels,
)
from dantaro.api.times import rfc3339
from dantaro.errors import RequestError
from dantaro.market.results import PartKind
from dantaro.queries import DataAge, worst
from dantaro.queries.parts import ALL

PARTS = (
    PartKind.RECOMMENDATIONS,
    PartKind.PRICES,
    PartKind.RATINGS,
    PartKind.LEVELS,
    PartKind.MARKET_STATUS,
    PartKind.PREMIUM,
    PartKind.TRACK_RECORD,
)
RECOMMENDATIONS = "recommendations"
SUPPORT_LEVELS = "support_levels"
MARKET_STATUS = "market_status"


def bundle_body(reading: Reading, wanted: BundleRequest) -> BundleAnswer:
    """What `wanted` asks for. A symbol without levels is left out, and `errors` says why."""
    errors: dict[str, list[PartError]] = {}
    data = BundleData(
        recommendations=_recommendations(reading, wanted, errors),
        support_levels=_levels(reading, wanted, errors),
        market_status=None,
    )
    snapshot = reading.snapshot
    if wanted.include_market_status:
        data = data.model_copy(update={"market_status": state_of(snapshot, ALL)})
        if status_row(snapshot, ALL) is None:
            _note(errors, MARKET_STATUS, MARKET_STATUS, "not_published", reading.nothing_yet)
    return BundleAnswer(
        success=True,
        data=data,
        cache_timestamp=reading.published_at,
        data_source=reading.source,
        message="some of what was asked for is missing; `errors` says why" if errors else None,
        errors=errors,
        **reading.age_fields(_age(reading, wanted, data)),
    )


def initializing_body(fields: AgeFields, *, message: str, now_ms: int) -> BundleAnswer:
    """The answer while nothing is published; its time is of the answer itself."""
    return BundleAnswer(
        success=True,
        data=BundleData(recommendations=[], support_levels={}, market_status=None),
        cache_timestamp=rfc3339(now_ms),
        data_source="database",
        message=message,
        errors={},
        **fields,
    )


def _age(reading: Reading, wanted: BundleRequest, data: BundleData) -> DataAge:
    """The worst age of what the bundle holds; of the generation when it holds nothing."""
    snapshot = reading.snapshot
    ages: list[DataAge] = []
    if wanted.include_recommendations:
        ages.append(ranking_age(snapshot, ALL))
    if data.support_levels:
        ages.append(snapshot.age_of_parts(PartKind.LEVELS, PartKind.PRICES))
    if wanted.include_market_status:
        ages.append(status_age(snapshot, ALL))
    return worst(*ages) if ages else snapshot.age()


def _recommendations(
    reading: Reading, wanted: BundleRequest, errors: dict[str, list[PartError]]
) -> list[RecommendationItem]:
    if not wanted.include_recommendations:
        return []
    ranking = reading.snapshot.recommendations
    if ranking is None:
        _note(errors, RECOMMENDATIONS, RECOMMENDATIONS, "not_published", reading.nothing_yet)
        return []
    selection = Selection(ranked_set=ALL, top_n=wanted.recommendations_count)
    return top_items(reading.snapshot, ranking, selection)


def _levels(
    reading: Reading, wanted: BundleRequest, errors: dict[str, list[PartError]]
) -> dict[str, SupportLevels]:
    found: dict[str, SupportLevels] = {}
    for symbol in dict.fromkeys(wanted.symbols) if wanted.include_support_levels else ():
        try:
            resolution = reading.snapshot.resolve(symbol, suggest=False)
            bands = bands_of(reading.snapshot, resolution)
        except RequestError as error:
            _note(errors, SUPPORT_LEVELS, symbol, error.code, str(error))
        else:
            found[symbol] = support_levels(reading.snapshot, bands, resolution.market.base)
    return found


def _note(
    errors: dict[str, list[PartError]], part: str, subject: str, code: str, detail: str
) -> None:
    errors.setdefault(part, []).append(PartError(subject=subject, code=code, detail=detail))
