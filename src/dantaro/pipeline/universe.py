"""Which markets are collected: the largest by turnover, per exchange and quote currency."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from dantaro.market.markets import Ticker
from dantaro.storage.catalogue import StoredMarket


def choose_universe(
    markets: Iterable[StoredMarket],
    tickers: Mapping[str, Ticker],
    *,
    quotes: Sequence[str],
    size: int,
) -> tuple[StoredMarket, ...]:
    """The `size` listed markets with the largest 24 h turnover of each exchange and quote.

    `tickers` by `Market.key`; a market without a turnover comes last. Ordered by rank within its
    quote (the first of every quote, then the second of every quote ...), because turnovers in
    different currencies cannot be compared.
    """
    groups: dict[tuple[str, str], list[StoredMarket]] = defaultdict(list)
    for stored in markets:
        if stored.market.listed and stored.market.quote in quotes:
            groups[stored.market.exchange, stored.market.quote].append(stored)
    ranked: list[tuple[int, str, StoredMarket]] = []
    for group in groups.values():
        group.sort(key=lambda stored: (-_turnover(stored, tickers), stored.market.symbol))
        ranked += [(rank, stored.market.key, stored) for rank, stored in enumerate(group[:size])]
    return tuple(stored for _, _, stored in sorted(ranked, key=lambda item: item[:2]))


def _turnover(stored: StoredMarket, tickers: Mapping[str, Ticker]) -> float:
    ticker = tickers.get(stored.market.key)
    return -1.0 if ticker is None or ticker.turnover_24h is None else ticker.turnover_24h
