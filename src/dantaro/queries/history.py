"""How a rating or a premium came to be what it is: the same row through past generations.

A part holds all markets; only the columns of the wanted rows are turned into objects.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

from dantaro.errors import NotFound
from dantaro.market.documents import TABLES, Columns, decode_columns, rows_of
from dantaro.market.markets import Market
from dantaro.market.results import PartKind, Premium, Rating
from dantaro.storage.engine import Store
from dantaro.storage.generations import part_history, read_part


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
    for at_ms, row in _past(store, PartKind.RATINGS, wanted, until_ms, limit):
        if isinstance(row, Rating) and row.timeframe in found:
            found[row.timeframe].append(PastRating(at_ms, row))
    return {name: _distinct(points) for name, points in found.items()}


def premium_history(
    store: Store, coin: str, *, until_ms: int, limit: int
) -> tuple[PastPremium, ...]:
    """The published premiums of one coin on every exchange in the newest `limit` parts, newest first.

    Raises:
        StorageUnavailable: the database is away.
        DocumentInvalid: a stored part is torn.
    """
    past = _past(store, PartKind.PREMIUM, {"coin": coin}, until_ms, limit)
    return tuple(PastPremium(at_ms, row) for at_ms, row in past if isinstance(row, Premium))


def _past(
    store: Store, kind: PartKind, wanted: Mapping[str, str], until_ms: int, limit: int
) -> Iterator[tuple[int, object]]:
    """The rows whose columns hold the `wanted` values, with the times of their publication."""
    history = part_history(store, kind, start_ms=0, end_ms=until_ms + 1, limit=limit)
    table = next(iter(TABLES[kind]))
    for at_ms, ref in history:
        try:
            encoded = read_part(store, ref.id)
        except NotFound:  # its retention ended between the two reads
            return
        columns = decode_columns(kind, encoded.schema_version, encoded.body)[table]
        for row in rows_of(kind, table, _only(columns, wanted)):
            yield at_ms, row


def _only(columns: Columns, wanted: Mapping[str, str]) -> Columns:
    """The columns, cut down to the rows that hold the `wanted` values."""
    held = zip(*(columns[name] for name in wanted), strict=True)
    values = tuple(wanted.values())
    places = [at for at, found in enumerate(held) if found == values]
    return {name: [column[at] for at in places] for name, column in columns.items()}


def _distinct(points: list[PastRating]) -> tuple[PastRating, ...]:
    """Without those that only repeat the older rating before them: one for each closed candle."""
    kept = [
        newer
        for newer, older in pairwise(points)
        if newer.row.data_as_of_ms != older.row.data_as_of_ms
    ]
    return (*kept, *points[-1:])
