"""Which markets are collected: those that the analysis would rank, in the order of their turnover."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from dantaro.analysis.exclusions import universe
from dantaro.analysis.parameters import Parameters
from dantaro.market.markets import Ticker
from dantaro.storage.catalogue import StoredMarket


def choose_universe(
    markets: Iterable[StoredMarket],
    tickers: Mapping[str, Ticker],
    *,
    quotes: Sequence[str],
    size: int,
) -> tuple[StoredMarket, ...]:
    """The markets of the analysis' own universe, so that none of it waits for candles for ever.

    `markets` is the complete catalogue of one or more exchanges, `tickers` by `Market.key`. Ordered by
    rank within exchange and quote (the first of every quote, then the second of every quote ...),
    because turnovers in different currencies cannot be compared; without a turnover a market comes
    last. Of what is not ranked, stablecoins and the like, tickers alone are collected: a rate such as
    USDT/KRW needs no more.
    """
    catalogue = tuple(markets)
    parameters = Parameters(universe_size=size, quotes=tuple(quotes))
    wanted = universe([stored.market for stored in catalogue], tickers, parameters)
    groups: dict[tuple[str, str], list[StoredMarket]] = defaultdict(list)
    for stored in catalogue:
        if stored.market.key in wanted:
            groups[stored.market.exchange, stored.market.quote].append(stored)
    ranked: list[tuple[int, str, StoredMarket]] = []
    for group in groups.values():
        group.sort(key=lambda stored: (-_turnover(stored, tickers), stored.market.key))
        ranked += [(rank, stored.market.key, stored) for rank, stored in enumerate(group)]
    return tuple(stored for _, _, stored in sorted(ranked, key=lambda item: item[:2]))


def _turnover(stored: StoredMarket, tickers: Mapping[str, Ticker]) -> float:
    ticker = tickers.get(stored.market.key)
    return 0.0 if ticker is None else ticker.turnover_24h or 0.0
