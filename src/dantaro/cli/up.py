"""`dantaro up`: everything on one machine."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence

import structlog
from rich.console import Console

from dantaro.app.checks import require_free_port, require_home
from dantaro.app.supervisor import Program, Supervisor
from dantaro.errors import ConfigurationError, StorageUnavailable
from dantaro.logs import configure_logs
from dantaro.settings import Settings, load_settings
from dantaro.storage.engine import Store, open_store
from dantaro.storage.keys import create_key, list_keys
from dantaro.storage.schema import migrate
from dantaro.venues.exchange_ids import require_known

_log = structlog.get_logger(__name__)

FIRST_KEY_SCOPES = ("read", "stream", "metrics")
_RETRY_SECONDS = 2.0


def run() -> int:
    """Migrate, make the first key, and supervise a worker and an API; returns the exit code.

    While a database is away the API runs already and says so; the worker follows the migration.

    Raises:
        ConfigurationError: a setting, an exchange, the port, the data folder or the database is wrong.
    """
    settings = load_settings()
    configure_logs(log_format=settings.log_format, level=settings.log_level, process="up")
    require_known(settings.exchanges)
    require_home(settings.home)
    require_free_port(settings.host, settings.port)
    migration = Migration(settings)
    # A database that is there is migrated before anything starts; the first failure is not waited for.
    migration.attempt()
    migration.continue_in_background()
    supervisor = Supervisor(
        [
            Program("api", own_command("api")),
            Program("worker", own_command("worker"), may_start=migration.is_done),
        ],
        on_line=line_writer(("api", "worker"), log_format=settings.log_format),
    )
    try:
        return supervise(supervisor)
    finally:
        migration.stop()


def own_command(name: str, *arguments: str) -> list[str]:
    """The command line that runs `dantaro NAME` as a child of this process."""
    supervised = f"--supervised-by={os.getpid()}"
    return [sys.executable, "-m", "dantaro", name, supervised, *arguments]


def supervise(supervisor: Supervisor) -> int:
    """Run until SIGTERM or Ctrl-C; returns the exit code."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: supervisor.stop())
    return supervisor.run()


def line_writer(names: Sequence[str], *, log_format: str) -> Callable[[str, str], None]:
    """A function that writes a program's line to standard error behind the program's name.

    JSON lines go through untouched: they name their process themselves.
    """
    width = max(map(len, names))
    lock = threading.Lock()

    def write(name: str, line: str) -> None:
        prefix = "" if log_format == "json" else f"{name:<{width}} | "
        with lock:
            sys.stderr.write(f"{prefix}{line}\n")
            sys.stderr.flush()

    return write


class Migration:
    """Brings the database to this version's schema, when it is there, and makes the first key."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._done = threading.Event()
        self._stopping = threading.Event()
        self._refusal: ConfigurationError | None = None
        self._waiting = False

    def is_done(self) -> bool:
        """Whether the schema is this version's.

        Raises:
            ConfigurationError: an attempt in the background found the database unusable.
        """
        if self._refusal is not None:
            raise self._refusal
        return self._done.is_set()

    def attempt(self) -> None:
        """Migrate now; a database that is away is logged.

        Raises:
            ConfigurationError: the database can be reached, but not used.
        """
        store = open_store(self._settings.database_url)
        try:
            migrate(store)
            announce_first_key(store, self._settings)
        except StorageUnavailable as error:
            if not self._waiting:
                _log.warning(
                    "database_unavailable",
                    database=store.url_display,
                    reason=str(error),
                    doing="asking again; the worker starts once it is there",
                )
            self._waiting = True
        else:
            self._done.set()
        finally:
            store.close()

    def continue_in_background(self) -> None:
        """Go on trying in a thread, unless it is done."""
        if not self.is_done():
            threading.Thread(target=self._retry, name="migration", daemon=True).start()

    def stop(self) -> None:
        """End the thread before its next attempt."""
        self._stopping.set()

    def _retry(self) -> None:
        while not self._done.is_set() and not self._stopping.wait(_RETRY_SECONDS):
            try:
                self.attempt()
            except ConfigurationError as error:
                self._refusal = error
                return


def announce_first_key(store: Store, settings: Settings) -> None:
    """On a store without keys, make one and print it with what to do with it."""
    if list_keys(store):
        return
    made = create_key(store, name="first", scopes=FIRST_KEY_SCOPES)
    explain_key(made.plain, settings)


def explain_key(plain: str, settings: Settings) -> None:
    """Print the key, the address to open and a request to try."""
    address = local_address(settings)
    screen = Console(soft_wrap=True, highlight=False)
    url = f"{address}/api/v1/recommendations?top_n=10"
    for line in (
        f"API key: {plain}",
        "  (shown once: the database keeps its hash only; `dantaro keys create` makes others)",
        f"  open  {address}/docs",
        f"  try   curl -H 'Authorization: Bearer {plain}' '{url}'",
    ):
        screen.print(line, markup=False)


def local_address(settings: Settings) -> str:
    """The address at which this machine reaches the API."""
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(settings.host, settings.host)  # noqa: S104 - compared, not bound
    if ":" in host and not host.startswith("["):
        host = f"[{host}]"
    return f"http://{host}:{settings.port}"
