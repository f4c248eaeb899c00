"""The candles by which outcomes are scored, and whether they are all there.

An outcome is scored once, so it waits for its candles: until every market was asked for up to the exit,
and the exchange was asked again for each candle that was missing (twice, which takes an hour). What
holds it up is bounded, counted in data that has come since the exit, so that a worker that was down for
a week catches up first:

* a day later it is scored without the markets that are not there, if they are a tenth or less;
* seven days later (or thirty by the clock, data or no data) it is unscorable.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from dantaro.analysis.outcomes import LOOKBACK_MS, Followed, Key, Window
from dantaro.analysis.panel import Series
from dantaro.market.timeframes import DAILY, DAY_MS, HOURLY, Timeframe
from dantaro.storage.candles import Coverage, coverage, gaps
from dantaro.storage.catalogue import StoredMarket, stored_markets
from dantaro.storage.engine import Store
from dantaro.storage.outcomes import DueOutcome
from dantaro.storage.panels import load_columns

PATIENCE_MS = DAY_MS
GIVE_UP_MS = 7 * DAY_MS
GIVE_UP_BY_CLOCK_MS = 30 * DAY_MS
ENOUGH_SHARE = 0.9
_ASKED_AGAIN = 2
_GAPS = 20_000


@dataclass(frozen=True, slots=True)
class Waiting:
    """Why an outcome cannot be scored, and whether that is given up for good."""

    reason: str
    given_up: bool


@dataclass(frozen=True, slots=True)
class _Source:
    """The candles that a market's outcome is to be read from; `complete` when all have come."""

    market: StoredMarket
    timeframe: Timeframe | None
    revision: int | None
    reached_ms: int
    covered: bool
    settled: bool


class Candles:
    """What is stored of every market, as of the moment when this was made; candles are read on demand."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._markets = {
            (stored.market.exchange, stored.market.symbol): stored
            for stored in stored_markets(store)
        }
        self._covered = {frame: coverage(store, timeframe=frame) for frame in (HOURLY, DAILY)}
        self._unsettled: dict[tuple[int, str], list[tuple[int, int]]] = {}
        for gap in gaps(store, state="open", limit=_GAPS):
            if gap.attempts < _ASKED_AGAIN:
                spans = self._unsettled.setdefault((gap.market_id, gap.timeframe), [])
                spans.append((gap.start_ms, gap.end_ms))

    @property
    def newest_ms(self) -> int:
        """Up to when any candle was asked for; 0 before the first."""
        ends = (known.end_ms for covered in self._covered.values() for known in covered.values())
        return max(ends, default=0)

    @property
    def quotes(self) -> Mapping[Key, str]:
        """The quote currency of every market."""
        return {key: stored.market.quote for key, stored in self._markets.items()}

    @staticmethod
    def exit_ms(due: DueOutcome) -> int:
        """When the horizon of an outcome ends, in hourly candles."""
        window = Window.after(due.published_at_ms, timeframe=HOURLY, horizon_days=due.horizon_days)
        return window.exit_ms

    def follow(
        self, coins: Mapping[Key, str], due: DueOutcome, *, now_ms: int
    ) -> tuple[Followed, ...] | Waiting:
        """The candles of the markets in `coins` (each with its coin) over the horizon of `due`, or why
        it has to wait for them.
        """
        sources = {key: self._source(self._markets[key], due) for key in coins}
        exit_ms = self.exit_ms(due)
        absent = sum(not source.covered for source in sources.values())
        unsettled = sum(not source.settled for source in sources.values())
        waited_ms = max((source.reached_ms for source in sources.values()), default=0) - exit_ms
        late = now_ms >= exit_ms + GIVE_UP_BY_CLOCK_MS
        if (absent or unsettled) and waited_ms < PATIENCE_MS and not late:
            return Waiting(
                f"candles of {absent} of {len(sources)} markets are not there yet, and of "
                f"{unsettled} some are still asked for again",
                given_up=False,
            )
        if absent > (1.0 - ENOUGH_SHARE) * len(sources):
            return Waiting(
                f"the candles of {absent} of {len(sources)} markets were not collected",
                given_up=late or waited_ms >= GIVE_UP_MS,
            )
        return self._load(coins, sources, due)

    def _source(self, stored: StoredMarket, due: DueOutcome) -> _Source:
        """Hours where they reach back to the entry, else days."""
        found = None
        for timeframe in (HOURLY, DAILY):
            known = self._covered[timeframe].get((stored.id, timeframe.name))
            window = Window.after(
                due.published_at_ms, timeframe=timeframe, horizon_days=due.horizon_days
            )
            if known is None or known.start_ms > window.entry_ms:
                continue
            found = found or self._judged(stored, timeframe, known, window)
        if found is not None:
            return found
        # What was never collected and is gone cannot come any more.
        gone = not stored.market.listed
        return _Source(stored, None, None, 0, covered=gone, settled=True)

    def _judged(
        self, stored: StoredMarket, timeframe: Timeframe, known: Coverage, window: Window
    ) -> _Source:
        spans = self._unsettled.get((stored.id, timeframe.name), ())
        return _Source(
            stored,
            timeframe,
            known.revision,
            known.end_ms,
            covered=known.end_ms >= window.exit_ms or not stored.market.listed,
            settled=not any(
                start < window.exit_ms and end > window.entry_ms for start, end in spans
            ),
        )

    def _load(
        self, coins: Mapping[Key, str], sources: Mapping[Key, _Source], due: DueOutcome
    ) -> tuple[Followed, ...]:
        candles: dict[tuple[int, Timeframe], Series] = {}
        for timeframe in (HOURLY, DAILY):
            window = Window.after(
                due.published_at_ms, timeframe=timeframe, horizon_days=due.horizon_days
            )
            wanted = [
                source.market.id
                for source in sources.values()
                if source.timeframe == timeframe and source.covered
            ]
            loaded = load_columns(
                self._store,
                timeframe,
                market_ids=wanted,
                start_ms=window.entry_ms - LOOKBACK_MS,
                end_ms=window.exit_ms,
            )
            for market_id, columns in loaded.items():
                candles[market_id, timeframe] = Series(
                    columns.opened_at_ms,
                    columns.open,
                    columns.high,
                    columns.low,
                    columns.close,
                    columns.volume,
                )
        return tuple(
            Followed(
                exchange=key[0],
                symbol=key[1],
                coin=coin,
                listed=source.market.market.listed,
                timeframe=source.timeframe if source.covered else None,
                revision=source.revision if source.covered else None,
                candles=None
                if source.timeframe is None
                else candles.get((source.market.id, source.timeframe)),
            )
            for key, coin in coins.items()
            for source in (sources[key],)
        )
