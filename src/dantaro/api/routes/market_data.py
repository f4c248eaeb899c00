"""Ratings, exclusions, the KRW premium, the catalogue, candles and past generations."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from dantaro.api import candle_files
from dantaro.api.access import KEYED, KNOWN_PARAMETERS, ServingOf, key_with, problems
from dantaro.api.answers import etag_of_bytes
from dantaro.api.bodies import market_data as bodies
from dantaro.api.bodies.reading import AgeFields, Reading, moment_fields
from dantaro.api.encoding import NOT_KEPT, Encoded
from dantaro.api.parameters import (
    AsOfQuery,
    EndQuery,
    ExchangeQuery,
    QuoteQuery,
    StartQuery,
    SymbolPath,
    interval,
    known_exchange,
    known_quote,
    past_moment,
)
from dantaro.api.replies import (
    Question,
    answer,
    answer_with_history,
    initializing_fields,
    plain,
    respond,
)
from dantaro.api.schemas.base import Aged
from dantaro.api.schemas.market_data import (
    CandlesAnswer,
    CoinsAnswer,
    ExclusionsAnswer,
    GenerationsAnswer,
    MarketsAnswer,
    PremiumAnswer,
    RatingAnswer,
)
from dantaro.api.serving import Serving
from dantaro.errors import ConfigurationError, InvalidRequest, NotFound
from dantaro.market.results import PartKind
from dantaro.market.timeframes import Timeframe, parse_timeframe
from dantaro.queries import DataAge, Resolution
from dantaro.queries.history import premium_history, rating_history
from dantaro.queries.stored import market_overview, stored_candles
from dantaro.storage.generations import list_generations
from dantaro.storage.keys import Scope

router = APIRouter(
    prefix="/api/v1",
    tags=["market data"],
    dependencies=[key_with(Scope.READ), KNOWN_PARAMETERS],
    responses=problems(*KEYED),
)
_BASE = "/api/v1"
_RESOLVING = (PartKind.RECOMMENDATIONS, PartKind.PRICES, PartKind.PREMIUM)
MAX_CANDLES = 5000
MAX_GENERATIONS = 200
MAX_HISTORY = 168
_LATEST_MS = 2**53

HistoryQuery = Annotated[
    int, Query(ge=0, le=MAX_HISTORY, description="how many past publications to look at")
]


@router.get("/rating/{symbol:path}", response_model=RatingAnswer, responses=problems(404))
async def get_rating(
    *,
    request: Request,
    serving: ServingOf,
    symbol: SymbolPath,
    timeframe: Annotated[
        str | None, Query(max_length=8, description="only this one: `1h`, `1d`", examples=["1h"])
    ] = None,
    exchange: ExchangeQuery = None,
    history: HistoryQuery = 24,
) -> Response:
    """The technical rating with its 26 votes, and how it came to be."""
    wanted = known_exchange(serving.reader.catalogue, exchange)
    if timeframe is not None:
        timeframe = _timeframe(timeframe).name

    def body(reading: Reading) -> Aged:
        resolution = reading.snapshot.resolve(symbol, exchange=wanted)
        ratings = bodies.ratings_of(reading.snapshot, resolution.market, timeframe)
        past = rating_history(
            serving.reader.store(),
            resolution.market,
            tuple(ratings),
            until_ms=reading.snapshot.manifest.published_at_ms,
            limit=history,
        )
        return bodies.rating_body(reading, resolution, timeframe, past)

    question = Question(
        f"{_BASE}/rating/{{symbol}}",
        (symbol, wanted, timeframe, history),
        (PartKind.RATINGS, *_RESOLVING),
    )
    return await answer_with_history(request, serving, question, body)


@router.get("/exclusions", response_model=ExclusionsAnswer, responses=problems(404))
async def get_exclusions(
    *, request: Request, serving: ServingOf, exchange: ExchangeQuery = None, as_of: AsOfQuery = None
) -> Response:
    """Every market that is not ranked, with the reasons and the figures behind them."""
    wanted = known_exchange(serving.reader.catalogue, exchange)

    def body(reading: Reading | None) -> Aged:
        if reading is None:
            return bodies.no_exclusions(
                initializing_fields(serving),
                message=serving.nothing_yet,
                now_ms=serving.clock.now_ms(),
            )
        return bodies.exclusions_body(reading, wanted)

    question = Question(
        f"{_BASE}/exclusions",
        (wanted,),
        (PartKind.EXCLUSIONS,),
        as_of_ms=past_moment(serving, as_of),
    )
    return await answer(request, serving, question, body)


@router.get("/premium", response_model=PremiumAnswer, responses=problems(404))
async def get_premium(
    *,
    request: Request,
    serving: ServingOf,
    coin: Annotated[
        str | None,
        Query(max_length=32, description="only this coin, or `INDEX`", examples=["BTC"]),
    ] = None,
    history: HistoryQuery = 24,
) -> Response:
    """What coins cost in KRW over what they cost in USDT, at the exchange's own rate."""
    wanted = None if coin is None else coin.strip().upper()

    def body(reading: Reading) -> Aged:
        past = premium_history(
            serving.reader.store(),
            wanted or bodies.INDEX,
            until_ms=reading.snapshot.manifest.published_at_ms,
            limit=history,
        )
        return bodies.premium_body(reading, wanted, past)

    def nothing() -> Aged:
        return bodies.no_premium(
            initializing_fields(serving),
            message=serving.nothing_yet,
            now_ms=serving.clock.now_ms(),
        )

    parts = (PartKind.PREMIUM, PartKind.MARKET_STATUS)
    question = Question(f"{_BASE}/premium", (wanted, history), parts)
    return await answer_with_history(request, serving, question, body, nothing)


@router.get("/markets", response_model=MarketsAnswer)
async def get_markets(
    *,
    request: Request,
    serving: ServingOf,
    exchange: ExchangeQuery = None,
    quote: QuoteQuery = None,
) -> Response:
    """The catalogue: what is stored of each market, its gaps, and the exchange's notices."""
    catalogue = serving.reader.catalogue
    overview = await serving.read(
        lambda: market_overview(
            serving.reader.store(),
            exchange=known_exchange(catalogue, exchange),
            quote=known_quote(catalogue, quote),
        )
    )
    body = bodies.markets_body(overview, serving.view, _fields(serving), message=_empty(serving))
    return plain(request, serving, f"{_BASE}/markets", body, tagged=True)


@router.get("/coins", response_model=CoinsAnswer)
async def get_coins(
    *,
    request: Request,
    serving: ServingOf,
    exchange: ExchangeQuery = None,
    quote: QuoteQuery = None,
) -> Response:
    """The coins of the catalogue, each with its markets and the one that it is ranked by."""
    catalogue = serving.reader.catalogue
    wanted = known_exchange(catalogue, exchange), known_quote(catalogue, quote)
    markets = [
        market
        for market in catalogue.markets
        if wanted[0] in (None, market.exchange) and wanted[1] in (None, market.quote)
    ]
    body = bodies.coins_body(markets, serving.view, _fields(serving), message=_empty(serving))
    return plain(request, serving, f"{_BASE}/coins", body, tagged=True)


@router.get(
    "/candles/{symbol:path}",
    response_model=CandlesAnswer,
    responses={**problems(404), 200: {"content": candle_files.CONTENT}},
)
async def get_candles(
    *,
    request: Request,
    serving: ServingOf,
    symbol: SymbolPath,
    exchange: ExchangeQuery = None,
    timeframe: Annotated[
        str, Query(max_length=8, description="how long a candle is", examples=["1h"])
    ] = "1h",
    start: StartQuery = None,
    end: EndQuery = None,
    limit: Annotated[
        int, Query(ge=1, le=MAX_CANDLES, description="how many candles at most")
    ] = 500,
    file_format: Annotated[
        Literal["json", "csv", "arrow"], Query(alias="format", description="of the answer")
    ] = "json",
) -> Response:
    """Stored closed candles, ascending; without `start` the newest."""
    frame = _timeframe(timeframe)
    start_ms, end_ms = interval(start, end)
    resolution = _resolve(serving, symbol, known_exchange(serving.reader.catalogue, exchange))
    span = await serving.read(
        lambda: stored_candles(
            serving.reader.store(),
            resolution.market,
            frame,
            start_ms=start_ms,
            end_ms=end_ms,
            limit=limit,
        )
    )
    # asked again at each close; after two missed ones something is wrong
    age = DataAge(span.asked_until_ms, span.asked_until_ms + 2 * frame.milliseconds)
    fields = _fields(serving, age)
    route = f"{_BASE}/candles/{{symbol}}"
    if file_format == "json":
        body = bodies.candles_body(span, frame.name, resolution, fields)
        return plain(request, serving, route, body, tagged=True)
    write = candle_files.to_csv if file_format == "csv" else candle_files.to_arrow
    content = await serving.read(lambda: write(span.candles, resolution.market.key, fields))
    media_type = candle_files.MEDIA_TYPES[file_format].encode()
    age_headers = candle_files.age_headers(fields)
    etag = etag_of_bytes(content, age_headers)
    encoded = Encoded(
        route, content, etag, NOT_KEPT, data_as_of_ms=age.data_as_of_ms, content_type=media_type
    )
    response = respond(request, serving, encoded)
    response.headers.update(age_headers)
    return response


@router.get("/generations", response_model=GenerationsAnswer)
async def get_generations(
    *,
    request: Request,
    serving: ServingOf,
    start: StartQuery = None,
    end: EndQuery = None,
    limit: Annotated[int, Query(ge=1, le=MAX_GENERATIONS, description="how many at most")] = 50,
) -> Response:
    """What was published when, from what, and by which code; newest first."""
    start_ms, end_ms = interval(start, end)
    manifests = await serving.read(
        lambda: list_generations(
            serving.reader.store(),
            start_ms=start_ms or 0,
            end_ms=_LATEST_MS if end_ms is None else end_ms,
            limit=limit + 1,
        )
    )
    body = bodies.generations_body(manifests, _fields(serving), limit=limit)
    return plain(request, serving, f"{_BASE}/generations", body, tagged=True)


def _fields(serving: Serving, age: DataAge | None = None) -> AgeFields:
    return moment_fields(
        serving.view,
        age,
        origin=serving.reader.origin,
        note=serving.data_note,
        now_ms=serving.clock.now_ms(),
    )


def _empty(serving: Serving) -> str | None:
    return None if serving.reader.catalogue.markets else serving.no_market_list


def _resolve(serving: Serving, symbol: str, exchange: str | None) -> Resolution:
    if serving.view is not None:
        return serving.view.resolve(symbol, exchange=exchange)
    if not serving.reader.catalogue.markets:
        raise NotFound(serving.no_market_list)
    return serving.reader.catalogue.resolve(
        symbol, exchange=exchange, preference=lambda market: (not market.listed, market.key)
    )


def _timeframe(name: str) -> Timeframe:
    try:
        return parse_timeframe(name)
    except ConfigurationError as error:
        raise InvalidRequest(str(error)) from error
