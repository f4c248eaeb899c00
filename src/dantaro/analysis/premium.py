"""The KRW premium: what a coin costs in won over what it costs in USDT, at the exchange's own rate.

    premium = KRW price / (USDT price * KRW per USDT) - 1

The USDT price is that of the most liquid USDT market of the coin on any exchange. KRW per USDT comes
from the same exchange's USDT/KRW market, else from another exchange's, which `rate_source` then names;
without any there is no premium: a rate that BTC implies would make BTC's premium zero by definition.
`INDEX` is the mean over an exchange's coins, weighted by their 24-hour turnover in KRW.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from dantaro.analysis.rates import Rate, Rates
from dantaro.market.markets import Market, Ticker
from dantaro.market.results import Premium

INDEX = "INDEX"
NO_RATE = "no exchange has a USDT/KRW market with a price"
NO_PAIRS = "no coin is traded against both KRW and USDT"


@dataclass(frozen=True, slots=True)
class Quotes:
    """Prices and 24-hour turnovers by `Market.key`, as far as they are known."""

    prices: Mapping[str, float]
    turnovers: Mapping[str, float]

    @classmethod
    def of(cls, tickers: Mapping[str, Ticker], closes: Mapping[str, float]) -> "Quotes":
        """The latest ticker of each market, else its last close (which has no turnover)."""
        prices = dict(closes)
        prices.update({key: ticker.price for key, ticker in tickers.items() if ticker.price > 0})
        turnovers = {
            key: ticker.turnover_24h
            for key, ticker in tickers.items()
            if ticker.turnover_24h is not None
        }
        return cls(prices, turnovers)


def premium(
    markets: Sequence[Market],
    quotes: Quotes,
    *,
    coins: Collection[str],
    data_as_of_ms: int,
) -> tuple[tuple[Premium, ...], Mapping[str, str]]:
    """The premium rows of every exchange with KRW markets, `INDEX` first, and for each exchange
    without rows the reason.

    `coins` are the tickers that mean the same coin everywhere and are not currencies themselves.
    """
    rates = Rates(markets, quotes.prices, quotes.turnovers)
    rows: list[Premium] = []
    missing: dict[str, str] = {}
    won_markets = [m for m in markets if m.quote == "KRW" and m.listed]
    for exchange in sorted({market.exchange for market in won_markets}):
        rate = rates.per_dollar(exchange, "KRW")
        if rate is None:
            missing[exchange] = NO_RATE
            continue
        own = [m for m in won_markets if m.exchange == exchange and m.base in coins]
        found = [_of_coin(market, rate, rates, quotes, data_as_of_ms) for market in own]
        of_coins = sorted((row for row in found if row is not None), key=lambda row: row.coin)
        if not of_coins:
            missing[exchange] = NO_PAIRS
            continue
        rows += [_index(exchange, of_coins, rate, data_as_of_ms), *of_coins]
    return tuple(rows), missing


def _of_coin(
    market: Market, rate: Rate, rates: Rates, quotes: Quotes, data_as_of_ms: int
) -> Premium | None:
    abroad = rates.most_liquid(market.base, "USDT")
    krw_price = quotes.prices.get(market.key)
    if abroad is None or krw_price is None:
        return None
    usdt_price = quotes.prices[abroad.key]
    return Premium(
        exchange=market.exchange,
        coin=market.base,
        premium=krw_price / (usdt_price * rate.value) - 1.0,
        krw_price=krw_price,
        usdt_price=usdt_price,
        krw_per_usdt=rate.value,
        rate_source=rate.source,
        turnover_krw=quotes.turnovers.get(market.key),
        data_as_of_ms=data_as_of_ms,
    )


def _index(exchange: str, of_coins: Sequence[Premium], rate: Rate, data_as_of_ms: int) -> Premium:
    """Weighted by turnover; by equal weights only while no turnover at all is known."""
    known = sum(row.turnover_krw or 0.0 for row in of_coins)
    weights = [
        (row.turnover_krw or 0.0) / known if known else 1 / len(of_coins) for row in of_coins
    ]
    return Premium(
        exchange=exchange,
        coin=INDEX,
        premium=sum(w * row.premium for w, row in zip(weights, of_coins, strict=True)),
        krw_price=None,
        usdt_price=None,
        krw_per_usdt=rate.value,
        rate_source=rate.source,
        turnover_krw=known or None,
        data_as_of_ms=data_as_of_ms,
    )
