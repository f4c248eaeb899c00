"""Turning stored candles into the documents of a generation."""

import threading
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass

from dantaro.analysis.engine import (
    Inputs,
    Panels,
    Prepared,
    build_panels,
    find_levels,
    prepare,
    read_market,
    recommend,
)
from dantaro.analysis.panel import Series
from dantaro.analysis.parameters import Parameters
from dantaro.clock import TICKER_LIFE_REAL_SECONDS
from dantaro.market.documents import Document
from dantaro.market.markets import Ticker
from dantaro.market.timeframes import DAILY, HOURLY
from dantaro.pipeline.series import CandleMemory
from dantaro.storage.catalogue import StoredMarket, latest_tickers, stored_markets
from dantaro.storage.engine import Store
from dantaro.storage.facts import clock_reading


@dataclass(frozen=True, slots=True)
class Findings:
    """Documents ready to be published, and what they rest on.

    `analysed_at_ms` is the moment that the analysis took for now. `data_as_of_ms` is the close of the
    newest candle behind them (0: none), `stale_after_ms` when they count as stale, `inputs` the newest
    close of each exchange. `scored` and `excluded` count markets. While `provisional` some markets are
    judged by their daily candles only.
    """

    documents: tuple[Document, ...]
    analysed_at_ms: int
    data_as_of_ms: int
    stale_after_ms: int
    inputs: Mapping[str, int]
    provisional: bool
    scored: int
    excluded: int


class Analyst:
    """Reads the store and analyses it; the same one serves all jobs of a worker.

    Candles stay in memory from one job to the next, and so do the panels made of them until a candle
    is added or another one closes. Safe for use from several threads.
    """

    def __init__(self, store: Store, parameters: Parameters, *, exchanges: tuple[str, ...]) -> None:
        self.parameters = parameters
        self._store = store
        self._exchanges = exchanges
        self._hourly = CandleMemory(store, HOURLY, candles=parameters.hourly_candles)
        self._daily = CandleMemory(store, DAILY, candles=parameters.daily_candles)
        self._lock = threading.Lock()
        self._panels: Panels | None = None
        self._panels_of: object = None

    def recommend(self, *, now_ms: int) -> Findings:
        """Recommendations, ratings, exclusions and prices.

        Raises:
            StorageUnavailable: the store cannot be read.
        """
        moment = self._prepare(now_ms)
        result = recommend(moment.inputs, self.parameters, now_ms=now_ms, prepared=moment)
        found = (result.recommendations, result.ratings, result.exclusions, result.prices)
        return _findings(moment, tuple(document for document in found if document is not None))

    def find_levels(self, *, now_ms: int) -> Findings:
        """Support and resistance. Raises: as `recommend`."""
        moment = self._prepare(now_ms)
        found = find_levels(moment.inputs, self.parameters, now_ms=now_ms, prepared=moment)
        return _findings(moment, () if found is None else (found,))

    def read_market(self, *, now_ms: int) -> Findings:
        """The market's state and the KRW premium. Raises: as `recommend`."""
        moment = self._prepare(now_ms)
        return _findings(
            moment, read_market(moment.inputs, self.parameters, now_ms=now_ms, prepared=moment)
        )

    def _prepare(self, now_ms: int) -> Prepared:
        with self._lock:
            inputs = self._inputs(now_ms)
            made_of = (
                self._hourly.revision,
                self._daily.revision,
                HOURLY.last_closed(now_ms=now_ms),
                inputs.markets,
            )
            if self._panels is None or made_of != self._panels_of:
                self._panels = None  # or the old ones would be in memory beside the new
                self._panels = build_panels(inputs, self.parameters, now_ms=now_ms)
                self._panels_of = made_of
            panels = self._panels
        return prepare(inputs, self.parameters, now_ms=now_ms, panels=panels)

    def _inputs(self, now_ms: int) -> Inputs:
        markets = [
            stored
            for stored in stored_markets(self._store)
            if stored.market.exchange in self._exchanges
        ]
        keys = {stored.market.key for stored in markets if stored.market.listed}
        oldest_ms = now_ms - self._ticker_life_ms()
        last_known = _by_key(latest_tickers(self._store), keys)
        return Inputs(
            markets=tuple(sorted(stored.market for stored in markets)),
            tickers=_by_key(latest_tickers(self._store, collected_since_ms=oldest_ms), keys),
            hourly=_read(self._hourly, markets, now_ms),
            daily=_read(self._daily, markets, now_ms),
            last_turnovers={
                key: ticker.turnover_24h
                for key, ticker in last_known.items()
                if ticker.turnover_24h is not None
            },
            last_prices={key: ticker.price for key, ticker in last_known.items()},
        )

    def _ticker_life_ms(self) -> int:
        """For how long a ticker holds after it was collected, on the clock of the data."""
        reading = clock_reading(self._store)
        speed = 1.0 if reading is None else reading.speed
        life_seconds = max(self.parameters.max_ticker_age_seconds, TICKER_LIFE_REAL_SECONDS * speed)
        return round(life_seconds * 1000)


def _by_key(tickers: Iterable[Ticker], keys: Container[str]) -> dict[str, Ticker]:
    named = {f"{ticker.exchange}:{ticker.symbol}": ticker for ticker in tickers}
    return {key: ticker for key, ticker in named.items() if key in keys}


def _read(memory: CandleMemory, markets: list[StoredMarket], now_ms: int) -> Mapping[str, Series]:
    keys = {stored.id: stored.market.key for stored in markets}
    found = memory.refresh(keys, now_ms=now_ms)
    return {keys[market_id]: series for market_id, series in found.items()}


def _findings(moment: Prepared, documents: tuple[Document, ...]) -> Findings:
    scored = int(moment.scored.sum())
    return Findings(
        documents=documents,
        analysed_at_ms=moment.now_ms,
        data_as_of_ms=moment.data_as_of_ms,
        stale_after_ms=moment.stale_after_ms,
        inputs=moment.newest_closed(),
        provisional=moment.provisional,
        scored=scored,
        excluded=len({(found.exchange, found.symbol) for found in moment.exclusions}),
    )
