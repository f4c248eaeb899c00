"""Coins over several markets, and the sets of markets that are ranked among themselves."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dantaro.analysis.panel import BoolArray, FloatArray
from dantaro.analysis.scores import RankedSet
from dantaro.market.markets import Market

ALL = "all"
_NO_RATE = "no exchange rate among the collected markets: ranked in its own sets only"


@dataclass(frozen=True, slots=True, eq=False)
class Members:
    """M markets with what decides where they stand: whether they are `scored`, their price and
    their thirty-day median turnover in US dollars (NaN without a rate).
    """

    markets: tuple[Market, ...]
    scored: BoolArray
    price_usd: FloatArray
    turnover_usd: FloatArray


def identify(members: Members, *, ratio: float) -> tuple[tuple[str, ...], Mapping[int, float]]:
    """The coin of each row, and the rows whose price contradicts their ticker.

    Among the scored markets of one ticker the one with the largest turnover says what the coin is
    worth. A market of another exchange whose price in dollars is more than `ratio` times off is
    another coin, named `TICKER@exchange`, and maps to its price over the coin's.
    """
    coins = [market.base for market in members.markets]
    conflicts: dict[int, float] = {}
    for base, rows in _grouped(members, lambda market: market.base).items():
        priced = [row for row in rows if np.isfinite(members.price_usd[row])]
        if len(priced) < 2:
            continue
        reference = min(priced, key=lambda row: _liquidity_order(members, row))
        for row in priced:
            market = members.markets[row]
            relative = float(members.price_usd[row] / members.price_usd[reference])
            elsewhere = market.exchange != members.markets[reference].exchange
            if elsewhere and max(relative, 1.0 / relative) > ratio:
                conflicts[row] = relative
                coins[row] = f"{base}@{market.exchange}"
    return tuple(coins), conflicts


def ranked_sets(
    members: Members, coins: Sequence[str], *, apart: Collection[int]
) -> tuple[RankedSet, ...]:
    """Every ranked set with at least one scored member: `all`, exchanges, quotes, exchange and quote.

    A set that can hold several markets of a coin takes its most liquid one. Rows in `apart` are kept
    out of the sets that span exchanges.
    """
    own = [row for row in range(len(members.markets)) if members.scored[row]]
    spanning = [row for row in own if row not in apart]
    exchanges = _grouped(members, lambda market: market.exchange)
    quotes = _grouped(members, lambda market: market.quote)
    pairs = _grouped(members, lambda market: f"{market.exchange}:{market.quote}")
    named: list[tuple[str, list[int]]] = [(ALL, spanning)]
    named += sorted(exchanges.items())
    named += [
        (f"*:{quote}", [row for row in rows if row not in apart])
        for quote, rows in sorted(quotes.items())
    ]
    named += sorted(pairs.items())
    sets = (_ranked_set(name, rows, members, coins) for name, rows in named)
    return tuple(ranked for ranked in sets if len(ranked.members))


def is_traced(name: str) -> bool:
    """Whether a set's scores are kept with all their parts: `all`, and one quote of one exchange.

    Every ranked market stands in one of those; the sets between them would only repeat it.
    """
    exchange, _, quote = name.partition(":")
    return name == ALL or bool(quote and exchange != "*")


def _ranked_set(
    name: str, rows: Sequence[int], members: Members, coins: Sequence[str]
) -> RankedSet:
    comparable, missing = _comparable(rows, members)
    best: dict[str, int] = {}
    for row in sorted(comparable, key=lambda row: _liquidity_order(members, row)):
        best.setdefault(coins[row], row)
    return RankedSet(name, np.array(sorted(best.values()), dtype=np.int64), missing)


def _comparable(rows: Sequence[int], members: Members) -> tuple[Sequence[int], Mapping[str, str]]:
    """The rows whose turnovers are in one currency: dollars, else the commonest quote alone."""
    by_quote: dict[str, list[int]] = {}
    for row in rows:
        by_quote.setdefault(members.markets[row].quote, []).append(row)
    if len(by_quote) < 2:
        return rows, {}
    converted = [row for row in rows if np.isfinite(members.turnover_usd[row])]
    if not converted:
        quote = max(by_quote, key=lambda name: (len(by_quote[name]), name))
        converted = by_quote[quote]
    left_out = {members.markets[row].quote for row in set(rows) - set(converted)}
    return converted, dict.fromkeys(sorted(left_out), _NO_RATE)


def _liquidity_order(members: Members, row: int) -> tuple[float, str]:
    turnover = members.turnover_usd[row]
    return (-float(turnover) if np.isfinite(turnover) else 0.0, members.markets[row].key)


def _grouped(members: Members, name: Callable[[Market], str]) -> dict[str, list[int]]:
    groups: dict[str, list[int]] = {}
    for row in np.flatnonzero(members.scored):
        groups.setdefault(name(members.markets[row]), []).append(int(row))
    return groups
