"""What must hold on this machine before a process starts; each failure names the remedy."""

import os
import socket
from pathlib import Path

from dantaro.errors import ConfigurationError


def require_home(home: Path) -> None:
    """Make the data folder, and check that files can be made in it.

    Raises:
        ConfigurationError: it cannot be made or written to.
    """
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            f"the data folder {home} cannot be made ({error.strerror}); "
            "set DANTARO_HOME to a folder that you may write to"
        ) from error
    # os.access says yes to root even on a read-only file system, so a file is really made.
    probe = home / f".writable-{os.getpid()}"
    try:
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise ConfigurationError(
            f"the data folder {home} cannot be written to ({error.strerror}); "
            "change its permissions or set DANTARO_HOME to another folder"
        ) from error


def require_free_port(host: str, port: int, *, setting: str = "DANTARO_PORT") -> None:
    """Check that nothing listens on `host`:`port` yet.

    Raises:
        ConfigurationError: the port is taken, needs privileges, or the address is not this
            machine's; the message names `setting`.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # As servers do: a connection of a server that has just ended does not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise ConfigurationError(
                f"port {port} on {host} cannot be used ({error.strerror or error}); "
                f"stop what is using it or set {setting} to another port"
            ) from error
