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
