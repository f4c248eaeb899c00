"""How a rating or a premium came to be what it is: the same row through past generations.

A part holds all markets; only the columns of the wanted rows are turned into objects.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

import orjson
import zstandard

from dantaro.errors import DocumentInvalid, NotFound
from dantaro.market.documents import TABLES
from dantaro.market.markets import Market
from dantaro.market.results import PartKind, Premium, Rating, RatingLabel
from dantaro.storage.engine import Store
from dantaro.storage.generations import PartRef, part_history, read_part

Row = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class PastRating:
    """A rating as it was published at `published_at_ms`."""

    published_at_ms: int
    row: Rating


@dataclass(frozen=True, slots=True)
class PastPremium:
    """A premium as it was published at `published_at_ms`."""

    published_at_ms: int
    row: Premium


def rating_history(
    store: Store, market: Market, timeframes: tuple[str, ...], *, until_ms: int, limit: int
) -> Mapping[str, tuple[PastRating, ...]]:
    """Up to `limit` published ratings of one market, by timeframe, newest first.

    Raises:
        StorageUnavailable: the database is away.
        DocumentInvalid: a stored part is torn.
    """
    wanted = {"exchange": market.exchange, "symbol": market.symbol}
    found: dict[str, list[PastRating]] = {name: [] for name in timeframes}
    for at_ms, columns in _past(store, PartKind.RATINGS, until_ms, limit):
        for row in _rows(columns, wanted):
            rating = _rating(row)
            if rating.timeframe in found:
                found[rating.timeframe].append(PastRating(at_ms, rating))
    return {name: _distinct(points) for name, points in found.items()}


def premium_history(
    store: Store, coin: str, *, until_ms: int, limit: int
) -> tuple[PastPremium, ...]:
    """The published premiums of one coin on every exchange in the newest `limit` parts, newest first.

    Raises:
        StorageUnavailable: the database is away.
        DocumentInvalid: a stored part is torn.
    """
    past = _past(store, PartKind.PREMIUM, until_ms, limit)
    return tuple(
        PastPremium(at_ms, Premium(**row))  # type: ignore[arg-type]  # columns of that very type
        for at_ms, columns in past
        for row in _rows(columns, {"coin": coin})
    )


def _past(
    store: Store, kind: PartKind, until_ms: int, limit: int
) -> Iterator[tuple[int, Mapping[str, list[object]]]]:
    history = part_history(store, kind, start_ms=0, end_ms=until_ms + 1, limit=limit)
    table = next(iter(TABLES[kind]))
    for at_ms, ref in history:
        try:
            yield at_ms, _columns(store, ref, table)
        except NotFound:  # its retention ended between the two reads
            return


def _columns(store: Store, ref: PartRef, table: str) -> Mapping[str, list[object]]:
    body = read_part(store, ref.id).body
    try:
        tables = orjson.loads(zstandard.ZstdDecompressor().decompress(body))
        columns: Mapping[str, list[object]] = tables[table]
    except (zstandard.ZstdError, orjson.JSONDecodeError, KeyError) as error:
        raise DocumentInvalid(f"part {ref.id} cannot be read: {error}") from error
    return columns


def _rows(columns: Mapping[str, list[object]], wanted: Mapping[str, str]) -> Iterator[Row]:
    """The rows whose columns hold the `wanted` values."""
    name, value = next(iter(wanted.items()))
    for at, given in enumerate(columns[name]):
        if given == value and all(columns[other][at] == wanted[other] for other in wanted):
            yield {column: values[at] for column, values in columns.items()}


def _rating(row: Row) -> Rating:
    label = row["label"]
    fields = dict(row) | {"label": None if label is None else RatingLabel(str(label))}
    return Rating(**fields)  # type: ignore[arg-type]  # columns of that very type


def _distinct(points: list[PastRating]) -> tuple[PastRating, ...]:
    """Without those that only repeat the older rating before them: one for each closed candle."""
    kept = [
        newer
        for newer, older in pairwise(points)
        if newer.row.data_as_of_ms != older.row.data_as_of_ms
    ]
    return (*kept, *points[-1:])
