"""The price that an answer shows for a market: one rule for every answer."""

from dataclasses import dataclass, replace
from typing import Any, Literal

from dantaro.market.results import Bands, Side
from dantaro.queries import Snapshot
from dantaro.queries.parts import market_key

PriceSource = Literal["ticker", "last_close"]
CROSSED = "crossed_since_computed"

BAND_NAMES = (
    "aggressive_support",
    "moderate_support",
    "conservative_support",
    "aggressive_resistance",
    "moderate_resistance",
    "conservative_resistance",
)


@dataclass(frozen=True, slots=True)
class ShownPrice:
    """A price, its time, and where it comes from."""

    price: float
    at_ms: int
    source: PriceSource


def shown_price(snapshot: Snapshot, key: str, *, close: float, closed_at_ms: int) -> ShownPrice:
    """The price that was frozen with the generation (a ticker, else a last close); where there is none,
    the `close` that the caller knows.
    """
    frozen = None if snapshot.prices is None else snapshot.prices.by_market.get(key)
    if frozen is None:
        return ShownPrice(close, closed_at_ms, "last_close")
    source: PriceSource = "ticker" if frozen.source == "ticker" else "last_close"
    return ShownPrice(frozen.price, frozen.at_ms, source)


def is_crossed(side: Side, level: float, price: float) -> bool:
    """Whether the price is no longer on the level's side: a support is below it, a resistance above."""
    return level >= price if side is Side.SUPPORT else level <= price


def shown_bands(snapshot: Snapshot, bands: Bands) -> Bands:
    """The bands beside the price that is shown with them: one that it has crossed since is None."""
    key = market_key(bands.exchange, bands.symbol)
    price = shown_price(snapshot, key, close=bands.price, closed_at_ms=bands.data_as_of_ms).price
    changes: dict[str, Any] = {}
    for name in BAND_NAMES:
        level = getattr(bands, name)
        side = Side.SUPPORT if name.endswith("_support") else Side.RESISTANCE
        if level is not None and is_crossed(side, level, price):
            changes[name] = None
    if not changes:
        return bands
    reasons = {**bands.missing, **dict.fromkeys(changes, CROSSED)}
    return replace(bands, missing=reasons, **changes)
