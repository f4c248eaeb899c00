"""What is particular to each exchange: endpoints, paging, notices and the shape of its answers."""

from collections.abc import Mapping

from dantaro.venues.adapters.base import Adapter
from dantaro.venues.adapters.binance import Binance
from dantaro.venues.adapters.upbit import Upbit

FIRST_CLASS: Mapping[str, type[Adapter]] = {"binance": Binance, "upbit": Upbit}
