import pytest

from dantaro.analysis.exclusions import catalogue_exclusions
from dantaro.analysis.parameters import Parameters
from dantaro.market.markets import Market, Ticker
from dantaro.pipeline.universe import choose_universe
from dantaro.storage.catalogue import StoredMarket


def _stored(number: int, symbol: str, *, listed: bool = True) -> StoredMarket:
    base, quote = symbol.split("/")
    market = Market("upbit", symbol, base, quote, f"{quote}-{base}", listed=listed)
    return StoredMarket(number, market, 0, 0)


def _tickers(**turnovers: float | None) -> dict[str, Ticker]:
    return {
        f"upbit:{name.replace('_', '/')}": Ticker(
            "upbit", name.replace("_", "/"), 1.0, None, turnover, 0
        )
        for name, turnover in turnovers.items()
    }


def _symbols(chosen: tuple[StoredMarket, ...]) -> list[str]:
    return [stored.market.symbol for stored in chosen]


def test_the_largest_markets_of_every_quote_are_chosen_rank_by_rank() -> None:
    markets = [_stored(i, s) for i, s in enumerate(["A/KRW", "B/KRW", "C/KRW", "A/USDT", "B/USDT"])]
    tickers = _tickers(A_KRW=1e9, B_KRW=3e9, C_KRW=2e9, A_USDT=10.0, B_USDT=20.0)
    chosen = choose_universe(markets, tickers, quotes=("KRW", "USDT"), size=2)
    assert _symbols(chosen) == ["B/KRW", "B/USDT", "A/USDT", "C/KRW"]


def test_other_quotes_and_delisted_markets_are_not_collected() -> None:
    markets = [_stored(1, "A/KRW"), _stored(2, "B/BTC"), _stored(3, "C/KRW", listed=False)]
    chosen = choose_universe(markets, {}, quotes=("KRW",), size=10)
    assert _symbols(chosen) == ["A/KRW"]


def test_markets_without_a_turnover_come_last_in_the_order_of_their_symbols() -> None:
    markets = [_stored(1, "B/KRW"), _stored(2, "A/KRW"), _stored(3, "Z/KRW"), _stored(4, "N/KRW")]
    tickers = _tickers(Z_KRW=1.0, N_KRW=None)
    chosen = choose_universe(markets, tickers, quotes=("KRW",), size=3)
    assert _symbols(chosen) == ["Z/KRW", "A/KRW", "B/KRW"]


def test_what_the_catalogue_excludes_takes_no_place_and_is_not_collected() -> None:
    symbols = ["USDT/KRW", "USDC/KRW", "WBTC/KRW", "EUR/KRW", "BTC/KRW", "LINK/KRW", "SAND/KRW"]
    markets = [_stored(i, s) for i, s in enumerate(symbols)]
    warned = Market("upbit", "FIL/KRW", "FIL", "KRW", "KRW-FIL", ("caution",))
    markets.append(StoredMarket(99, warned, 0, 0))
    # The larger the more odd: all that is excluded stands above all that is not.
    tickers = _tickers(
        FIL_KRW=1e10,
        **{symbol.replace("/", "_"): 1e9 / (i + 1) for i, symbol in enumerate(symbols)},
    )
    chosen = choose_universe(markets, tickers, quotes=("KRW",), size=3)
    assert _symbols(chosen) == ["BTC/KRW", "LINK/KRW", "SAND/KRW"]


@pytest.mark.parametrize("size", [1, 3, 5, 50])
def test_every_market_that_the_catalogue_does_not_exclude_is_collected(size: int) -> None:
    bases = ["USDT", "USDC", "WBTC", "BTCUP", "BTCDOWN", "XYZ3L", "EUR", "BTC", "ETH", "LINK"]
    stored: list[StoredMarket] = []
    tickers: dict[str, Ticker] = {}
    for exchange, quote in (("upbit", "KRW"), ("upbit", "USDT"), ("okx", "USDT"), ("okx", "EUR")):
        own = [*bases, "SAND", "XYZ"] if exchange == "okx" else [*bases, "FIL"]
        for place, base in enumerate(own):
            market = Market(exchange, f"{base}/{quote}", base, quote, f"{base}-{quote}")
            stored.append(StoredMarket(len(stored), market, 0, 0))
            turnover = None if base == "ETH" else 1e9 / (place + 1)
            tickers[market.key] = Ticker(exchange, market.symbol, 1.0, None, turnover, 0)
    parameters = Parameters(universe_size=size, quotes=("KRW", "USDT"))
    turnovers = {key: ticker.turnover_24h or 0.0 for key, ticker in tickers.items()}
    markets = [each.market for each in stored]
    excluded = catalogue_exclusions(markets, turnovers, parameters)
    ranked = {market.key for market in markets} - excluded.keys()
    # The collection asks for one exchange at a time; the analysis sees all of them at once.
    collected = {
        each.market.key
        for exchange in ("upbit", "okx")
        for each in choose_universe(
            [one for one in stored if one.market.exchange == exchange],
            tickers,
            quotes=parameters.quotes,
            size=size,
        )
    }
    assert collected == ranked
    assert len(ranked) >= 3
