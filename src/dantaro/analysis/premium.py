"""The KRW premium: what a coin costs in won over what it costs in USDT, at the exchange's own rate.

    premium = KRW price / (USDT price * KRW per USDT) - 1

The three prices are of one time: all of them current tickers, or all of them closes of the moment's
newest candles. A ticker beside a close of up to an hour ago would show the hour's move as a premium.
The USDT price is that of the most liquid USDT market of the coin on any exchange. KRW per USDT comes
from the same exchange's USDT/KRW market, else from another exchange's, which `rate_source` then names;
without any there is no premium: a rate that BTC implies would make BTC's premium zero by definition.
`INDEX` is the mean over an exchange's coins, weighted by their 24-hour turnover in KRW.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from dantaro.analysis.rates import Rate, Rates
from dantaro.market.markets import Market, Ticker
from dantaro.market.results import Premium

INDEX = "INDEX"
NO_RATE = "no exchange has a USDT/KRW market"
NO_CURRENT_RATE = "no current USDT/KRW price"
NO_PAIRS = "no ranked coin is traded against both KRW and USDT"
DIFFERENT_TIMES = "prices_of_different_times"


@dataclass(frozen=True, slots=True)
class Quotes:
    """What is known of prices, by `Market.key`.

    `current` are the prices of tickers that still hold, `closes` those of the candles that closed last,
    all at the same time; `turnovers` the 24-hour turnovers of the tickers in quote currency, and
    `last_turnovers` those last known, which only help to choose the most liquid market.
    """

    current: Mapping[str, float]
    closes: Mapping[str, float]
    turnovers: Mapping[str, float]
    last_turnovers: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        tickers: Mapping[str, Ticker],
        closes: Mapping[str, float],
        last_turnovers: Mapping[str, float],
    ) -> "Quotes":
        """From the tickers that still hold."""
        turnovers = {
            key: ticker.turnover_24h
            for key, ticker in tickers.items()
            if ticker.turnover_24h is not None
        }
        current = {key: ticker.price for key, ticker in tickers.items() if ticker.price > 0}
        return cls(current, closes, turnovers, last_turnovers)


@dataclass(frozen=True, slots=True)
class _Basis:
    """Prices of one time, and the rates among them."""

    prices: Mapping[str, float]
    turnovers: Mapping[str, float]
    rates: Rates


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
    liquidity = {**quotes.last_turnovers, **quotes.turnovers}
    bases = [
        _Basis(prices, quotes.turnovers, Rates(markets, prices, liquidity))
        for prices in (quotes.current, quotes.closes)
    ]
    rows: list[Premium] = []
    missing: dict[str, str] = {}
    won_markets = [m for m in markets if m.quote == "KRW" and m.listed]
    for exchange in sorted({market.exchange for market in won_markets}):
        own = [m for m in won_markets if m.exchange == exchange and m.base in coins]
        found = (_of_exchange(exchange, own, basis, data_as_of_ms) for basis in bases)
        of_exchange = next(filter(None, found), ())
        if of_exchange:
            rows += of_exchange
        else:
            missing[exchange] = _reason(exchange, markets, own, bases)
    return tuple(rows), missing


def _of_exchange(
    exchange: str, own: Sequence[Market], basis: _Basis, data_as_of_ms: int
) -> Sequence[Premium]:
    """The rows of an exchange by prices of one time, `INDEX` first; none without a rate or a pair."""
    rate = basis.rates.per_dollar(exchange, "KRW")
    if rate is None:
        return ()
    found = [_of_coin(market, rate, basis, data_as_of_ms) for market in own]
    of_coins = sorted((row for row in found if row is not None), key=lambda row: row.coin)
    return (_index(exchange, of_coins, rate, data_as_of_ms), *of_coins) if of_coins else ()


def _reason(
    exchange: str, markets: Sequence[Market], own: Sequence[Market], bases: Sequence[_Basis]
) -> str:
    listed = [market for market in markets if market.listed]
    if not any((market.base, market.quote) == ("USDT", "KRW") for market in listed):
        return NO_RATE
    if not {m.base for m in own} & {m.base for m in listed if m.quote == "USDT"}:
        return NO_PAIRS
    if all(basis.rates.per_dollar(exchange, "KRW") is None for basis in bases):
        return NO_CURRENT_RATE
    return DIFFERENT_TIMES


def _of_coin(market: Market, rate: Rate, basis: _Basis, data_as_of_ms: int) -> Premium | None:
    abroad = basis.rates.most_liquid(market.base, "USDT")
    krw_price = basis.prices.get(market.key)
    if abroad is None or krw_price is None:
        return None
    usdt_price = basis.prices[abroad.key]
    return Premium(
        exchange=market.exchange,
        coin=market.base,
        premium=krw_price / (usdt_price * rate.value) - 1.0,
        krw_price=krw_price,
        usdt_price=usdt_price,
        krw_per_usdt=rate.value,
        rate_source=rate.source,
        turnover_krw=basis.turnovers.get(market.key),
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
