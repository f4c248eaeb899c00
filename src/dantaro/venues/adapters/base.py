"""What an exchange's adapter answers, and the pieces that several of them share."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from dantaro.market.markets import Market
from dantaro.market.timeframes import Timeframe
from dantaro.venues.gateway import Gateway
from dantaro.venues.rows import Row

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
    """What differs between exchanges. Adapters keep no state and do no I/O of their own."""

    options: Mapping[str, object] = MappingProxyType({})  # what ccxt is told
    timeframes: Mapping[str, str]  # ours -> the exchange's own name, for those it aligns on UTC
    window_candles: int  # slots asked for in one call
    newest_first = False
    counts_back = False  # it answers "the N before a time", which can reach before the window

    @abstractmethod
    async def listings(self, gateway: Gateway) -> Sequence[Listing | None]:
        """The spot markets; None stands for an entry that cannot be read."""

    @abstractmethod
    async def quotes(self, gateway: Gateway, markets: Sequence[Market]) -> Sequence[Quote]:
        """The tickers of at least `markets`; those that cannot be read are left out."""

    @abstractmethod
    async def rows(
        self, gateway: Gateway, market: Market, timeframe: Timeframe, window: Window
    ) -> Sequence[Row]:
        """Every raw row sent for `window`."""


def text_of(entry: object, name: str) -> str | None:
    """The non-empty text under `name` of a JSON object, else None."""
    value = entry.get(name) if isinstance(entry, dict) else None
    return value if isinstance(value, str) and value and len(value) <= 100 else None
