"""What a setting's value may be, and how its text is read."""

import ipaddress
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar
from urllib.parse import urlsplit

from dantaro.errors import ConfigurationError
from dantaro.market.timeframes import DAILY, HOURLY, Timeframe, parse_timeframe

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Kind(Generic[_T]):
    """What a value may be: `parse` turns its text into the value or raises ValueError."""

    allowed: str
    parse: Callable[[str], _T]


def whole(minimum: int, maximum: int) -> Kind[int]:
    """A whole number within both bounds."""
    allowed = f"a whole number from {minimum} to {maximum}"

    def parse(text: str) -> int:
        if not minimum <= (value := int(text)) <= maximum:
            raise ValueError(text)
        return value

    return Kind(allowed, parse)


def choice(*choices: str) -> Kind[str]:
    """One of some words, whatever their case."""

    def parse(text: str) -> str:
        if (value := text.lower()) not in choices:
            raise ValueError(text)
        return value

    return Kind(f"one of {', '.join(choices)}", parse)


def words(allowed: str, parse_word: Callable[[str], _T]) -> Kind[tuple[_T, ...]]:
    """A comma-separated list, without repetitions, in the order given."""

    def parse(text: str) -> tuple[_T, ...]:
        return tuple(dict.fromkeys(parse_word(word.strip()) for word in text.split(",")))

    return Kind(allowed, parse)


def _matching(pattern: str, text: str) -> str:
    if not re.fullmatch(pattern, text):
        raise ValueError(text)
    return text


def exchange_id(text: str) -> str:
    """An exchange id as ccxt writes them; whether it exists is known to `dantaro.venues`."""
    return _matching(r"[a-z][a-z0-9_]*", text.lower())


def currency(text: str) -> str:
    """A currency code, in capitals."""
    return _matching(r"[A-Z0-9]+", text.upper())


def _timeframes(text: str) -> tuple[Timeframe, ...]:
    try:
        found = {parse_timeframe(name.strip()) for name in text.split(",")}
    except ConfigurationError as error:
        raise ValueError(text) from error
    if not found >= {HOURLY, DAILY}:
        raise ValueError(text)
    return tuple(sorted(found, key=lambda timeframe: timeframe.milliseconds))


def _host(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return _matching(r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9-]+)*", text)


def folder(text: str) -> Path:
    """An absolute folder; it need not exist."""
    if not text:
        raise ValueError(text)
    return Path(text).expanduser().absolute()


def optional_file(text: str) -> Path | None:
    """An absolute file, or None for an empty text."""
    return Path(text).expanduser().absolute() if text else None


def _database_url(text: str) -> str:
    if text.startswith("sqlite://"):
        return _matching(r"sqlite:///(?!:memory:).+", text)
    return _network_url(text, {"postgresql", "postgresql+psycopg"})


def _cache_url(text: str) -> str:
    return text if text == "memory://" else _network_url(text, set(_CACHE_SCHEMES))


def _network_url(text: str, schemes: set[str]) -> str:
    url = urlsplit(text)
    if url.scheme not in schemes or not url.hostname or url.port == 0:
        raise ValueError(text)
    return text


def venue_urls(text: str) -> Mapping[str, str]:
    """Exchange id -> base URL without a trailing slash, from a JSON object."""
    loaded = json.loads(text)
    if not isinstance(loaded, dict):
        raise ValueError(text)  # noqa: TRY004 - ValueError is how every kind refuses
    return {exchange_id(exchange): _base_url(url) for exchange, url in loaded.items()}


def _base_url(value: object) -> str:
    url = urlsplit(value) if isinstance(value, str) else None
    if url is None or url.username is not None or url.query or url.fragment:
        raise ValueError(value)
    return _network_url(url.geturl(), {"http", "https"}).rstrip("/")


_CACHE_SCHEMES = ("valkey", "valkeys", "redis", "rediss")
PORT = whole(1, 65535)
SECONDS = whole(1, 7 * 86_400)
DAYS = whole(1, 36_500)
HOST = Kind("an IP address or a host name; 0.0.0.0 for every interface", _host)
DATABASE = Kind(
    "sqlite:///PATH or postgresql://USER:PASSWORD@HOST:PORT/NAME (empty: SQLite in DANTARO_HOME)",
    lambda text: _database_url(text) if text else "",
)
CACHE = Kind("memory://, or valkey://, valkeys://, redis:// or rediss:// HOST:PORT/N", _cache_url)
TIMEFRAMES = Kind("a comma-separated list of 1m, 5m, 15m, 30m, 4h; with 1h and 1d", _timeframes)
