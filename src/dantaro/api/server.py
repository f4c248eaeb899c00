"""`dantaro api`: serving the application with Granian, one process that serves and its parent."""

import multiprocessing
import signal
import time

import structlog
from granian import Granian
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings

from dantaro.api.application import build_application
from dantaro.api.hot import Edge
from dantaro.app.api import build_api, require_api_schema
from dantaro.app.checks import require_free_port
from dantaro.app.memory import share_heaps
from dantaro.app.supervisor import die_with_parent
from dantaro.errors import ConfigurationError
from dantaro.logs import configure_logs
from dantaro.settings import Settings, load_settings

_log = structlog.get_logger(__name__)

_HEADER_MS = 10_000
"""A client that has not sent its headers by then is cut off."""
_STOP_SECONDS = 5
_PORT_SECONDS = 3.0
_CONNECTIONS = 1024
"""Requests in flight; more wait in the backlog."""


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or Ctrl-C.

    Raises:
        ConfigurationError: the port is taken, the data folder or a URL cannot be used.
        SchemaMismatch: the database's schema is not this version's.
    """
    require_api_schema(settings)
    _wait_for_port(settings.host, settings.port)
    server = Granian(
        "dantaro.api.server:create",
        address=settings.host,
        port=settings.port,
        interface=Interfaces.ASGI,
        factory=True,
        workers=1,
        # HTTP/2 is the business of a proxy in front.
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(header_read_timeout=_HEADER_MS),
        backpressure=_CONNECTIONS,
        workers_kill_timeout=_STOP_SECONDS,
        log_dictconfig=_LOGS,
    )
    _log.info("api_starting", address=f"{settings.host}:{settings.port}")
    server.serve()


def create() -> Edge:
    """The application, built in the process that serves it."""
    share_heaps()
    parent = multiprocessing.parent_process()
    if parent is not None and parent.pid is not None:
        # Nobody else would end it when its parent is killed, and it would keep the port.
        die_with_parent(parent.pid, number=signal.SIGKILL)
    settings = load_settings()
    configure_logs(log_format=settings.log_format, level=settings.log_level, process="api")
    return build_application(build_api(settings))


def _wait_for_port(host: str, port: int) -> None:
    """As `require_free_port`, but a predecessor that was just killed may still be letting go."""
    deadline = time.monotonic() + _PORT_SECONDS
    while True:
        try:
            require_free_port(host, port)
        except ConfigurationError:
            if time.monotonic() >= deadline:
                raise
            time.sleep(0.1)
        else:
            return


# Granian's own lines take the way of all others, through the root logger.
_LOGS = {
    "loggers": {
        name: {"handlers": [], "propagate": True} for name in ("_granian", "granian.access")
    }
}
