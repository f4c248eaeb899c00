"""Structured logs on standard error, as JSON or for the console, with secrets masked.

A line is a constant event name plus fields. What libraries log through the standard library takes the
same way.
"""

import logging
import re
import sys
import warnings
from collections.abc import MutableMapping
from typing import Any, TextIO

import structlog
from structlog.typing import Processor

HIDDEN = "***"

_SECRET_FIELDS = frozenset({"api_key", "authorization", "key_plain", "password", "secret", "token"})
_SECRETS = (
    # An API key dk_<id>_<secret>_<checksum>: its id may be seen.
    (re.compile(r"\bdk_([A-Za-z0-9]+)_[A-Za-z0-9_-]+"), rf"dk_\1_{HIDDEN}"),
    (re.compile(r"(?i)\b(token|api_key|password|secret)=[^&\s\"'\\]+"), rf"\1={HIDDEN}"),
    (re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]+"), rf"\1 {HIDDEN}"),
    # The password of a URL, scheme://user:password@host.
    (re.compile(r"(://[^/\s:@]*:)[^/\s@]+@"), rf"\1{HIDDEN}@"),
)
_QUIET = ("alembic", "apscheduler", "asyncio", "ccxt", "urllib3")
"""Libraries whose information is noise here; their warnings are heard."""


def mask(text: str) -> str:
    """`text` with API keys, tokens and the passwords of URLs replaced by `***`."""
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text


def configure_logs(
    *, log_format: str, level: str, process: str | None = None, stream: TextIO | None = None
) -> None:
    """Send every log line of this process to `stream` (default: standard error).

    `log_format` is `json` or `console`, `level` the least severe level written. `process` becomes a
    field of JSON lines, so that the lines of several processes can be told apart.
    """
    stream = stream or sys.stderr
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _hide_fields,
    ]
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        _MaskingFormatter(
            processors=_rendering(log_format, process, colors=stream.isatty()),
            foreign_pre_chain=shared,
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    logging.captureWarnings(capture=True)
    warnings.simplefilter("default")
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(root.level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        # Loggers made at import time pick up a later configuration.
        cache_logger_on_first_use=False,
    )


class _MaskingFormatter(structlog.stdlib.ProcessorFormatter):
    """Masks the finished line, so that no field, message or traceback slips through."""

    def format(self, record: logging.LogRecord) -> str:
        return mask(super().format(record))


def _rendering(log_format: str, process: str | None, *, colors: bool) -> list[Processor]:
    processors: list[Processor] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta]
    if log_format == "json":
        if process is not None:
            processors.append(_adding("process", process))
        return [
            *processors,
            structlog.processors.format_exc_info,  # without local variables, which may be secrets
            structlog.processors.JSONRenderer(sort_keys=False),
        ]
    return [
        *processors,
        structlog.dev.ConsoleRenderer(
            colors=colors, exception_formatter=structlog.dev.plain_traceback, pad_event_to=0
        ),
    ]


def _adding(name: str, value: str) -> Processor:
    def add(
        _logger: object, _method: str, event: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        event.setdefault(name, value)
        return event

    return add


def _hide_fields(
    _logger: object, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    for name in _SECRET_FIELDS & event.keys():
        event[name] = HIDDEN
    return event
