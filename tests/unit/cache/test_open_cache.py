"""Which cache a URL gives, and the names in it."""

import subprocess
import sys

import pytest

from dantaro.cache import open_cache
from dantaro.cache.keys import generation_channel, part_key
from dantaro.errors import ConfigurationError


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("memory://", "memory"),
        ("valkey://127.0.0.1:1/0", "valkey"),
        ("redis://127.0.0.1:1/0", "valkey"),
        ("valkeys://user:pw@127.0.0.1:1/0", "valkey"),
    ],
)
def test_a_url_gives_its_cache_without_connecting(url: str, kind: str) -> None:
    cache = open_cache(url)
    assert cache.kind == kind
    cache.close()


@pytest.mark.parametrize("url", ["memcached://127.0.0.1", "nonsense", "valkey://127.0.0.1:x/0"])
def test_another_url_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError):
        open_cache(url)


def test_names_of_different_stores_and_things_never_meet() -> None:
    stores = ("one", "two")
    names = [generation_channel(store) for store in stores]
    names += [part_key(store, digest) for store in stores for digest in ("ab12", "ab13")]
    assert len(set(names)) == len(names)


def test_a_process_without_valkey_does_not_load_its_client() -> None:
    code = "import sys, dantaro.cache as c; c.open_cache('memory://'); sys.exit('redis' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
