"""Recommendations, support levels, the market's state, and bundles of them."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from dantaro.api.access import KEYED, KNOWN_PARAMETERS, ServingOf, key_with, problems
from dantaro.api.bodies import bundle, levels, market_status, recommendations, track_record
from dantaro.api.bodies.reading import Reading
from dantaro.api.parameters import (
    AsOfQuery,
    ExchangeQuery,
    Horizon,
    QuoteQuery,
    StrengthQuery,
    SymbolPath,
    UseCacheQuery,
    known_exchange,
    past_moment,
    ranked_set,
    strengths,
)
from dantaro.api.replies import Question, answer, initializing_fields
from dantaro.api.schemas.base import Aged
from dantaro.api.schemas.ranking import (
    BundleAnswer,
    BundleRequest,
    MarketStatusAnswer,
    RecommendationAnswer,
    RecommendationsAnswer,
    SupportLevelsAnswer,
)
from dantaro.api.schemas.track_record import TrackRecordAnswer
from dantaro.api.serving import Serving
from dantaro.errors import NotFound
from dantaro.storage.keys import Scope

router = APIRouter(
    prefix="/api/v1",
    tags=["analysis"],
    dependencies=[key_with(Scope.READ), KNOWN_PARAMETERS],
    responses=problems(*KEYED),
)
_BASE = "/api/v1"


@router.get("/recommendations", response_model=RecommendationsAnswer)
async def get_recommendations(
    *,
    request: Request,
    serving: ServingOf,
    top_n: Annotated[int, Query(ge=1, le=100, description="how many coins at most")] = 50,
    exchange: ExchangeQuery = None,
    quote: QuoteQuery = None,
    strength: StrengthQuery = None,
    min_turnover: Annotated[
        float | None, Query(ge=0, allow_inf_nan=False, description="of 24 h, in quote currency")
    ] = None,
    as_of: AsOfQuery = None,
    use_cache: UseCacheQuery = True,
) -> Response:
    """The best coins of a ranked set, best first."""
    selection = recommendations.Selection(
        ranked_set=ranked_set(serving.reader.catalogue, exchange, quote),
        top_n=top_n,
        strengths=strengths(strength),
        min_turnover=min_turnover,
    )

    def body(reading: Reading | None) -> Aged:
        if reading is None:
            return recommendations.initializing_body(
                initializing_fields(serving),
                selection,
                message=serving.nothing_yet,
                now_ms=serving.clock.now_ms(),
            )
        return recommendations.recommendations_body(reading, selection)

    question = Question(
        f"{_BASE}/recommendations",
        (selection,),
        recommendations.PARTS,
        as_of_ms=past_moment(serving, as_of),
        use_cache=use_cache,
        hot=True,
        priced=True,
    )
    return await answer(request, serving, question, body)


@router.get(
    "/recommendations/{symbol:path}", response_model=RecommendationAnswer, responses=problems(404)
)
async def get_recommendation(
    *,
    request: Request,
    serving: ServingOf,
    symbol: SymbolPath,
    exchange: ExchangeQuery = None,
    as_of: AsOfQuery = None,
) -> Response:
    """One coin with every feature, rank, weight and vote behind it."""
    wanted = known_exchange(serving.reader.catalogue, exchange)

    def body(reading: Reading | None) -> Aged:
        found = _published(serving, reading)
        resolution = found.snapshot.resolve(symbol, exchange=wanted)
        return recommendations.recommendation_body(found, resolution)

    question = Question(
        f"{_BASE}/recommendations/{{symbol}}",
        (symbol, wanted),
        recommendations.DETAIL_PARTS,
        as_of_ms=past_moment(serving, as_of),
        priced=True,
    )
    return await answer(request, serving, question, body)


@router.get(
    "/support-levels/{symbol:path}", response_model=SupportLevelsAnswer, responses=problems(404)
)
async def get_support_levels(
    *,
    request: Request,
    serving: ServingOf,
    symbol: SymbolPath,
    exchange: ExchangeQuery = None,
    as_of: AsOfQuery = None,
    use_cache: UseCacheQuery = True,
) -> Response:
    """Support and resistance of one market: three bands on each side, and the zones behind them."""
    wanted = known_exchange(serving.reader.catalogue, exchange)

    def body(reading: Reading | None) -> Aged:
        found = _published(serving, reading)
        resolution = found.snapshot.resolve(symbol, exchange=wanted)
        return levels.levels_body(found, resolution)

    question = Question(
        f"{_BASE}/support-levels/{{symbol}}",
        (symbol, wanted),
        levels.PARTS,
        as_of_ms=past_moment(serving, as_of),
        use_cache=use_cache,
        hot=True,
        priced=True,
    )
    return await answer(request, serving, question, body)


@router.get("/market-status", response_model=MarketStatusAnswer)
async def get_market_status(
    *,
    request: Request,
    serving: ServingOf,
    exchange: ExchangeQuery = None,
    quote: QuoteQuery = None,
    as_of: AsOfQuery = None,
    use_cache: UseCacheQuery = True,
) -> Response:
    """Trend, sentiment, breadth, volatility and turnover of a ranked set."""
    name = ranked_set(serving.reader.catalogue, exchange, quote)

    def body(reading: Reading | None) -> Aged:
        if reading is None:
            return market_status.initializing_body(
                initializing_fields(serving),
                name,
                fleet=serving.fleet,
                detached=serving.note is not None,
                now_ms=serving.clock.now_ms(),
            )
        return market_status.status_body(reading, name, fleet=serving.fleet)

    question = Question(
        f"{_BASE}/market-status",
        (name,),
        market_status.PARTS,
        as_of_ms=past_moment(serving, as_of),
        use_cache=use_cache,
        hot=True,
    )
    return await answer(request, serving, question, body)


@router.get("/track-record", response_model=TrackRecordAnswer, responses=problems(404))
async def get_track_record(
    *,
    request: Request,
    serving: ServingOf,
    horizon: Annotated[
        Horizon | None, Query(description="only outcomes after so many days", examples=[7])
    ] = None,
    tier: Annotated[
        track_record.Tier | None,
        Query(description="only the ranking within this tier of liquidity"),
    ] = None,
    source: Annotated[
        track_record.MeasuredSource | None,
        Query(description="only the record of publications, or only that of recorded candles"),
    ] = None,
    subject: Annotated[
        track_record.Subject | None, Query(description="only recommendations, or only levels")
    ] = None,
    exchange: ExchangeQuery = None,
    quote: QuoteQuery = None,
    as_of: AsOfQuery = None,
) -> Response:
    """How good recommendations and levels have proven to be, live and on recorded candles apart.

    `exchange` and `quote` choose the ranked set of the live record.
    """
    filters = track_record.Filters(
        ranked_set=ranked_set(serving.reader.catalogue, exchange, quote),
        horizon_days=None if horizon is None else int(horizon),
        tier=tier,
        source=source,
        subject=subject,
    )

    def body(reading: Reading | None) -> Aged:
        if reading is None:
            return track_record.initializing_body(
                initializing_fields(serving),
                filters,
                message=serving.nothing_yet,
                now_ms=serving.clock.now_ms(),
            )
        return track_record.track_record_body(reading, filters)

    question = Question(
        f"{_BASE}/track-record",
        (filters,),
        track_record.PARTS,
        as_of_ms=past_moment(serving, as_of),
    )
    return await answer(request, serving, question, body)


@router.post("/bundle", response_model=BundleAnswer)
async def post_bundle(*, request: Request, serving: ServingOf, wanted: BundleRequest) -> Response:
    """Recommendations, levels of several symbols and the market's state, from one generation."""

    def body(reading: Reading | None) -> Aged:
        if reading is None:
            return bundle.initializing_body(
                initializing_fields(serving),
                message=serving.nothing_yet,
                now_ms=serving.clock.now_ms(),
            )
        return bundle.bundle_body(reading, wanted)

    question = Question(f"{_BASE}/bundle", (wanted.model_dump_json(),), bundle.PARTS, priced=True)
    return await answer(request, serving, question, body)


def _published(serving: Serving, reading: Reading | None) -> Reading:
    if reading is None:
        raise NotFound(serving.nothing_yet)
    return reading
