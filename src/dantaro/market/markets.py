"""Markets, tickers and the origin of data."""

from dataclasses import dataclass
from enum import StrEnum


class Origin(StrEnum):
    """Where data comes from. A store holds one origin only, and every answer says which."""

    LIVE = "live"
    RECORDED = "recorded"
    SIMULATED = "simulated"


@dataclass(frozen=True, slots=True, order=True)
class Market:
    """One spot market of one exchange.

    `symbol` is ccxt's unified form (`BTC/KRW`), `venue_symbol` the exchange's own (`KRW-BTC`).
    `flags` are the exchange's own notices, in our words: `caution`, `warning`, `delisting`
    (empty: none published). `listed` is false once the exchange no longer offers the market.
    """

    exchange: str
    symbol: str
    base: str
    quote: str
    venue_symbol: str
    flags: tuple[str, ...] = ()
    listed: bool = True

    @property
    def key(self) -> str:
        """`upbit:BTC/KRW`: unique over all exchanges."""
        return f"{self.exchange}:{self.symbol}"


@dataclass(frozen=True, slots=True)
class Ticker:
    """The latest trade price and the rolling 24 hours behind it.

    `change_24h` is a fraction (0.01 = +1 %), `turnover_24h` in quote currency; None where the
    exchange does not publish it. `at_ms` is the exchange's own time, else the time of the answer.
    """

    exchange: str
    symbol: str
    price: float
    change_24h: float | None
    turnover_24h: float | None
    at_ms: int
