"""The market catalogue and tickers, on both databases."""

import pytest

from dantaro.market.markets import Market, Ticker
from dantaro.storage.catalogue import latest_tickers, save_markets, save_tickers, stored_markets
from dantaro.storage.engine import Store

BTC = Market("upbit", "BTC/KRW", "BTC", "KRW", "KRW-BTC", ("caution",))
ETH = Market("upbit", "ETH/KRW", "ETH", "KRW", "KRW-ETH")
OKX = Market("okx", "BTC/USDT", "BTC", "USDT", "BTC-USDT")


def test_a_market_keeps_its_number_when_its_notices_change(store: Store) -> None:
    save_markets(store, "upbit", [BTC], at_ms=1)
    (first,) = stored_markets(store)
    assert (first.market, first.first_seen_ms, first.last_seen_ms) == (BTC, 1, 1)
    warned = Market("upbit", "BTC/KRW", "BTC", "KRW", "KRW-BTC", ("caution", "delisting"))
    save_markets(store, "upbit", [warned], at_ms=2)
    (second,) = stored_markets(store)
    assert (second.id, second.market) == (first.id, warned)
    assert (second.first_seen_ms, second.last_seen_ms) == (1, 2)


def test_a_market_that_leaves_the_list_is_kept_as_not_listed_and_may_return(store: Store) -> None:
    save_markets(store, "upbit", [BTC, ETH], at_ms=1)
    save_markets(store, "okx", [OKX], at_ms=1)
    save_markets(store, "upbit", [ETH], at_ms=2)
    by_key = {stored.market.key: stored for stored in stored_markets(store)}
    assert list(by_key) == ["okx:BTC/USDT", "upbit:BTC/KRW", "upbit:ETH/KRW"]
    assert [stored.market.listed for stored in by_key.values()] == [True, False, True]
    assert by_key["upbit:BTC/KRW"].last_seen_ms == 1
    save_markets(store, "upbit", [BTC, ETH], at_ms=3)
    assert all(stored.market.listed for stored in stored_markets(store, exchange="upbit"))


def test_an_empty_list_would_delist_everything_and_is_refused(store: Store) -> None:
    save_markets(store, "upbit", [BTC], at_ms=1)
    with pytest.raises(ValueError, match="non-empty list of upbit"):
        save_markets(store, "upbit", [], at_ms=2)
    with pytest.raises(ValueError, match="of upbit"):
        save_markets(store, "upbit", [OKX], at_ms=2)
    assert stored_markets(store)[0].market.listed


def test_only_the_latest_ticker_of_a_market_is_kept(store: Store) -> None:
    old = Ticker("upbit", "BTC/KRW", 1.5, 0.1, 2.5, at_ms=10)
    new = Ticker("upbit", "BTC/KRW", 1.6, None, None, at_ms=20)
    other = Ticker("okx", "BTC/USDT", 0.1 + 0.2, -0.01, 1e12, at_ms=5)
    save_tickers(store, [new, old, other], collected_at_ms=30)
    save_tickers(store, [old], collected_at_ms=40)
    save_tickers(store, [], collected_at_ms=50)
    assert latest_tickers(store) == (other, new)
    assert latest_tickers(store, exchange="upbit") == (new,)


def test_a_ticker_is_as_old_as_its_collection_whatever_time_it_bears(store: Store) -> None:
    quiet = Ticker("upbit", "BTC/KRW", 1.5, None, 2.5, at_ms=10)
    gone = Ticker("okx", "BTC/USDT", 1.0, None, 1.0, at_ms=90)
    save_tickers(store, [quiet, gone], collected_at_ms=100)
    save_tickers(store, [quiet], collected_at_ms=160)
    assert latest_tickers(store, collected_since_ms=101) == (quiet,)
    assert latest_tickers(store, collected_since_ms=160) == (quiet,)
    assert latest_tickers(store, collected_since_ms=161) == ()
    assert latest_tickers(store) == (gone, quiet)
    assert latest_tickers(store, exchange="okx", collected_since_ms=100) == (gone,)
