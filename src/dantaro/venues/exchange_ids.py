"""The ids of exchanges, known without loading ccxt, which takes a second and tens of megabytes."""

import difflib
from collections.abc import Iterable
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from dantaro.errors import ConfigurationError


@cache
def known_exchanges() -> tuple[str, ...]:
    """Every exchange id that ccxt knows: it has one module for each."""
    spec = find_spec("ccxt")
    folders = () if spec is None else spec.submodule_search_locations or ()
    modules = (path for folder in folders for path in Path(folder, "async_support").glob("*.py"))
    return tuple(sorted(path.stem for path in modules if not path.stem.startswith("_")))


def require_known(exchanges: Iterable[str]) -> None:
    """Check that ccxt knows each of `exchanges`.

    Raises:
        ConfigurationError: one is unknown; the message names near matches.
    """
    for exchange in exchanges:
        if exchange not in known_exchanges():
            near = difflib.get_close_matches(exchange.lower(), known_exchanges(), n=3)
            hint = f"; did you mean {' or '.join(near)}?" if near else ""
            raise ConfigurationError(f"unknown exchange {exchange!r}{hint}")
