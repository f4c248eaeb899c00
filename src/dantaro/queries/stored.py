"""What the store holds beside generations: series of candles, their gaps, job runs, heartbeats."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dantaro.errors import InvalidRequest, NotFound
from dantaro.market.candles import Candle
from dantaro.market.markets import Market
from dantaro.market.timeframes import Timeframe, parse_timeframe
from dantaro.storage.candles import Coverage, coverage, read_candles
from dantaro.storage.catalogue import StoredMarket, stored_markets
from dantaro.storage.engine import Store
from dantaro.storage.gaps import Gap, GapState, gaps
from dantaro.storage.jobs import JobRun, last_runs
from dantaro.storage.workers import WorkerState, workers

_GAPS_COUNTED = 20_000


@dataclass(frozen=True, slots=True)
class StoredSeries:
    """One market's candles of one timeframe: what was asked for, and what is missing in it."""

    covered: Coverage
    open_gaps: int
    missing_candles: int


@dataclass(frozen=True, slots=True)
class MarketOverview:
    """One market of the catalogue with its series by timeframe."""

    stored: StoredMarket
    series: Mapping[str, StoredSeries]


@dataclass(frozen=True, slots=True)
class Overview:
    """Markets, and whether there were more gaps than are counted."""

    markets: tuple[MarketOverview, ...]
    gaps_truncated: bool


@dataclass(frozen=True, slots=True)
class CandleSpan:
    """Closed candles, ascending; `asked_until_ms` is how far the exchange was asked."""

    candles: tuple[Candle, ...]
    asked_until_ms: int
    limit_reached: bool


@dataclass(frozen=True, slots=True)
class Activity:
    """The workers, most recent heartbeat first, and the newest run of each job."""

    workers: tuple[WorkerState, ...]
    runs: tuple[JobRun, ...]


def alive(states: Sequence[WorkerState], *, heartbeat_seconds: int) -> tuple[WorkerState, ...]:
    """The workers that are alive: not stopped, and heard of within three beats."""
    return tuple(state for state in states if state.is_alive(heartbeat_seconds=heartbeat_seconds))


def market_overview(store: Store, *, exchange: str | None, quote: str | None) -> Overview:
    """The stored markets of an exchange and a quote currency (None: of all)."""
    covered = coverage(store, exchange=exchange)
    found = gaps(store, state=GapState.OPEN, exchange=exchange, limit=_GAPS_COUNTED + 1)
    by_series: dict[tuple[int, str], list[Gap]] = {}
    for gap in found[:_GAPS_COUNTED]:
        by_series.setdefault((gap.market_id, gap.timeframe), []).append(gap)
    series: dict[int, dict[str, StoredSeries]] = {}
    for (market_id, timeframe), its_coverage in sorted(covered.items()):
        its_gaps = by_series.get((market_id, timeframe), [])
        series.setdefault(market_id, {})[timeframe] = _series(its_coverage, its_gaps)
    markets = tuple(
        MarketOverview(stored, series.get(stored.id, {}))
        for stored in stored_markets(store, exchange=exchange)
        if quote is None or stored.market.quote == quote
    )
    return Overview(markets, gaps_truncated=len(found) > _GAPS_COUNTED)


def stored_candles(
    store: Store,
    market: Market,
    timeframe: Timeframe,
    *,
    start_ms: int | None,
    end_ms: int | None,
    limit: int,
) -> CandleSpan:
    """Up to `limit` candles that open in `[start_ms, end_ms)`: from the start, or without one the newest.

    Raises:
        InvalidRequest: candles of this timeframe are not stored.
        NotFound: the market has none.
    """
    known = {s.market.key: s.id for s in stored_markets(store, exchange=market.exchange)}
    covered = coverage(store, exchange=market.exchange)
    market_id = known.get(market.key)
    mine = {name: c for (its_id, name), c in covered.items() if its_id == market_id}
    if timeframe.name not in mine:
        if mine:
            raise InvalidRequest(
                f"timeframe: {timeframe} candles of {market.key} are not stored; "
                f"there are {', '.join(sorted(mine))}"
            )
        raise NotFound(f"no candles of {market.key} are stored yet")
    found = read_candles(
        store,
        # in the mapping because a number belongs to it
        mine[timeframe.name].market_id,
        timeframe,
        start_ms=start_ms,
        end_ms=end_ms,
        limit=limit + 1,
        newest=start_ms is None,
    )
    kept = found[:limit] if start_ms is not None else found[-limit:]
    return CandleSpan(kept, mine[timeframe.name].end_ms, limit_reached=len(found) > limit)


def activity(store: Store) -> Activity:
    """Who works and what ran last."""
    return Activity(workers(store), last_runs(store))


def _series(covered: Coverage, open_gaps: list[Gap]) -> StoredSeries:
    length_ms = parse_timeframe(covered.timeframe).milliseconds
    missing = sum((gap.end_ms - gap.start_ms) // length_ms for gap in open_gaps)
    return StoredSeries(covered, len(open_gaps), missing)
