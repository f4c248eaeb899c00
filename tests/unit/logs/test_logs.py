"""Logs: their form, and that no secret reaches them."""

import io
import json
import logging
import warnings
from collections.abc import Iterator

import pytest
import structlog

from dantaro.logs import configure_logs, mask

_KEY = "dk_ab12cd_Zm9vYmFyYmF6cXV4_1a2b3c"


@pytest.fixture(autouse=True)
def _restored_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    with warnings.catch_warnings():
        yield
    root.handlers[:], root.level = handlers, level
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


def _logged(log_format: str, level: str = "info") -> io.StringIO:
    stream = io.StringIO()
    configure_logs(log_format=log_format, level=level, process="worker", stream=stream)
    return stream


def _fail(message: str) -> None:
    raise ValueError(message)


def test_a_json_line_has_the_event_its_fields_the_level_the_time_and_the_process() -> None:
    stream = _logged("json")
    structlog.get_logger().info("candles_stored", exchange="upbit", rows=3)
    line = json.loads(stream.getvalue())
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "candles_stored",
        "exchange": "upbit",
        "rows": 3,
        "level": "info",
        "process": "worker",
    }


def test_what_libraries_log_takes_the_same_way() -> None:
    stream = _logged("json")
    logging.getLogger("some.library").warning("lost %s", "contact")
    line = json.loads(stream.getvalue())
    assert (line["event"], line["level"]) == ("lost contact", "warning")


def test_lines_below_the_level_are_not_written() -> None:
    stream = _logged("json", level="warning")
    structlog.get_logger().info("quiet")
    logging.getLogger("some.library").info("quiet")
    assert stream.getvalue() == ""


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_no_secret_reaches_a_line_wherever_it_stands(log_format: str) -> None:
    stream = _logged(log_format)
    log = structlog.get_logger()
    event = f"event {_KEY}"
    log.info(event, field=_KEY, url="postgresql://user:hunter2@db/x", token="hunter2")
    logging.getLogger("library").warning("GET /x?token=hunter2&n=1 Authorization: Bearer hunter2")
    try:
        _fail(f"bad key {_KEY} at valkey://:hunter2@cache/0")
    except ValueError:
        log.exception("failed")
    text = stream.getvalue()
    assert "hunter2" not in text
    assert "Zm9vYmFyYmF6cXV4" not in text
    assert text.count("dk_ab12cd_***") == 3
    assert "ValueError" in text


def test_local_variables_are_not_part_of_a_traceback() -> None:
    stream = _logged("json")
    hidden = "a-value-of-a-local-variable"
    try:
        _fail(str(len(hidden)))
    except ValueError:
        structlog.get_logger().exception("failed")
    assert hidden not in stream.getvalue()


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-01T00:00:00Z candles_stored exchange=upbit market=BTC/KRW",
        "http://127.0.0.1:8000/api/v1/recommendations?top_n=10",
        "a dk_ prefix alone",
    ],
)
def test_masking_leaves_ordinary_text_alone(text: str) -> None:
    assert mask(text) == text
