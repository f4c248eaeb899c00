"""Pure parsing of what exchanges send, that loses nothing: what cannot be read stays in sight.

ccxt's parsers turn an unreadable figure into None and leave a row out without a word. Here a row
that is not one stays a row, so that validation counts it and says why.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeGuard, TypeVar

import orjson

from dantaro.errors import VenueAnswerInvalid
from dantaro.market.timeframes import Timeframe
from dantaro.venues.errors import shorten

MAX_ROWS = 5_000  # five times the largest page that any exchange sends

Row = tuple[object, ...]
_T = TypeVar("_T")

_DECIMAL = re.compile(r"-?[0-9]+(\.[0-9]*)?([eE][+-]?[0-9]+)?")
_DIGITS = re.compile(r"[0-9]{1,18}")


def figure(value: object) -> object:
    """A price or volume: a decimal text becomes the nearest binary64, anything else stays as it is."""
    if isinstance(value, str) and len(value) <= 400 and _DECIMAL.fullmatch(value):
        return float(value)
    return _scalar(value)


def milliseconds(value: object) -> object:
    """A time in milliseconds: digits in a text become an int, anything else stays as it is."""
    return int(value) if isinstance(value, str) and _DIGITS.fullmatch(value) else _scalar(value)


def seconds_to_milliseconds(value: object) -> object:
    """A time in seconds as milliseconds, unless it is not a whole number of seconds."""
    whole = milliseconds(value)
    return whole * 1000 if isinstance(whole, int) and not isinstance(whole, bool) else whole


def iso_to_milliseconds(value: object) -> object:
    """An ISO 8601 time (UTC unless it says otherwise) as milliseconds, else what was sent."""
    if not isinstance(value, str):
        return _scalar(value)
    try:
        at = datetime.fromisoformat(value)
    except ValueError:
        return _scalar(value)
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return round(at.timestamp() * 1000)


def list_row(raw: object, order: Sequence[int], time: Any = milliseconds) -> Row:
    """A candle sent as a list; `order` says where time, open, high, low, close and volume stand.

    A list that is too short, or no list, becomes a row of one text, which validation rejects.
    """
    if not isinstance(raw, list) or len(raw) <= max(order):
        return (_text(raw),)
    at, *figures = (raw[index] for index in order)
    return (time(at), *map(figure, figures))


def object_row(raw: object, names: Sequence[str], time: Any = milliseconds) -> Row:
    """A candle sent as an object; `names` of time, open, high, low, close, volume. Missing: None."""
    if not isinstance(raw, dict):
        return (_text(raw),)
    at, *figures = (raw.get(name) for name in names)
    return (time(at), *map(figure, figures))


def rows_of(exchange: str, content: object, *path: str) -> list[Any]:
    """The list found in `content` under `path`.

    Raises:
        VenueAnswerInvalid: there is no list there, or one longer than any page may be.
    """
    found = content
    for name in path:
        found = found.get(name) if isinstance(found, Mapping) else None
    if not isinstance(found, list):
        place = ".".join(path) or "the answer"
        raise VenueAnswerInvalid(f"{exchange}: {place} is no list: {shorten(_text(content), 120)}")
    return found


def require_page(exchange: str, rows: Sequence[object]) -> None:
    """Refuse a page that is far longer than was asked for.

    Raises:
        VenueAnswerInvalid: more than `MAX_ROWS` rows.
    """
    if len(rows) > MAX_ROWS:
        raise VenueAnswerInvalid(
            f"{exchange}: {len(rows):,} candles in one page, more than {MAX_ROWS:,}"
        )


def without_other_pages(
    rows: Sequence[Row], timeframe: Timeframe, start_ms: int, end_ms: int, *, now_ms: int
) -> list[Row]:
    """Leave out sound times outside of [start_ms, end_ms): those candles belong to other pages.

    An exchange that is asked for the 200 candles before a time reaches back beyond the window when
    the market was quiet. A time that is misaligned or in the future is kept: it is a fault to count.
    """
    return [
        row
        for row in rows
        if not _is_sound_time(row[0], timeframe, now_ms) or start_ms <= row[0] < end_ms
    ]


def present(values: Iterable[_T | None]) -> list[_T]:
    """Those of `values` that are not None."""
    return [value for value in values if value is not None]


def positive(value: object) -> float | None:
    """A finite number above zero, or None."""
    number = finite(value)
    return number if number is not None and number > 0 else None


def not_negative(value: object) -> float | None:
    """A finite number of at least zero, or None."""
    number = finite(value)
    return number if number is not None and number >= 0 else None


def finite(value: object) -> float | None:
    """A finite number, sent as one or as decimal text, or None."""
    number = figure(value)
    if isinstance(number, bool) or not isinstance(number, int | float):
        return None
    return float(number) if abs(number) < 1e300 else None  # NaN compares false


def change(price: float, earlier: object) -> float | None:
    """The change from `earlier` to `price` as a fraction, None without an earlier price."""
    before = positive(earlier)
    return None if before is None else finite(price / before - 1)


def whole_milliseconds(values: Iterable[object]) -> int | None:
    """The first of `values` that is a plausible time in milliseconds."""
    for value in values:
        at = milliseconds(value)
        if isinstance(at, int) and not isinstance(at, bool) and 0 < at < 1 << 53:
            return at
    return None


def _is_sound_time(at: object, timeframe: Timeframe, now_ms: int) -> TypeGuard[int]:
    if not isinstance(at, int) or isinstance(at, bool):
        return False
    return timeframe.is_aligned(at) and at <= now_ms


def holds_an_empty_list(content: object, depth: int = 4) -> bool:
    """Whether an answer is, or carries within `depth` objects, a list without entries."""
    if isinstance(content, dict) and depth:
        return any(holds_an_empty_list(value, depth - 1) for value in content.values())
    return content == []


def _scalar(value: object) -> object:
    """`value` if it is a number, None or a short text; else a short text that shows it."""
    if value is None or isinstance(value, bool | int | float):
        return value
    return _text(value)


def _text(value: object) -> str:
    if isinstance(value, str):
        return shorten(value)
    try:
        return shorten(orjson.dumps(value)[:800].decode("utf-8", errors="replace"))
    except orjson.JSONEncodeError:  # nested more deeply than orjson writes
        return f"{type(value).__name__}, deeply nested"
