"""What the routes accept: declared once, read into plain values."""

from enum import IntEnum
from typing import Annotated

from fastapi import Path, Query

from dantaro.api.serving import Serving
from dantaro.api.times import parse_time
from dantaro.errors import InvalidRequest
from dantaro.market.results import Strength
from dantaro.queries.parts import set_name
from dantaro.queries.symbols import Catalogue, nearest_words

SymbolPath = Annotated[
    str,
    Path(
        description="a coin (BTC), a market (BTC/USDT, BTC-USDT, BTC_USDT), the exchange's own name "
        "(KRW-BTC), or upbit:BTC/KRW; upper or lower case",
        examples=["BTC"],
    ),
]
ExchangeQuery = Annotated[
    str | None, Query(description="only this exchange", examples=["upbit"], max_length=32)
]
QuoteQuery = Annotated[
    str | None, Query(description="only this quote currency", examples=["KRW"], max_length=32)
]
AsOfQuery = Annotated[
    str | None,
    Query(
        description="answer as at this time: 2026-01-01T00:00:00Z",
        examples=["2026-01-01T00:00:00Z"],
        max_length=64,
    ),
]
UseCacheQuery = Annotated[
    bool, Query(description="false asks the database first whether there is something newer")
]
StrengthQuery = Annotated[
    str | None,
    Query(
        description="only these strengths, separated by commas", examples=["BUY"], max_length=100
    ),
]


class Horizon(IntEnum):
    """The horizons that outcomes are measured at, in days."""

    DAY = 1
    THREE_DAYS = 3
    WEEK = 7


StartQuery = Annotated[str | None, Query(description="from this time on, inclusive", max_length=64)]
EndQuery = Annotated[str | None, Query(description="up to this time, exclusive", max_length=64)]


def past_moment(serving: Serving, text: str | None) -> int | None:
    """`as_of` in milliseconds; None for now, which the future counts as too.

    Raises:
        InvalidRequest: it cannot be read.
    """
    at_ms = parse_time("as_of", text)
    return None if at_ms is None or at_ms >= serving.clock.now_ms() else at_ms


def interval(start: str | None, end: str | None) -> tuple[int | None, int | None]:
    """`start` and `end` in milliseconds.

    Raises:
        InvalidRequest: one cannot be read, or the end is not after the start.
    """
    start_ms, end_ms = parse_time("start", start), parse_time("end", end)
    if start_ms is not None and end_ms is not None and end_ms <= start_ms:
        raise InvalidRequest("end: it must be after start")
    return start_ms, end_ms


def strengths(text: str | None) -> tuple[Strength, ...]:
    """The strengths named in a comma-separated list, in the order of their declaration.

    Raises:
        InvalidRequest: one is unknown.
    """
    named = {word.strip().upper() for word in (text or "").split(",") if word.strip()}
    unknown = sorted(named - set(Strength))
    if unknown:
        raise InvalidRequest(f"strength: {unknown[0][:32]!r} is none of {', '.join(Strength)}")
    return tuple(strength for strength in Strength if strength in named)


def known_exchange(catalogue: Catalogue, exchange: str | None) -> str | None:
    """`exchange` as it is written in keys.

    Raises:
        InvalidRequest: no market of it is known.
    """
    word = None if exchange is None else exchange.strip().lower()
    return _known("exchange", word, catalogue.exchanges)


def known_quote(catalogue: Catalogue, quote: str | None) -> str | None:
    """`quote` as it is written in symbols.

    Raises:
        InvalidRequest: no market of it is known.
    """
    return _known("quote", None if quote is None else quote.strip().upper(), catalogue.quotes)


def ranked_set(catalogue: Catalogue, exchange: str | None, quote: str | None) -> str:
    """The name of the ranked set that `exchange` and `quote` select.

    Raises:
        InvalidRequest: one of them is unknown.
    """
    return set_name(
        exchange=known_exchange(catalogue, exchange), quote=known_quote(catalogue, quote)
    )


def _known(name: str, word: str | None, known: tuple[str, ...]) -> str | None:
    # Before the first market list nothing is known, and nothing can be called wrong.
    if word is None or word in known or not known:
        return word
    nearest = nearest_words(word, known)
    hint = f"did you mean {', '.join(nearest)}? " if nearest else ""
    raise InvalidRequest(
        f"{name}: {word[:32]!r} is not collected here; {hint}known: {', '.join(known[:20])}"
    )
