"""The price that an answer shows for a market: one rule for every answer."""

from dataclasses import dataclass
from typing import Literal

from dantaro.queries import Snapshot

PriceSource = Literal["ticker", "last_close"]


@dataclass(frozen=True, slots=True)
class ShownPrice:
    """A price, its time, and where it comes from."""

    price: float
    at_ms: int
    source: PriceSource


def shown_price(snapshot: Snapshot, key: str, *, close: float, closed_at_ms: int) -> ShownPrice:
    """The ticker that was frozen with the generation, else the last close."""
    ticker = None if snapshot.prices is None else snapshot.prices.by_market.get(key)
    if ticker is None:
        return ShownPrice(close, closed_at_ms, "last_close")
    return ShownPrice(ticker.price, ticker.at_ms, "ticker")
