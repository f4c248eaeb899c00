"""Fixtures for every suite: the recorded data, and a guard that lets no test leave this machine."""

import ipaddress
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

_RECORDED = Path(__file__).resolve().parent.parent.parent / "shared" / "data"


@pytest.fixture(scope="session")
def recorded_data() -> Path:
    """The folder of recorded candles and exchange payloads, which users do not have."""
    if _RECORDED.is_dir():
        return _RECORDED
    if os.environ.get("CI") == "true":
        pytest.fail(f"the recorded market data is missing: {_RECORDED}")
    pytest.skip("needs the recorded market data in ../shared/data, which is not distributed")


def _is_loopback(host: object) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(str(host)).is_loopback
    except ValueError:
        return False


@pytest.fixture(autouse=True, scope="session")
def _loopback_only() -> Iterator[None]:
    """Refuse every connection to anything but loopback, whatever code asks for it."""
    connect, connect_ex = socket.socket.connect, socket.socket.connect_ex

    def refuse(sock: socket.socket, address: object) -> None:
        remote = sock.family in (socket.AF_INET, socket.AF_INET6) and isinstance(address, tuple)
        if remote and not _is_loopback(address[0]):  # type: ignore[index]  # a tuple, by the above
            raise RuntimeError(f"a test tried to reach {address}: only loopback is allowed")

    def guarded_connect(sock: socket.socket, address: object) -> None:
        refuse(sock, address)
        connect(sock, address)  # type: ignore[arg-type]  # passed on as it came

    def guarded_connect_ex(sock: socket.socket, address: object) -> int:
        refuse(sock, address)
        return connect_ex(sock, address)  # type: ignore[arg-type]  # passed on as it came

    socket.socket.connect = guarded_connect  # type: ignore[method-assign,assignment]
    socket.socket.connect_ex = guarded_connect_ex  # type: ignore[method-assign,assignment]
    yield
    socket.socket.connect, socket.socket.connect_ex = connect, connect_ex  # type: ignore[method-assign]
