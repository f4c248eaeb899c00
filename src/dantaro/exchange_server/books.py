"""A simulated exchange's own view of the world: its markets and their hourly candles.

Prices are rounded to the exchange's ticks, volumes to its lots. Upbit's thin markets have hours without
a trade; every second block each exchange has one outage of one to three hours, in which no market of
it trades.
"""

from collections import OrderedDict
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dantaro.exchange_server.coins import BITCOIN, COINS, IN_BITCOIN, IN_TETHER, Coin, Kind
from dantaro.exchange_server.world import (
    HOURS,
    SLOTS,
    Array,
    Block,
    World,
    coin_at,
    generator,
    hours_of,
    is_weekend,
)

_KEPT_BLOCKS = 40
_ALWAYS = 1e6  # trades an hour: never a quiet one

_BINANCE_DAY = 1 + 0.35 * np.cos((np.arange(24) - 15) / 24 * 2 * np.pi)
_UPBIT_DAY = 1 + 0.25 * np.cos((np.arange(24) - 13) / 24 * 2 * np.pi)
_UPBIT_DAY[0:2] += 0.8  # nine in the morning in Seoul, when the exchange's day begins

# Price from which on a tick holds.
_WON_TICKS = (
    np.array([0, 0.01, 0.1, 1, 10, 100, 1e3, 1e4, 1e5, 5e5, 1e6, 2e6]),
    np.array([1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1, 10, 50, 100, 500, 1000]),
)
_TETHER_TICKS = (
    np.array([0, 0.01, 0.1, 1, 10]),
    np.array([1e-6, 1e-5, 1e-4, 1e-3, 1e-2]),
)


@dataclass(frozen=True, slots=True)
class Place:
    """One market of an exchange: which of the world's coins (-1: Tether itself) against which quote.

    `turnover` is USD an hour on a usual day, `trades` the usual number of trades an hour.
    """

    coin: int
    quote: str
    turnover: float
    trades: float
    korean: float  # how much of Korea's premium is in the price


@dataclass(frozen=True, slots=True)
class Hours:
    """A block's candles, rows are markets: opening time [HOURS], prices and volume [markets, HOURS];
    where `traded` is false there is no candle.
    """

    opened_at_ms: npt.NDArray[np.int64]
    open: Array
    high: Array
    low: Array
    close: Array
    volume: Array
    traded: npt.NDArray[np.bool_]


class Book:
    """The markets of one simulated exchange. The last `SLOTS` places are those of passing coins."""

    def __init__(self, exchange: str, world: World) -> None:
        self.exchange = exchange
        self.world = world
        self.stream = 1 if exchange == "binance" else 2
        self.places = _binance_places() if exchange == "binance" else _upbit_places()
        self._kept: OrderedDict[int, Hours] = OrderedDict()

    def coin(self, place: Place, block: int) -> Coin | None:
        """The coin of a place in a block; None is Tether."""
        return None if place.coin < 0 else coin_at(place.coin, block)

    def hours(self, index: int) -> Hours:
        """The candles of block `index`."""
        if index in self._kept:
            self._kept.move_to_end(index)
        else:
            self._kept[index] = self._compute(self.world.block(index))
            if len(self._kept) > _KEPT_BLOCKS:
                self._kept.popitem(last=False)
        return self._kept[index]

    def rounded(self, place: int, prices: Array, *, first: float) -> Array:
        """Prices of one market on its ticks; `first` is the price in USD at which its coin started."""
        return _on_ticks(prices, self._ticks(self.places[place], prices, first))

    def lot(self, first: float) -> float:
        """The smallest step of the volume of a coin that started at `first` USD."""
        return 1e-8 if self.exchange == "upbit" else _lot(first)

    def _ticks(self, place: Place, prices: Array, first: float) -> Array:
        if self.exchange == "binance":
            return np.full(prices.shape, _fixed_tick(first))
        if place.quote == "BTC":
            return np.full(prices.shape, 1e-8)
        bounds, ticks = _WON_TICKS if place.quote == "KRW" else _TETHER_TICKS
        found: Array = ticks[np.searchsorted(bounds, prices, side="right") - 1]
        return found

    def _compute(self, block: Block) -> Hours:
        random = generator(self.world.seed, (self.stream << 48) + block.index)
        shape = len(self.places), HOURS
        up, down, trade = random.random(shape), random.random(shape), random.random(shape)
        noise = np.exp(random.normal(-0.06, 0.35, shape))
        gap = _outage(random, block.index, self.stream)
        level, spread, activity, dollars = self._views(block)
        season = _BINANCE_DAY if self.exchange == "binance" else _UPBIT_DAY
        opened_at_ms = hours_of(block.index)
        pace = activity * np.tile(season, HOURS // 24)
        pace = pace * np.where(is_weekend(opened_at_ms), 0.72, 1.0)

        at = np.exp(level)
        high, low = _extremes(level, spread, up, down)
        first = [
            1.0 if coin is None else coin.price
            for coin in (self.coin(place, block.index) for place in self.places)
        ]
        for row, price in enumerate(first):
            for prices in (at, high, low):
                prices[row] = self.rounded(row, prices[row], first=price)
        opening, close = at[:, :-1].copy(), at[:, 1:].copy()
        high = np.maximum(high, np.maximum(opening, close))
        low = np.minimum(low, np.minimum(opening, close))
        turnover = np.array([place.turnover for place in self.places])[:, None] * pace * noise
        lots = np.array([self.lot(price) for price in first])[:, None]
        volume = np.maximum(_on_ticks(turnover / dollars, np.broadcast_to(lots, shape)), lots)
        trades = np.array([place.trades for place in self.places])[:, None] * pace
        traded = trade >= np.exp(-trades)
        if self.exchange == "binance":  # it emits a quiet hour as a candle without volume
            quiet = ~traded
            high[quiet] = low[quiet] = close[quiet] = opening[quiet]
            volume[quiet] = 0.0
            traded[:] = True
        traded[:, gap] = False
        return Hours(opened_at_ms, opening, high, low, close, volume, traded)

    def _views(self, block: Block) -> tuple[Array, Array, Array, Array]:
        """Per market: log price [.., HOURS + 1], spread, activity, price in USD [.., HOURS]."""
        level = np.empty((len(self.places), HOURS + 1))
        spread = np.empty((len(self.places), HOURS))
        activity = np.empty((len(self.places), HOURS))
        dollars = np.empty((len(self.places), HOURS))
        for row, place in enumerate(self.places):
            if place.coin < 0:
                usd, spread[row], activity[row] = np.zeros(HOURS + 1), 0.0006, block.activity[:, 0]
            else:
                usd = block.value[:, place.coin]
                spread[row] = block.spread[:, place.coin]
                activity[row] = block.activity[:, place.coin]
            dollars[row] = np.exp(usd[:-1])
            level[row] = usd + place.korean * block.premium
            if place.quote == "KRW":
                level[row] += block.won
            elif place.quote == "BTC":
                level[row] -= block.value[:, BITCOIN]
            if place.korean:
                level[row] += block.premiums[:, max(place.coin, 0)] * place.korean
        return level, spread, activity, dollars


def _binance_places() -> tuple[Place, ...]:
    def place(column: int, turnover: float, kind: Kind) -> Place:
        trades = 5.0 if kind is Kind.LEVERAGED else _ALWAYS
        return Place(column, "USDT", turnover * 1e6 / 24, trades, 0.0)

    fixed = [place(column, coin.turnover, coin.kind) for column, coin in enumerate(COINS)]
    passing = [place(len(COINS) + slot, 8.0, Kind.COIN) for slot in range(SLOTS)]
    return (*fixed, *passing)


def _upbit_places() -> tuple[Place, ...]:
    column = {coin.ticker: index for index, coin in enumerate(COINS)}
    usd = 1e6 / 24
    won = [Place(-1, "KRW", 90 * usd, _ALWAYS, 0.6)]
    for coin in COINS:
        if coin.on_upbit:
            share = 0.12 if coin.ticker in ("BTC", "ETH", "USDC") else 0.45
            trades = _ALWAYS if coin.turnover >= 6 else 1.2 * coin.turnover
            korean = 0.6 if coin.kind is Kind.PEGGED else 1.0
            won.append(
                Place(column[coin.ticker], "KRW", share * coin.turnover * usd, trades, korean)
            )
    bitcoin = [Place(column[ticker], "BTC", 0.03 * usd, 1.4, 0.0) for ticker in IN_BITCOIN]
    tether = [Place(column[ticker], "USDT", 0.08 * usd, 2.6, 0.2) for ticker in IN_TETHER]
    passing = [Place(len(COINS) + slot, "KRW", 4 * usd, 9.0, 1.0) for slot in range(SLOTS)]
    return (*won, *bitcoin, *tether, *passing)


def _extremes(level: Array, spread: Array, up: Array, down: Array) -> tuple[Array, Array]:
    """The hour's highest and lowest price: extremes of a Brownian bridge between its ends, drawn from
    their exact distributions (as if independent of each other).
    """
    start, move = level[:, :-1], np.diff(level, axis=1)
    width = 2 * spread**2
    highest = (move + np.sqrt(move**2 - width * np.log1p(-up))) / 2
    lowest = (move - np.sqrt(move**2 - width * np.log1p(-down))) / 2
    return np.exp(start + highest), np.exp(start + lowest)


def _outage(random: np.random.Generator, block: int, stream: int) -> slice:
    """The hours in which nothing trades: in every second block, staggered by exchange."""
    start, length = int(random.integers(24, HOURS - 24)), int(random.integers(1, 4))
    return slice(start, start + length) if (block + stream) % 2 == 0 else slice(0)


def _on_ticks(prices: Array, ticks: Array) -> Array:
    """The nearest multiples of `ticks` (at least one): whole numbers, or decimals as short as can be."""
    coarse = ticks >= 1
    whole = np.rint(prices / np.where(coarse, ticks, 1.0)) * ticks
    per_unit = np.rint(1 / np.where(coarse, 1.0, ticks))
    fine = np.rint(prices * per_unit) / per_unit
    return np.maximum(np.where(coarse, whole, fine), ticks)


def _fixed_tick(first: float) -> float:
    """Five figures of the first price, between 0.00000001 and 0.01."""
    return float(10.0 ** -min(8, max(2, 4 - int(np.floor(np.log10(first))))))


def _lot(first: float) -> float:
    return float(10.0 ** -min(5, max(0, 1 + int(np.floor(np.log10(first))))))
