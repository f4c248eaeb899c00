"""The simulated world behind all simulated exchanges: coins' values in USD, and the price of money.

Everything is a function of the seed and the time alone. Time is cut into blocks of thirty days counted
from the fixed `ANCHOR_MS`; the random numbers of a block come from a counter-based generator keyed by
(seed, block), and the state at its beginning from the block before. So nothing depends on when the
simulation is started, in which process, or how far it is taken.

The model, all in logarithms:

- the market moves with Student-t hours, a volatility that clusters (a mean-reverting log-volatility
  times the regime's), and a drift by regime: calm, rise, fall, stress;
- a coin moves by its beta times the market, its sector, and itself (Student-t, its own clustering
  volatility); levels revert over months, so that prices stay plausible for years;
- activity (volume) reverts over days and rises with the size of the hour's move;
- the Korean won floats against the dollar, and coins cost more or less in Korea by a premium that
  reverts over days and follows the market.
"""

from collections import OrderedDict
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from dantaro.exchange_server.coins import BITCOIN, COINS, PASSING, SECTORS, Coin, Kind
from dantaro.market.timeframes import DAY_MS, HOUR_MS

ANCHOR_MS = 1_704_067_200_000  # 2024-01-01: the simulation knows nothing before
DAYS = 30
HOURS = DAYS * 24
BLOCK_MS = HOURS * HOUR_MS

SLOTS = 6  # places of coins that come and go, and the blocks that each of them stays
WIDTH = len(COINS) + SLOTS

Array = npt.NDArray[np.float64]

_KEPT_BLOCKS = 4

# Regimes by day: calm, rise, fall, stress.
_REGIME_VOLATILITY = np.array([0.7, 1.0, 1.2, 2.3])
_REGIME_DRIFT = np.array([0.0, 1.7e-4, -1.3e-4, -4e-4])  # an hour
_REGIME_STEPS = np.array(
    [
        [0.93, 0.035, 0.03, 0.005],
        [0.05, 0.92, 0.02, 0.01],
        [0.04, 0.03, 0.91, 0.02],
        [0.15, 0.05, 0.20, 0.60],
    ]
).cumsum(axis=1)

_MARKET_HOURLY = 0.0042
_SECTOR_HOURLY = 0.0013
_WON = np.log(1340.0)  # usual KRW per USD
_PREMIUM = 0.012  # usual, of Korea


@dataclass(frozen=True, slots=True)
class State:
    """Where the processes stand at the beginning of a block."""

    regime: int
    market: float
    mood: float  # log-volatility of the market
    activity: float
    won: float
    premium: float
    sectors: Array
    own: Array
    moods: Array
    activities: Array
    premiums: Array


@dataclass(frozen=True, slots=True)
class _Paths:
    """The processes of `State` over a block, row 0 being its beginning, and what they were built from:
    the regime of each day, the market's volatility factor and each coin's own spread by the hour.
    """

    days: npt.NDArray[np.int64]
    market: Array
    mood: Array
    activity: Array
    won: Array
    premium: Array
    sectors: Array
    own: Array
    moods: Array
    activities: Array
    premiums: Array
    shake: Array
    own_spread: Array

    def end(self) -> State:
        """Where they stand at the end of the block."""
        return State(
            regime=int(self.days[-1]),
            market=float(self.market[-1]),
            mood=float(self.mood[-1]),
            activity=float(self.activity[-1]),
            won=float(self.won[-1]),
            premium=float(self.premium[-1]),
            sectors=self.sectors[-1].copy(),
            own=self.own[-1].copy(),
            moods=self.moods[-1].copy(),
            activities=self.activities[-1].copy(),
            premiums=self.premiums[-1].copy(),
        )


@dataclass(frozen=True, slots=True)
class Block:
    """Thirty days of the world; rows are hours (levels: their boundaries), columns coins.

    `value` is log USD, `spread` the standard deviation of the hour's path, `activity` a factor on
    the usual volume; `won` is log KRW per USD, `premium` Korea's in logs, `premiums` each coin's own.
    """

    index: int
    coins: tuple[Coin, ...]
    value: Array
    spread: Array
    activity: Array
    won: Array
    premium: Array
    premiums: Array


def generator(seed: int, stream: int) -> np.random.Generator:
    """The random numbers of one stream of a seed."""
    key = np.array([seed % 2**64, stream], np.uint64)
    return np.random.Generator(np.random.Philox(key=key))


def block_of(at_ms: int) -> int:
    """The block that contains a time."""
    return (at_ms - ANCHOR_MS) // BLOCK_MS


def life_of(slot: int, block: int) -> int:
    """The block in which the coin that holds `slot` in `block` was listed (negative: long ago)."""
    return block - (block - slot) % SLOTS


def passing_coin(life: int) -> Coin:
    """The coin that was listed in block `life`."""
    return PASSING[life % len(PASSING)]


def coin_at(column: int, block: int) -> Coin:
    """The coin of one of the world's columns in a block."""
    slot = column - len(COINS)
    return COINS[column] if slot < 0 else passing_coin(life_of(slot, block))


class World:
    """The blocks of one seed, computed when first asked for."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._states = [_first_state(seed)]
        self._blocks: OrderedDict[int, Block] = OrderedDict()

    def block(self, index: int) -> Block:
        """Block `index`, counted from the anchor."""
        while len(self._states) <= index:
            self._compute(len(self._states) - 1)
        if index not in self._blocks:
            self._compute(index)
        return self._blocks[index]

    def _compute(self, index: int) -> None:
        state = self._states[index]
        block, following = _block(self.seed, index, state)
        if len(self._states) == index + 1:
            self._states.append(following)
        self._blocks[index] = block
        if len(self._blocks) > _KEPT_BLOCKS:
            self._blocks.popitem(last=False)


def _first_state(seed: int) -> State:
    random = generator(seed, 0)
    return State(
        regime=0,
        market=0.0,
        mood=0.0,
        activity=0.0,
        won=0.0,
        premium=0.0,
        sectors=np.zeros(SECTORS),
        own=np.zeros(WIDTH),
        moods=random.normal(0.0, 0.35, WIDTH),
        activities=random.normal(0.0, 0.4, WIDTH),
        premiums=np.zeros(WIDTH),
    )


def _block(seed: int, index: int, state: State) -> tuple[Block, State]:
    coins = tuple(coin_at(column, index) for column in range(WIDTH))
    own = state.own.copy()
    own[[len(COINS) + slot for slot in range(SLOTS) if life_of(slot, index) == index]] = 0.0
    paths = _paths(generator(seed, index + 1), replace(state, own=own), coins)
    return _seen(index, coins, paths), paths.end()


def _paths(random: np.random.Generator, start: State, coins: tuple[Coin, ...]) -> _Paths:
    days = _regimes(random, start.regime)
    regimes = np.repeat(days, 24)
    mood = _reverting(start.mood, random.normal(0.0, 0.055, HOURS), 40.0)
    shake = _REGIME_VOLATILITY[regimes] * np.exp(mood[1:])
    market_moves = shake * _MARKET_HOURLY * _fat(random, HOURS) + _REGIME_DRIFT[regimes]
    market = _reverting(start.market, market_moves, 6000.0)
    sector_moves = shake[:, None] * _SECTOR_HOURLY * _fat(random, (HOURS, SECTORS))
    moods = _reverting(start.moods, random.normal(0.0, 0.06, (HOURS, WIDTH)), 60.0)
    own_spread = _usual(coins) * np.exp(moods[1:] - 0.1) * np.sqrt(shake)[:, None]
    own_moves = own_spread * _fat(random, (HOURS, WIDTH))
    premium_moves = random.normal(0.0, 0.0011, HOURS) + 0.06 * np.diff(market)
    return _Paths(
        days=days,
        market=market,
        mood=mood,
        activity=_reverting(start.activity, random.normal(0.0, 0.035, HOURS), 72.0),
        won=_reverting(start.won, random.normal(0.0, 0.0007, HOURS), 4000.0),
        premium=_reverting(start.premium, premium_moves, 130.0),
        sectors=_reverting(start.sectors, sector_moves, 1440.0),
        own=_reverting(start.own, own_moves, _memory(coins)),
        moods=moods,
        activities=_reverting(start.activities, random.normal(0.0, 0.07, (HOURS, WIDTH)), 60.0),
        premiums=_reverting(start.premiums, random.normal(0.0, 0.0008, (HOURS, WIDTH)), 24.0),
        shake=shake,
        own_spread=own_spread,
    )


def _seen(index: int, coins: tuple[Coin, ...], paths: _Paths) -> Block:
    """What the exchanges see of a block's processes."""
    value = _values(coins, paths)
    value[:, -SLOTS:] += _announced(index)
    moves = np.abs(np.diff(value, axis=0))
    beta = np.array([coin.beta for coin in coins])
    expected = np.sqrt((beta * _MARKET_HOURLY) ** 2 + _usual(coins) ** 2) + 1e-5
    spread = np.sqrt((beta * _MARKET_HOURLY * paths.shake[:, None]) ** 2 + paths.own_spread**2)
    busy = np.exp(paths.activity[1:, None] + paths.activities[1:] - 0.1)
    return Block(
        index=index,
        coins=coins,
        value=value,
        spread=0.6 * spread + 0.5 * moves,
        activity=busy * (0.5 + 0.6 * moves / expected),
        won=paths.won + _WON,
        premium=paths.premium + _PREMIUM,
        premiums=paths.premiums,
    )


def _regimes(random: np.random.Generator, regime: int) -> npt.NDArray[np.int64]:
    """The regime of each day."""
    days = np.empty(DAYS, np.int64)
    for day, draw in enumerate(random.random(DAYS)):
        regime = int(np.searchsorted(_REGIME_STEPS[regime], draw))
        days[day] = regime = min(regime, len(_REGIME_STEPS) - 1)
    return days


def _fat(random: np.random.Generator, shape: int | tuple[int, int]) -> Array:
    """Student-t with four degrees of freedom, unit variance, cut at twelve."""
    moves: Array = np.clip(random.standard_t(4, shape) / np.sqrt(2.0), -12.0, 12.0)
    return moves


def _reverting(start: float | Array, moves: Array, hours: float | Array) -> Array:
    """The mean-reverting sum of `moves` [HOURS, ...] from `start`, with it as row 0.

    x[t+1] = exp(-1/hours) * x[t] + moves[t], in closed form; the decay over a block stays far from
    underflow for `hours` >= 3.
    """
    steps = np.arange(1, HOURS + 1, dtype=np.float64)
    decay = np.exp(-(steps if moves.ndim == 1 else steps[:, None]) / hours)
    path = decay * (start + np.cumsum(moves / decay, axis=0))
    whole: Array = np.concatenate([np.asarray(start)[None], path])
    return whole


def _usual(coins: tuple[Coin, ...]) -> Array:
    """The coins' own moves in a usual hour."""
    return np.array([coin.hourly_percent / 100 for coin in coins])


def _memory(coins: tuple[Coin, ...]) -> Array:
    """The hours after which a coin's own level has reverted; pegs and wrapped coins do within days."""
    hours = np.array([3600.0 if coin.kind is Kind.COIN else 30.0 for coin in coins])
    hours[[coin.ticker == "EUR" for coin in coins]] = 4000.0
    return hours


def _values(coins: tuple[Coin, ...], paths: _Paths) -> Array:
    """Log USD [HOURS + 1, coins]."""
    start = np.log([coin.price for coin in coins])
    beta = np.array([coin.beta for coin in coins])
    in_sector = np.array([1.0 if coin.kind is Kind.COIN else 0.0 for coin in coins])
    sector = paths.sectors[:, [coin.sector for coin in coins]]
    value: Array = start + paths.market[:, None] * beta + sector * in_sector + paths.own
    bitcoin = value[:, BITCOIN] - start[BITCOIN]
    for column, coin in enumerate(coins):
        if coin.kind is Kind.WRAPPED:
            value[:, column] = start[column] + bitcoin + paths.own[:, column]
        elif coin.kind is Kind.LEVERAGED:
            value[:, column] = start[column] + 3 * bitcoin
    return value


def _announced(index: int) -> Array:
    """The fall of a coin in the two days after its delisting is announced, [HOURS + 1, SLOTS]."""
    hours = np.arange(HOURS + 1, dtype=np.float64)[:, None]
    last = np.array([index - life_of(slot, index) == SLOTS - 1 for slot in range(SLOTS)])
    fall: Array = np.where(last, -0.4 * np.minimum(hours / 48.0, 1.0), 0.0)
    return fall


def hours_of(block: int) -> npt.NDArray[np.int64]:
    """Opening times of a block's hours, UTC ms."""
    return ANCHOR_MS + block * BLOCK_MS + np.arange(HOURS, dtype=np.int64) * HOUR_MS


def is_weekend(opened_at_ms: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Whether a time is on a Saturday or Sunday (UTC); 1970-01-01 was a Thursday."""
    return (opened_at_ms // DAY_MS + 3) % 7 >= 5
