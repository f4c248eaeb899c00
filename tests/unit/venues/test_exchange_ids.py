import subprocess
import sys

import ccxt.async_support
import pytest

from dantaro.errors import ConfigurationError
from dantaro.venues.exchange_ids import known_exchanges, require_known


def test_the_known_ids_are_ccxts() -> None:
    assert set(known_exchanges()) == set(ccxt.async_support.exchanges)


def test_they_are_known_without_loading_ccxt() -> None:
    code = (
        "import sys\nfrom dantaro.venues.exchange_ids import require_known\n"
        "require_known(['upbit'])\nsys.exit('ccxt' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_an_unknown_id_is_refused_with_near_matches() -> None:
    require_known(["upbit", "okx"])
    with pytest.raises(ConfigurationError, match=r"unknown exchange 'upbti'; did you mean upbit"):
        require_known(["okx", "upbti"])
