"""What is particular to each exchange: endpoints, paging, notices and the shape of its answers."""

from collections.abc import Mapping

from dantaro.venues.adapters.any_exchange import AnyExchange
from dantaro.venues.adapters.base import Adapter
from dantaro.venues.adapters.binance import Binance
from dantaro.venues.adapters.bithumb import Bithumb
from dantaro.venues.adapters.bybit import Bybit
from dantaro.venues.adapters.coinone import Coinone
from dantaro.venues.adapters.gate import Gate
from dantaro.venues.adapters.okx import Okx
from dantaro.venues.adapters.upbit import Upbit
from dantaro.venues.gateway import Gateway

FIRST_CLASS: Mapping[str, type[Adapter]] = {
    "binance": Binance,
    "bithumb": Bithumb,
    "bybit": Bybit,
    "coinone": Coinone,
    "gate": Gate,
    "okx": Okx,
    "upbit": Upbit,
}


def adapter_for(gateway: Gateway) -> Adapter:
    """The adapter of the gateway's exchange.

    Raises:
        ConfigurationError: the exchange offers no public spot candles.
    """
    return FIRST_CLASS.get(gateway.exchange, AnyExchange)(gateway)
