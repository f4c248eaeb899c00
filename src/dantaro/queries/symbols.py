"""Which market a caller means by `BTC`, `BTC/USDT`, `btc-usdt`, `KRW-BTC` or `upbit:BTC/KRW`.

A name may fit several markets: a coin trades on many exchanges. The *reference market* is then the one
that the coin is ranked by, and the answer says so. Pure: built from a catalogue and a snapshot's
rankings, no I/O.
"""

import difflib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from dantaro.errors import InvalidRequest, NotFound
from dantaro.market.markets import Market

MAX_SYMBOL_LENGTH = 64
_CANDIDATES_NAMED = 20
_SEPARATORS = str.maketrans({"-": "/", "_": "/"})


@dataclass(frozen=True, slots=True)
class Resolution:
    """What a name was taken for: `requested` as written, the chosen `market`, and `candidates`, the
    keys of all markets that fit, the chosen one first (at most 20 are named).
    """

    requested: str
    market: Market
    candidates: tuple[str, ...]

    @property
    def ambiguous(self) -> bool:
        """Whether more than one market fits, so that the reference market was taken."""
        return len(self.candidates) > 1


class Catalogue:
    """The markets by every name that a caller may use for them."""

    def __init__(self, markets: Iterable[Market]) -> None:
        self._by_key = {market.key: market for market in markets}
        self._names: dict[str, list[Market]] = {}
        for market in self._by_key.values():
            for name in _names(market):
                self._names.setdefault(name, []).append(market)

    @property
    def markets(self) -> tuple[Market, ...]:
        """Every market, in the order in which they came."""
        return tuple(self._by_key.values())

    @property
    def exchanges(self) -> tuple[str, ...]:
        """The exchanges, sorted."""
        return tuple(sorted({market.exchange for market in self._by_key.values()}))

    @property
    def quotes(self) -> tuple[str, ...]:
        """The quote currencies, sorted."""
        return tuple(sorted({market.quote for market in self._by_key.values()}))

    def get(self, key: str) -> Market | None:
        """The market with this `Market.key`."""
        return self._by_key.get(key)

    def find(
        self, name: str, *, exchange: str | None = None, suggest: bool = True
    ) -> tuple[Market, ...]:
        """Every market that `name` fits, on `exchange` only when given.

        `suggest` looks for near names when nothing fits, which takes some milliseconds.

        Raises:
            InvalidRequest: the name is empty or too long to be one.
            NotFound: nothing fits; carries the nearest names.
        """
        cleaned = name.strip().upper()
        if not cleaned or len(cleaned) > MAX_SYMBOL_LENGTH:
            raise InvalidRequest(
                f"a symbol has 1 to {MAX_SYMBOL_LENGTH} characters, such as BTC or BTC/USDT"
            )
        found = self._names.get(cleaned) or self._names.get(cleaned.translate(_SEPARATORS)) or []
        if exchange is not None:
            found = [market for market in found if market.exchange == exchange]
        if not found:
            raise self._not_found(name, exchange, suggest=suggest)
        return tuple(found)

    def resolve(
        self,
        name: str,
        *,
        exchange: str | None = None,
        suggest: bool = True,
        preference: Callable[[Market], tuple[object, ...]],
    ) -> Resolution:
        """The market that `name` means; of several, the one with the least `preference`.

        `suggest` as in `find`.

        Raises:
            InvalidRequest: the name is empty or too long to be one.
            NotFound: nothing fits; carries the nearest names.
        """
        found = sorted(self.find(name, exchange=exchange, suggest=suggest), key=preference)
        keys = tuple(market.key for market in found[:_CANDIDATES_NAMED])
        return Resolution(requested=name, market=found[0], candidates=keys)

    def _not_found(self, name: str, exchange: str | None, *, suggest: bool) -> NotFound:
        where = "" if exchange is None else f" on {exchange}"
        nearest = self.nearest(name, exchange=exchange) if suggest else ()
        hint = f"; did you mean {', '.join(nearest)}?" if nearest else ""
        return NotFound(f"no market is known by {name.strip()!r}{where}{hint}", nearest=nearest)

    def nearest(self, name: str, *, exchange: str | None = None) -> tuple[str, ...]:
        """Up to five known names that look like `name`: coins when it looks like one, else pairs."""
        cleaned = name.strip().upper().translate(_SEPARATORS)[:MAX_SYMBOL_LENGTH]
        bare = cleaned.rpartition(":")[2]
        markets = [
            market
            for market in self._by_key.values()
            if exchange is None or market.exchange == exchange
        ]
        known = {m.symbol.upper() if "/" in bare else m.base.upper() for m in markets}
        return tuple(difflib.get_close_matches(bare, sorted(known), n=5, cutoff=0.6))


def nearest_words(word: str, known: Sequence[str]) -> tuple[str, ...]:
    """Up to three of `known` that look like `word`."""
    return tuple(difflib.get_close_matches(word, known, n=3, cutoff=0.5))


def market_from_symbol(exchange: str, symbol: str) -> Market:
    """The market named by a result row, when the catalogue itself cannot be read."""
    base, _, quote = symbol.partition("/")
    return Market(exchange=exchange, symbol=symbol, base=base, quote=quote, venue_symbol=symbol)


def _names(market: Market) -> set[str]:
    symbol, venue_symbol = market.symbol.upper(), market.venue_symbol.upper()
    exchange = market.exchange.upper()
    plain = (market.base.upper(), symbol, venue_symbol)
    # `ABC@BITHUMB`: a coin whose price says that it is not the ABC of other exchanges
    return {*plain, *(f"{exchange}:{name}" for name in plain), f"{market.base.upper()}@{exchange}"}
