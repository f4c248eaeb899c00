"""What became of a frozen part after one horizon, market by market and level by level: the audit trail.

An outcome document is packed like a part of a generation (`documents.pack_tables`) and is written once.
A market is named by (`exchange`, `symbol`); times are UTC milliseconds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import cast

from dantaro.market.documents import pack_tables, unpack_tables
from dantaro.market.results import Strength

HORIZONS_DAYS = (1, 3, 7)
"""How long after its publication something is looked at again."""


class Ended(StrEnum):
    """How a market's outcome came to its exit price, or why it has none."""

    HORIZON = "horizon"  # the candle that closes at the horizon
    QUIET = "quiet"  # nothing was traded in that candle: the last price before it
    DELISTED = "delisted"  # the exchange no longer lists it: the last price it had
    PRICE_ANOMALY = "price_anomaly"  # what follows is another thing's price: the last one before it
    NO_ENTRY = "no_entry"  # nothing was traded soon enough after the publication
    NOT_COLLECTED = "not_collected"  # its candles were not collected within the patience


@dataclass(frozen=True, slots=True)
class MarketOutcome:
    """Table `markets` of an outcome: what a buyer at the next open after the publication would have got.

    `entry_at_ms` is the opening time of the candle bought at, `exit_at_ms` the closing time of the one
    sold at, `result` the return between them as a fraction; None where there was no entry (`ended`
    says why). `timeframe` and `revision` name the candles that were used, as `Coverage.revision` counts.
    """

    exchange: str
    symbol: str
    timeframe: str | None
    revision: int | None
    entry_at_ms: int | None
    entry: float | None
    exit_at_ms: int | None
    exit: float | None
    result: float | None
    ended: Ended


@dataclass(frozen=True, slots=True)
class Standing:
    """Table `standings` of an outcome: where a market stood in a ranked set when it was published.

    `tier` is the third of the set by thirty-day turnover: `high`, `middle`, `low`.
    """

    ranked_set: str
    exchange: str
    symbol: str
    rank: int
    total: float
    strength: Strength
    tier: str


class LevelState(StrEnum):
    """What became of a level within the horizon, and before it expired."""

    NOT_TOUCHED = "not_touched"
    HELD = "held"
    BROKE = "broke"
    UNRESOLVED = "unresolved"
    INSIDE = "inside"  # the price was in the zone, or beyond it, when watching began
    NOT_COLLECTED = "not_collected"


@dataclass(frozen=True, slots=True)
class LevelOutcome:
    """Table `levels` of an outcome: one row for each row of the part's table `levels`, in its order, and
    beside it the line that stands for chance, which has the level's market, side and width.

    `touched_at_ms` and `resolved_at_ms` are opening times of candles. `counted` tells whether the touch
    entered the record. The placebo's zone is kept where it was touched; the others follow from the
    part's hash.
    """

    state: LevelState
    touched_at_ms: int | None = None
    resolved_at_ms: int | None = None
    counted: bool = False
    placebo_state: LevelState = LevelState.NOT_COLLECTED
    placebo_low: float | None = None
    placebo_high: float | None = None
    placebo_touched_at_ms: int | None = None
    placebo_resolved_at_ms: int | None = None
    placebo_counted: bool = False


@dataclass(frozen=True, slots=True)
class CandlesUsed:
    """Table `candles` of an outcome of levels: by which candles each market was watched."""

    exchange: str
    symbol: str
    timeframe: str | None
    revision: int | None


@dataclass(frozen=True, slots=True)
class OutcomeDocument:
    """One outcome: `markets` and `standings` of recommendations, or `levels` and `candles`."""

    markets: Sequence[MarketOutcome] = ()
    standings: Sequence[Standing] = ()
    levels: Sequence[LevelOutcome] = ()
    candles: Sequence[CandlesUsed] = ()


@dataclass(frozen=True, slots=True)
class Series:
    """One measure of one class whose daily values make up the live record; as in `results.Record`."""

    subject: str
    horizon_days: int
    data: str
    measure: str
    group: str
    name: str


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one part adds to a day of a series: `parts` parts, `n` observations, and `total`.

    `total` is the part's value of a mean, of which the day takes the mean over its parts, or the number
    of successes among `n`, of which the day takes the sum. `day` counts from the Unix epoch.
    """

    series: Series
    day: int
    n: int
    total: float
    parts: int = 1


@dataclass(frozen=True, slots=True)
class Days:
    """The days of one series, ascending: what all their parts contributed, one entry for each day."""

    day: Sequence[int]
    parts: Sequence[int]
    n: Sequence[int]
    total: Sequence[float]


_TABLES: Mapping[str, type] = {
    "markets": MarketOutcome,
    "standings": Standing,
    "levels": LevelOutcome,
    "candles": CandlesUsed,
}


def pack_outcome(outcome: OutcomeDocument) -> tuple[str, bytes]:
    """The SHA-256 of an outcome (hex) and its bytes; equal outcomes give equal bytes.

    Raises:
        DocumentInvalid: a figure is not finite.
    """
    tables = {name: (row_type, getattr(outcome, name)) for name, row_type in _TABLES.items()}
    return pack_tables(tables, named="outcome")


def unpack_outcome(body: bytes) -> OutcomeDocument:
    """The outcome that `pack_outcome` packed.

    Raises:
        DocumentInvalid: the bytes are torn.
    """
    tables = unpack_tables(_TABLES, body, named="outcome")
    return OutcomeDocument(
        markets=cast(tuple[MarketOutcome, ...], tables["markets"]),
        standings=cast(tuple[Standing, ...], tables["standings"]),
        levels=cast(tuple[LevelOutcome, ...], tables["levels"]),
        candles=cast(tuple[CandlesUsed, ...], tables["candles"]),
    )
