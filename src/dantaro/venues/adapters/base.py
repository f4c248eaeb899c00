"""What an exchange's adapter answers, and the pieces that several of them share."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dantaro.market.markets import Market
from dantaro.market.timeframes import Timeframe
from dantaro.venues.gateway import Gateway
from dantaro.venues.rows import Row

TIMEFRAMES = ("1m", "5m", "15m", "30m", "1h", "4h", "1d")
MAX_CANDLE_BODY_BYTES = 4 * 1024 * 1024  # a page of 1,000 candles is about 200 KB


@dataclass(frozen=True, slots=True)
class Window:
    """The slots of one call: candles that open in [start_ms, end_ms), aligned on the timeframe."""

    start_ms: int
    end_ms: int
    count: int


@dataclass(frozen=True, slots=True)
class Listing:
    """One entry of an exchange's market list, in the exchange's own codes."""

    venue_symbol: str
    base: str
    quote: str
    flags: tuple[str, ...] = ()
    listed: bool = True


@dataclass(frozen=True, slots=True)
class Quote:
    """One entry of an exchange's tickers; `price` None if it has none (or none that is readable)."""

    venue_symbol: str
    price: float | None
    change_24h: float | None
    turnover_24h: float | None
    at_ms: int | None


class Adapter(ABC):
    """What differs between exchanges. Adapters keep no data; all I/O goes through the gateway."""

    timeframes: Mapping[str, str]  # ours -> the exchange's own name, for those it aligns on UTC
    newest_first = False
    counts_back = False  # it answers "the N before a time", which can reach before the window

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self.exchange = gateway.exchange

    @abstractmethod
    def window_candles(self, timeframe: Timeframe) -> int:
        """The slots to ask for in one call."""

    @abstractmethod
    async def listings(self) -> Sequence[Listing | None]:
        """The spot markets; None stands for an entry that cannot be read."""

    @abstractmethod
    async def quotes(self, markets: Sequence[Market]) -> Sequence[Quote]:
        """The tickers of at least `markets`; those that cannot be read are left out."""

    @abstractmethod
    async def rows(self, market: Market, timeframe: Timeframe, window: Window) -> Sequence[Row]:
        """Every raw row sent for `window`."""

    async def candle_answer(self, endpoint: str, params: Mapping[str, object]) -> Any:
        """The decoded answer of a candle endpoint, refused when it is far larger than a page."""
        return await self.gateway.call(endpoint, params, max_body_bytes=MAX_CANDLE_BODY_BYTES)


def text_of(entry: object, name: str) -> str | None:
    """The non-empty text under `name` of a JSON object, else None."""
    value = entry.get(name) if isinstance(entry, dict) else None
    return value if isinstance(value, str) and value and len(value) <= 100 else None


def flags_of(**raised: object) -> tuple[str, ...]:
    """The names of those notices that are raised."""
    return tuple(name for name, value in raised.items() if value)
