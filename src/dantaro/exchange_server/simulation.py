"""A simulated exchange, for those who have none at hand. Labelled `simulated` on every answer.

Binance's side trades some seventy coins against USDT, Upbit's some sixty markets against KRW, BTC and
USDT, both over one simulated world (see `world`): what happens to a coin happens to it on both, and
Korea pays a premium. Every thirty days a coin is listed and another, announced thirty days before
(caution, then warning), is delisted.

Within the hour a candle grows minute by minute along a path that ends at the hour's open, high, low,
close and volume exactly, so that what was served of a forming candle is what becomes of it.
"""

from functools import lru_cache

import numpy as np

from dantaro.errors import ConfigurationError
from dantaro.exchange_server.books import Book, Hours
from dantaro.exchange_server.source import (
    HOUR,
    NO_CANDLES,
    Candles,
    Interval,
    Listing,
    Window,
    joined,
    read,
)
from dantaro.exchange_server.world import (
    ANCHOR_MS,
    BLOCK_MS,
    HOURS,
    SLOTS,
    Array,
    World,
    block_of,
    coin_at,
    generator,
    life_of,
)
from dantaro.market.markets import Origin
from dantaro.market.timeframes import HOUR_MS, MINUTE_MS

_MINUTES = 60
_WARNED_AFTER_MS = BLOCK_MS // 2  # of the last block: first a caution, then a warning


def simulated_source(exchange: str, *, seed: int) -> "SimulatedSource":
    """The simulated side of `exchange` (`binance` or `upbit`). Sources of one seed share one world.

    Raises:
        ConfigurationError: no such side.
    """
    if exchange not in ("binance", "upbit"):
        raise ConfigurationError(
            f"there is no simulated exchange {exchange!r}; choose from binance, upbit"
        )
    return SimulatedSource(Book(exchange, _world(seed)))


@lru_cache(maxsize=2)
def _world(seed: int) -> World:
    return World(seed)


class SimulatedSource:
    """The candles of a simulated exchange, seen as of a moment. Built by `simulated_source`.

    Nothing is known before 2024-01-01 (`ANCHOR_MS`).
    """

    origin = Origin.SIMULATED
    start_ms = ANCHOR_MS
    end_ms: int | None = None

    def __init__(self, book: Book) -> None:
        self.exchange = book.exchange
        self._book = book
        self._passing = len(book.places) - SLOTS
        self._rows = {
            self._symbol(row, 0): row for row in range(self._passing)
        }  # the same in every block

    def listings(self, now_ms: int) -> tuple[Listing, ...]:
        if now_ms < ANCHOR_MS:
            return ()
        block = block_of(now_ms)
        self._book.hours(block)
        return tuple(self._listing(row, block, now_ms) for row in range(len(self._book.places)))

    def listing(self, symbol: str, now_ms: int) -> Listing | None:
        if now_ms < ANCHOR_MS:
            return None
        rows = self._held(symbol, block_of(now_ms))
        if not rows:
            return None
        block, row = rows[-1]
        return self._listing(row, block, now_ms)

    def finest(self, symbol: str) -> Interval:
        del symbol
        return HOUR

    def candles(self, symbol: str, interval: Interval, window: Window, now_ms: int) -> Candles:
        if now_ms < ANCHOR_MS:
            return NO_CANDLES
        return read(lambda hours: self._hours(symbol, hours, now_ms), HOUR, interval, window)

    def _symbol(self, row: int, block: int) -> str:
        place = self._book.places[row]
        coin = self._book.coin(place, block)
        return f"{'USDT' if coin is None else coin.ticker}/{place.quote}"

    def _listing(self, row: int, block: int, now_ms: int) -> Listing:
        place = self._book.places[row]
        coin = self._book.coin(place, block)
        current = block_of(now_ms)
        listed, warning, caution = block == current, False, False
        if row >= self._passing and listed:
            since_ms = now_ms - ANCHOR_MS - block * BLOCK_MS
            last = block - life_of(row - self._passing, block) == SLOTS - 1
            caution, warning = last, last and since_ms >= _WARNED_AFTER_MS
        name = "Tether" if coin is None else coin.name
        return Listing(
            symbol=self._symbol(row, block),
            base="USDT" if coin is None else coin.ticker,
            quote=place.quote,
            name=name,
            listed=listed,
            warning=warning,
            cautions=frozenset({"PRICE_FLUCTUATIONS"} if caution else ()),
        )

    def _held(self, symbol: str, last: int) -> list[tuple[int, int]]:
        """The blocks up to `last` in which the market existed, each with its row then."""
        if symbol in self._rows:
            return [(block, self._rows[symbol]) for block in range(last + 1)]
        return [
            (block, row)
            for block in range(last + 1)
            for row in range(self._passing, len(self._book.places))
            if self._symbol(row, block) == symbol
        ]

    def _hours(self, symbol: str, window: Window, now_ms: int) -> Candles:
        start_ms = max(HOUR.ceil(window.start_ms), ANCHOR_MS)
        end_ms = min(HOUR.ceil(window.end_ms), now_ms + 1)
        first, last = block_of(start_ms), block_of(end_ms - 1)
        held = [(b, row) for b, row in self._held(symbol, block_of(now_ms)) if first <= b <= last]
        parts: list[Candles] = []
        rows = 0
        for block, row in reversed(held) if window.newest else held:
            part = self._part(block, row, start_ms, end_ms, now_ms)
            parts.append(part)
            rows += len(part)
            if rows >= window.limit:
                break
        found = joined(parts[::-1] if window.newest else parts)
        surplus = max(0, len(found) - window.limit)
        return found.slice(surplus, len(found)) if window.newest else found.slice(0, window.limit)

    def _part(self, block: int, row: int, start_ms: int, end_ms: int, now_ms: int) -> Candles:
        """The candles of one block in `[start_ms, end_ms)`, the forming one as far as it has come."""
        begin_ms = ANCHOR_MS + block * BLOCK_MS
        start = max(0, (start_ms - begin_ms) // HOUR_MS)
        stop = min(HOURS, -(-(end_ms - begin_ms) // HOUR_MS))
        closed = min(stop, (now_ms - begin_ms) // HOUR_MS)
        hours = self._book.hours(block)
        part = _closed(hours, row, start, closed)
        if start <= closed < stop and hours.traded[row, closed]:
            part = joined([part, self._forming(hours, block, row, closed, now_ms)])
        return part

    def _forming(self, hours: Hours, block: int, row: int, hour: int, now_ms: int) -> Candles:
        opened_at_ms = int(hours.opened_at_ms[hour])
        minute = min(_MINUTES - 1, (now_ms - opened_at_ms) // MINUTE_MS)
        stream = (3 << 60) + (self._book.stream << 52) + (row << 40) + block * HOURS + hour
        random = generator(self._book.world.seed, stream)
        column = self._book.places[row].coin
        first = 1.0 if column < 0 else coin_at(column, block).price
        ends = (hours.open, hours.high, hours.low, hours.close)
        prices = _path(random, *(float(prices[row, hour]) for prices in ends))
        inner = prices[1:-1]
        prices[1:-1] = np.clip(
            self._book.rounded(row, inner, first=first), prices.min(), prices.max()
        )
        share = np.cumsum(random.standard_exponential(_MINUTES))
        volume = float(hours.volume[row, hour]) * float(share[minute] / share[-1])
        lot = self._book.lot(first)
        if volume and minute < _MINUTES - 1:
            volume = round(max(lot, np.floor(volume / lot) * lot), 8)
        past = prices[: minute + 1]
        return Candles(
            np.array([opened_at_ms]),
            *(np.array([v]) for v in (past[0], past.max(), past.min(), past[-1], volume)),
        )


def _closed(hours: Hours, row: int, start: int, stop: int) -> Candles:
    if stop <= start:
        return NO_CANDLES
    traded = hours.traded[row, start:stop]
    columns = (hours.open, hours.high, hours.low, hours.close, hours.volume)
    if traded.all():
        return Candles(
            hours.opened_at_ms[start:stop], *(column[row, start:stop] for column in columns)
        )
    return Candles(
        hours.opened_at_ms[start:stop][traded],
        *(column[row, start:stop][traded] for column in columns),
    )


def _path(
    random: np.random.Generator, opening: float, high: float, low: float, close: float
) -> Array:
    """A price a minute: from `opening` to `close`, touching `high` and `low` and never leaving them."""
    turns = sorted(random.choice(np.arange(1, _MINUTES - 1), size=2, replace=False).tolist())
    rising = random.random() < (0.7 if close >= opening else 0.3)  # often the far side comes first
    levels = [opening, *((low, high) if rising else (high, low)), close]
    minutes = np.arange(_MINUTES)
    knots = [0, *turns, _MINUTES - 1]
    line = np.interp(minutes, knots, levels)
    wobble = np.cumsum(random.standard_normal(_MINUTES)) * (high - low) * 0.06
    wobble -= np.interp(minutes, knots, wobble[knots])  # none at the knots
    path: Array = np.clip(line + wobble, low, high)
    path[knots] = levels
    return path
