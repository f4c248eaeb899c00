"""ccxt behind the gateway: addresses, unknown exchanges, no keys, no connections."""

from typing import Any

import ccxt.async_support
import pytest

from dantaro.errors import ConfigurationError, VenueRefused
from dantaro.venues.gateway import Gateway, replace_origin
from dantaro.venues.session import VenueSession
from dantaro.venues.venue import open_venue

BASE = "http://127.0.0.1:1"


def addresses(urls: Any) -> list[str]:
    if isinstance(urls, dict):
        return [found for entry in urls.values() for found in addresses(entry)]
    if isinstance(urls, list):
        return [found for entry in urls for found in addresses(entry)]
    return [urls] if isinstance(urls, str) else []


@pytest.mark.parametrize("exchange", ccxt.async_support.exchanges)
def test_every_address_of_every_exchange_is_replaced(exchange: str) -> None:
    original = addresses(getattr(ccxt.async_support, exchange)().urls["api"])
    gateway = Gateway(exchange, session=VenueSession(), base_url=BASE)
    replaced = addresses(gateway.ccxt.urls["api"])
    assert len(replaced) == len(original) > 0
    assert all(address == BASE or address.startswith(BASE + "/") for address in replaced)


def test_the_path_of_an_address_stays_and_a_path_of_ours_comes_before_it() -> None:
    urls = {"a": "https://{hostname}", "b": {"c": ["https://x.example/api/v4?q=1"]}, "d": None}
    assert replace_origin(urls, BASE + "/mirror") == {
        "a": BASE + "/mirror",
        "b": {"c": [BASE + "/mirror/api/v4?q=1"]},
        "d": None,
    }


async def test_an_address_beside_the_configured_one_is_not_asked() -> None:
    session = VenueSession()
    gateway = Gateway("binance", session=session, base_url=BASE)
    for url in ("https://api.binance.com/api/v3/time", BASE + "1/api/v3/time"):
        with pytest.raises(VenueRefused, match="configured"):
            await gateway.ccxt.fetch(url)
    await session.close()


@pytest.mark.parametrize(
    ("name", "near"), [("upbitt", "upbit"), ("Binance", "binance"), ("bithum", "bithumb")]
)
def test_an_unknown_exchange_is_refused_with_near_matches(name: str, near: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{name}.*{near}"):
        open_venue(name, session=VenueSession())


@pytest.mark.parametrize("name", ["", "Exchange", "errors", "__class__", "zzzzzzzzzz"])
def test_what_is_no_exchange_of_ccxt_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match="unknown exchange"):
        open_venue(name, session=VenueSession())


def test_an_exchange_without_public_spot_candles_is_refused() -> None:
    names = ccxt.async_support.exchanges
    without = [n for n in names if not getattr(ccxt.async_support, n)().has.get("fetchOHLCV")]
    refused = [name for name in without if name != "coinone"]
    assert refused
    for name in refused:
        with pytest.raises(ConfigurationError, match="no public spot candles"):
            open_venue(name, session=VenueSession())


@pytest.mark.parametrize(
    "base_url",
    [
        "127.0.0.1:80",
        "ftp://host",
        "http://",
        "http://h/?a=1",
        "http://h/#x",
        "http://u:p@host",
        "file:///etc/passwd",
    ],
)
def test_an_address_must_be_a_plain_http_origin(base_url: str) -> None:
    with pytest.raises(ConfigurationError, match="address of upbit"):
        open_venue("upbit", session=VenueSession(), base_url=base_url)


def test_opening_a_venue_connects_to_nothing_and_keeps_no_key() -> None:
    venue = open_venue("binance", session=VenueSession())  # outside of any event loop
    exchange = venue._gateway.ccxt
    assert exchange.session is None
    assert (exchange.apiKey, exchange.secret, exchange.password) == (None, None, None)
    assert venue.announcement is None


@pytest.mark.parametrize(
    ("exchange", "calls_per_second"),
    [("upbit", 10), ("coinone", 5), ("gate", 20), ("bybit", 10), ("bithumb", 120)],
)
def test_the_pace_stays_below_the_documented_limit(exchange: str, calls_per_second: float) -> None:
    cost = {"upbit": 2, "bybit": 5}.get(exchange, 1)
    gateway = Gateway(exchange, session=VenueSession(), base_url=None)
    assert 1 / (cost * gateway.limiter._seconds_per_unit) <= 0.81 * calls_per_second
