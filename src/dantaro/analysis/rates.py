"""What one unit of a quote currency is worth in US dollars, from the collected markets alone.

Dollar stablecoins are taken as one dollar each. For another currency the sources are, in order: the
same exchange's market against a dollar (USDT/KRW), another exchange's, and the rate that BTC implies
(BTC/USDT over BTC/KRW). Without any of them there is no rate, and nothing is invented.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from dantaro.analysis.coins import DOLLARS
from dantaro.market.markets import Market

_PREFERRED = ("USDT", "USDC", "USD")


@dataclass(frozen=True, slots=True)
class Rate:
    """An exchange rate and the market or markets it was read from."""

    value: float
    source: str


class Rates:
    """Looks up rates; `prices` maps `Market.key` to the latest price, `turnovers` to the 24-hour
    turnover (both may lack a market).
    """

    def __init__(
        self,
        markets: Sequence[Market],
        prices: Mapping[str, float],
        turnovers: Mapping[str, float],
    ) -> None:
        self._prices = prices
        self._turnovers = turnovers
        self._by_pair: dict[tuple[str, str], list[Market]] = {}
        for market in markets:
            if market.listed and market.key in prices:
                self._by_pair.setdefault((market.base, market.quote), []).append(market)
        self._found: dict[tuple[str, str], Rate | None] = {}

    def find(self, exchange: str, currency: str) -> Rate | None:
        """US dollars per unit of `currency` as seen from `exchange`, or None."""
        place = exchange, currency
        if place not in self._found:
            self._found[place] = self._find(exchange, currency)
        return self._found[place]

    def per_dollar(self, exchange: str, currency: str) -> Rate | None:
        """Units of `currency` per USDT from a USDT market of `exchange`, else of another exchange."""
        market = self._market(exchange, "USDT", (currency,))
        return None if market is None else Rate(self._prices[market.key], market.key)

    def most_liquid(self, base: str, quote: str) -> Market | None:
        """The priced market of `base` in `quote` with the largest turnover on any exchange."""
        return self._market("", base, (quote,))

    def _market(self, exchange: str, base: str, quotes: Iterable[str]) -> Market | None:
        """The market of `base` in the first of `quotes` that is priced: the exchange's own, else the
        one with the largest turnover.
        """
        for quote in quotes:
            candidates = self._by_pair.get((base, quote))
            if candidates:
                return min(candidates, key=lambda market: self._preference(market, exchange))
        return None

    def _preference(self, market: Market, exchange: str) -> tuple[bool, float, str]:
        return market.exchange != exchange, -self._turnovers.get(market.key, 0.0), market.key

    def _find(self, exchange: str, currency: str) -> Rate | None:
        if currency in DOLLARS:
            return Rate(1.0, "taken as one US dollar")
        direct = self._direct(exchange, currency)
        return direct or self._through_bitcoin(exchange, currency)

    def _direct(self, exchange: str, currency: str) -> Rate | None:
        pairs = [pair for dollar in _PREFERRED for pair in ((currency, dollar), (dollar, currency))]
        candidates = [
            (place, market)
            for place, pair in enumerate(pairs)
            for market in self._by_pair.get(pair, ())
        ]
        if not candidates:
            return None
        _, market = min(
            candidates,
            key=lambda item: (
                item[1].exchange != exchange,
                item[0],
                *self._preference(item[1], ""),
            ),
        )
        price = self._prices[market.key]
        return Rate(price if market.base == currency else 1.0 / price, market.key)

    def _through_bitcoin(self, exchange: str, currency: str) -> Rate | None:
        inner = self._market(exchange, "BTC", (currency,))
        outer = self._market(exchange, "BTC", _PREFERRED)
        if inner is None or outer is None:
            return None
        value = self._prices[outer.key] / self._prices[inner.key]
        return Rate(value, f"{outer.key} over {inner.key}")
