"""A generation's parts, decoded and indexed by market, coin and ranked set."""

import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar, cast

import orjson
import zstandard

from dantaro.market.documents import TABLES, Columns, rows_of
from dantaro.market.results import (
    Bands,
    Exclusion,
    Level,
    MarketFeatures,
    MarketStatus,
    PartKind,
    Premium,
    Price,
    RankedSetSummary,
    Rating,
    Record,
    Score,
)
from dantaro.queries.track_record import TrackRecord

_RowT = TypeVar("_RowT")

_OF_FEATURES = ("ranks", "contributions")
ALL = "all"
"""The ranked set over every market, one reference market per coin."""


def market_key(exchange: str, symbol: str) -> str:
    """`upbit:BTC/KRW`, as `Market.key`."""
    return f"{exchange}:{symbol}"


def set_name(*, exchange: str | None, quote: str | None) -> str:
    """The ranked set of an exchange, a quote currency, both or neither."""
    if exchange is None:
        return ALL if quote is None else f"*:{quote}"
    return exchange if quote is None else f"{exchange}:{quote}"


class PackedTable(Generic[_RowT]):
    """A large table of which few rows are asked for: compressed JSON for each market, made into rows on
    demand, in some 50 microseconds.

    As objects, the rows of 400 markets' features, scores, ratings and levels take 22 MB, so packed 3.
    """

    def __init__(self, kind: PartKind, row_type: type[_RowT], columns: Columns) -> None:
        self._kind = kind
        self._table = next(name for name, known in TABLES[kind].items() if known is row_type)
        places: dict[str, list[int]] = {}
        for at, (exchange, symbol) in enumerate(_pairs(columns)):
            places.setdefault(market_key(exchange, symbol), []).append(at)
        compressor = zstandard.ZstdCompressor(level=1)
        self._packed = {
            key: _compressed(
                {name: [values[at] for at in its] for name, values in columns.items()}, compressor
            )
            for key, its in places.items()
        }

    @property
    def keys(self) -> Iterable[str]:
        """The keys of the markets that have rows."""
        return self._packed.keys()

    def rows(self, key: str) -> tuple[_RowT, ...]:
        """The rows of the market with this key, in the order of the document."""
        packed = self._packed.get(key)
        if packed is None:
            return ()
        columns = orjson.loads(zstandard.decompress(packed))
        return cast(tuple[_RowT, ...], rows_of(self._kind, self._table, columns))


@dataclass(frozen=True, slots=True)
class RankedSet:
    """One ranked set: its summary and its scores, best first, without what `Recommendations.details`
    holds.
    """

    summary: RankedSetSummary
    scores: tuple[Score, ...]


@dataclass(frozen=True, slots=True)
class Recommendations:
    """The part RECOMMENDATIONS. `places` maps a market's key to its score in each ranked set, without
    the figures of each feature; `details` has whole scores.
    """

    features: PackedTable[MarketFeatures]
    sets: Mapping[str, RankedSet]
    places: Mapping[str, Mapping[str, Score]]
    details: PackedTable[Score]


@dataclass(frozen=True, slots=True)
class Ratings:
    """The part RATINGS."""

    table: PackedTable[Rating]

    def of(self, key: str) -> Mapping[str, Rating]:
        """The ratings of a market, by timeframe."""
        return {row.timeframe: row for row in self.table.rows(key)}


@dataclass(frozen=True, slots=True)
class Levels:
    """The part LEVELS: the bands by market key, and the zones."""

    bands: Mapping[str, Bands]
    zones: PackedTable[Level]


@dataclass(frozen=True, slots=True)
class Statuses:
    """The part MARKET_STATUS by ranked set."""

    by_set: Mapping[str, MarketStatus]


@dataclass(frozen=True, slots=True)
class Exclusions:
    """The part EXCLUSIONS: all rows, in the order of the document."""

    rows: tuple[Exclusion, ...]


@dataclass(frozen=True, slots=True)
class Premiums:
    """The part PREMIUM: all rows, in the order of the document."""

    rows: tuple[Premium, ...]


@dataclass(frozen=True, slots=True)
class Prices:
    """The part PRICES by market key, and the time of each exchange's newest ticker."""

    by_market: Mapping[str, Price]
    newest_at_ms: Mapping[str, int]


Part: TypeAlias = (
    Recommendations | Ratings | Levels | Statuses | Exclusions | Premiums | Prices | TrackRecord
)


def index_part(kind: PartKind, columns: Mapping[str, Columns]) -> Part:
    """The tables of a part, given by their columns, indexed for reading.

    Raises:
        DocumentInvalid: a table cannot be read.
    """
    match kind:
        case PartKind.RECOMMENDATIONS:
            return _recommendations(columns)
        case PartKind.RATINGS:
            return Ratings(PackedTable(kind, Rating, columns["ratings"]))
        case PartKind.LEVELS:
            bands = _rows(kind, "bands", columns, Bands)
            return Levels(
                bands={market_key(row.exchange, row.symbol): row for row in bands},
                zones=PackedTable(kind, Level, columns["levels"]),
            )
        case PartKind.MARKET_STATUS:
            rows = _rows(kind, "status", columns, MarketStatus)
            return Statuses({row.ranked_set: row for row in rows})
        case PartKind.EXCLUSIONS:
            return Exclusions(_rows(kind, "exclusions", columns, Exclusion))
        case PartKind.PREMIUM:
            return Premiums(_rows(kind, "premium", columns, Premium))
        case PartKind.PRICES:
            prices = _rows(kind, "prices", columns, Price)
            newest: dict[str, int] = {}
            for price in (price for price in prices if price.source == "ticker"):
                newest[price.exchange] = max(price.at_ms, newest.get(price.exchange, 0))
            by_market = {market_key(row.exchange, row.symbol): row for row in prices}
            return Prices(by_market, newest)
        case PartKind.TRACK_RECORD:
            records = {name: _interned(column) for name, column in columns["records"].items()}
            return TrackRecord(_rows(kind, "records", {"records": records}, Record))


def _recommendations(columns: Mapping[str, Columns]) -> Recommendations:
    kind = PartKind.RECOMMENDATIONS
    scores: dict[str, list[Score]] = {}
    places: dict[str, dict[str, Score]] = {}
    light = {**columns, "scores": _light(columns["scores"])}
    for score in _rows(kind, "scores", light, Score):
        scores.setdefault(score.ranked_set, []).append(score)
        places.setdefault(market_key(score.exchange, score.symbol), {})[score.ranked_set] = score
    return Recommendations(
        features=PackedTable(kind, MarketFeatures, columns["features"]),
        sets={
            row.ranked_set: RankedSet(
                row, tuple(sorted(scores.get(row.ranked_set, ()), key=lambda score: score.rank))
            )
            for row in _rows(kind, "sets", columns, RankedSetSummary)
        },
        places=places,
        details=PackedTable(kind, Score, columns["scores"]),
    )


def _light(columns: Columns) -> Columns:
    """The columns of scores with what is told of each feature left empty: most of a row, rarely asked for."""
    empty: dict[str, float] = {}
    return {
        name: [empty] * len(column) if name in _OF_FEATURES else column
        for name, column in columns.items()
    }


def _interned(column: list[object]) -> list[object]:
    """The column with each word kept once, for the same few stand in hundreds of rows."""
    return [sys.intern(value) if isinstance(value, str) else value for value in column]


def _compressed(columns: Columns, compressor: zstandard.ZstdCompressor) -> bytes:
    # A copy, since what the compressor returns holds on to as much memory as it might have needed.
    return bytes(memoryview(compressor.compress(orjson.dumps(columns))))


def _rows(
    kind: PartKind, table: str, columns: Mapping[str, Columns], _row_type: type[_RowT]
) -> tuple[_RowT, ...]:
    return cast(tuple[_RowT, ...], rows_of(kind, table, columns[table]))


def _pairs(columns: Columns) -> Iterator[tuple[str, str]]:
    return zip(columns["exchange"], columns["symbol"], strict=True)
