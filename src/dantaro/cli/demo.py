"""`dantaro demo`: the whole system against two simulated exchanges, in one terminal."""

import json
import os
import socket
import sys
import threading
from collections import deque
from collections.abc import MutableMapping
from pathlib import Path
from typing import IO

from rich.console import Console

from dantaro.app.checks import require_free_port, require_home
from dantaro.app.supervisor import Program, Supervisor
from dantaro.cli.demo_screen import DemoScreen
from dantaro.cli.up import FIRST_KEY_SCOPES, explain_key, own_command, supervise
from dantaro.logs import configure_logs
from dantaro.settings import Settings, load_settings
from dantaro.storage.engine import open_store
from dantaro.storage.keys import active_keys, create_key, revoke_key
from dantaro.storage.schema import migrate

EXCHANGES = ("binance", "upbit")
DEFAULT_HOME = "./var"
_HOST = "127.0.0.1"
_KEY_NAME = "demo"
_LAST_LINES = 15
_LONGEST_LOG_BYTES = 20 * 1024 * 1024


def run() -> int:
    """Run until Ctrl-C; returns the exit code.

    Raises:
        ConfigurationError: the port is taken, or the data folder cannot be used.
    """
    first_port = _free_ports(len(EXCHANGES))
    _isolate(os.environ, first_port)
    settings = load_settings()
    configure_logs(log_format=settings.log_format, level="warning", process="demo")
    require_home(settings.home)
    require_free_port(settings.host, settings.port)
    key = _new_key(settings)
    with _open_log(settings.home / "demo.log") as log:
        return _run(settings, key, first_port, log)


def _run(settings: Settings, key: str, first_port: int, log: IO[str]) -> int:
    lines: deque[str] = deque(maxlen=_LAST_LINES)
    lock = threading.Lock()

    def keep(name: str, line: str) -> None:
        with lock:
            lines.append(f"{name:<6} | {line}")
            log.write(f"{lines[-1]}\n")
            log.flush()

    # Two exchanges of one's own need no manners: nobody waits two minutes for a demonstration.
    venue = ["--host", _HOST, "--port", str(first_port), "--unlimited"]
    for exchange in EXCHANGES:
        venue += ["--exchange", exchange]
    supervisor = Supervisor(
        [
            Program("venue", own_command("venue", *venue)),
            Program("api", own_command("api")),
            Program("worker", own_command("worker")),
        ],
        on_line=keep,
    )
    console = Console(soft_wrap=True, highlight=False)
    _introduce(console, settings, first_port)
    explain_key(key, settings)
    screen = DemoScreen(console, settings, key)
    screen.start()
    try:
        code = supervise(supervisor)
    finally:
        screen.stop()
    if code:
        console.print("\nThe demo cannot go on. Its last lines were:", style="red")
        for line in lines:
            console.print(f"  {line}", markup=False)
    return code


def _isolate(environment: MutableMapping[str, str], first_port: int) -> None:
    """Let the demo and its children see simulated exchanges and a store of their own only."""
    for name in ("DANTARO_DATABASE_URL_FILE", "DANTARO_CACHE_URL_FILE"):
        environment.pop(name, None)
    home = Path(environment.get("DANTARO_HOME") or DEFAULT_HOME).expanduser().absolute() / "demo"
    urls = {
        exchange: f"http://{_HOST}:{first_port + offset}"
        for offset, exchange in enumerate(EXCHANGES)
    }
    environment.update(
        DANTARO_HOME=str(home),
        DANTARO_DATABASE_URL=f"sqlite:///{home / 'dantaro.db'}",
        DANTARO_CACHE_URL="memory://",
        DANTARO_EXCHANGES=",".join(EXCHANGES),
        DANTARO_QUOTES="KRW,USDT",
        DANTARO_VENUE_URLS=json.dumps(urls),
    )


def _free_ports(count: int) -> int:
    """The first of `count` consecutive ports that are free now."""
    while True:
        with socket.socket() as probe:
            probe.bind((_HOST, 0))
            first = int(probe.getsockname()[1])
        if all(_is_free(first + offset) for offset in range(count)):
            return first


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind((_HOST, port))
        except (OSError, OverflowError):
            return False
    return True


def _new_key(settings: Settings) -> str:
    # A key can be shown only when it is made, so every run makes one, and ends the last run's.
    store = open_store(settings.database_url)
    try:
        migrate(store)
        for record in active_keys(store):
            if record.name == _KEY_NAME:
                revoke_key(store, record.id)
        return create_key(store, name=_KEY_NAME, scopes=FIRST_KEY_SCOPES).plain
    finally:
        store.close()


def _open_log(path: Path) -> IO[str]:
    if path.exists() and path.stat().st_size > _LONGEST_LOG_BYTES:
        path.unlink()
    return path.open("a", encoding="utf-8")


def _introduce(console: Console, settings: Settings, first_port: int) -> None:
    console.print("Dantaro Central, a demonstration on SIMULATED exchanges", style="bold")
    ports = f"{first_port} and {first_port + 1}"
    for line in (
        f"  exchanges  binance (USDT) and upbit (KRW), simulated, on ports {ports}",
        "  worker     collects their candles over HTTP, as it would from the real ones, and ranks",
        f"  API        serves what the worker publishes, on port {settings.port}",
        f"  data       {settings.home} (the log: demo.log)",
        f"  status     DANTARO_HOME='{settings.home}' {_command()} status",
        "Nothing leaves this machine. Ctrl-C ends it.",
        "",
    ):
        console.print(line, markup=False)


def _command() -> str:
    """How this program was called, as far as a person could type it again."""
    program = Path(sys.argv[0])
    if program.name == "__main__.py":
        return "python -m dantaro"
    return os.path.relpath(program) if program.is_absolute() else str(program)
