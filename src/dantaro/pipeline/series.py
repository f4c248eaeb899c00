"""The candles that the analysis reads, kept in the worker's memory: loaded once, then only what is new."""

from collections.abc import Collection, Mapping

import numpy as np

from dantaro.analysis.panel import Series
from dantaro.market.timeframes import DAY_MS, Timeframe
from dantaro.storage.candles import Coverage, coverage
from dantaro.storage.engine import Store
from dantaro.storage.panels import CandleColumns, load_columns


class CandleMemory:
    """The newest `candles` slots of every market of one timeframe.

    What is new is seen from what the store says was asked for (`Coverage`), so candles stored by
    another worker are found as well, and so are repaired gaps and corrected candles: `Coverage.revision`
    rises with them, and the market is read anew. Everything is with the next day. Not safe for use from
    several threads at once.
    """

    def __init__(self, store: Store, timeframe: Timeframe, *, candles: int) -> None:
        self.revision = 0
        self._store = store
        self._timeframe = timeframe
        self._candles = candles
        self._held: dict[int, Series] = {}
        self._seen: dict[int, Coverage] = {}
        self._day = -1

    def refresh(self, market_ids: Collection[int], *, now_ms: int) -> Mapping[int, Series]:
        """The candles of `market_ids` that are closed at `now_ms`; markets without any are left out.

        `revision` rises when anything that is returned differs from the last time.

        Raises:
            StorageUnavailable: nothing was changed.
        """
        if now_ms // DAY_MS != self._day:
            self._seen.clear()
            self._day = now_ms // DAY_MS
        wanted = set(market_ids)
        covered = {
            market_id: known
            for (market_id, _), known in coverage(
                self._store, timeframe=self._timeframe.name
            ).items()
            if market_id in wanted and known.last_candle_ms is not None
        }
        dropped = self._held.keys() - covered.keys()
        new = [i for i, known in covered.items() if self._must_reload(i, known)]
        grown = [
            i for i, known in covered.items() if i not in set(new) and known != self._seen.get(i)
        ]
        start_ms = self._start(now_ms)
        if new:
            self._replace(self._load(new, start_ms, now_ms), from_ms=start_ms)
        if grown:
            from_ms = max(start_ms, min(self._last_seen(i) for i in grown))
            self._replace(self._load(grown, from_ms, now_ms), from_ms=from_ms)
        for market_id in dropped:
            del self._held[market_id]
            self._seen.pop(market_id, None)
        if new or grown or dropped:
            self.revision += 1
            self._held = {i: _since(held, start_ms) for i, held in self._held.items()}
        self._seen.update(covered)
        return {i: held for i, held in self._held.items() if held.opened_at_ms.size}

    def _start(self, now_ms: int) -> int:
        newest = self._timeframe.last_closed(now_ms=now_ms)
        return newest - (self._candles - 1) * self._timeframe.milliseconds

    def _must_reload(self, market_id: int, known: Coverage) -> bool:
        seen = self._seen.get(market_id)
        return (
            seen is None
            or market_id not in self._held
            or seen.revision != known.revision
            or (seen.start_ms, seen.first_candle_ms) > (known.start_ms, known.first_candle_ms)
        )

    def _last_seen(self, market_id: int) -> int:
        last = self._seen[market_id].last_candle_ms
        return 0 if last is None else last

    def _load(
        self, market_ids: list[int], start_ms: int, now_ms: int
    ) -> Mapping[int, CandleColumns]:
        return load_columns(
            self._store,
            self._timeframe,
            market_ids=market_ids,
            start_ms=start_ms,
            end_ms=self._timeframe.floor(now_ms),
        )

    def _replace(self, loaded: Mapping[int, CandleColumns], *, from_ms: int) -> None:
        """Put `loaded` in the place of whatever is held from `from_ms` on."""
        for market_id, columns in loaded.items():
            tail = Series(
                columns.opened_at_ms,
                columns.open,
                columns.high,
                columns.low,
                columns.close,
                columns.volume,
            )
            held = self._held.get(market_id)
            self._held[market_id] = tail if held is None else _joined(held, tail, from_ms)


def _joined(held: Series, tail: Series, from_ms: int) -> Series:
    stop = int(np.searchsorted(held.opened_at_ms, from_ms))
    return Series(
        np.concatenate((held.opened_at_ms[:stop], tail.opened_at_ms)),
        np.concatenate((held.open[:stop], tail.open)),
        np.concatenate((held.high[:stop], tail.high)),
        np.concatenate((held.low[:stop], tail.low)),
        np.concatenate((held.close[:stop], tail.close)),
        np.concatenate((held.volume[:stop], tail.volume)),
    )


def _since(series: Series, start_ms: int) -> Series:
    first = int(np.searchsorted(series.opened_at_ms, start_ms))
    if first == 0:
        return series
    return Series(
        series.opened_at_ms[first:],
        series.open[first:],
        series.high[first:],
        series.low[first:],
        series.close[first:],
        series.volume[first:],
    )
