"""Times on the wire: RFC 3339 in UTC."""

import re
from datetime import UTC, datetime

from dantaro.errors import InvalidRequest

_EARLIEST_MS = 0
_LATEST_MS = 4_102_444_800_000  # 2100-01-01
_OFFSET = re.compile(r" (\d\d:\d\d)$")


def rfc3339(at_ms: int) -> str:
    """`at_ms` as `2026-01-01T00:00:00Z`, with milliseconds only when it has any."""
    moment = datetime.fromtimestamp(at_ms / 1000, UTC)
    text = moment.strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{at_ms % 1000:03d}Z" if at_ms % 1000 else f"{text}Z"


def rfc3339_or_none(at_ms: int | None) -> str | None:
    """As `rfc3339`; None stays None."""
    return None if at_ms is None else rfc3339(at_ms)


def parse_time(name: str, text: str | None) -> int | None:
    """The parameter `name` in UTC milliseconds; None when it was not given.

    A time without a zone is UTC, a date its first moment. A `+` that arrives as a space, as it does
    when a client does not encode it, is read as the `+` that was meant.

    Raises:
        InvalidRequest: it cannot be read, or lies outside 1970 to 2100.
    """
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(_OFFSET.sub(r"+\1", text.strip()[:64]))
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        at_ms = round(moment.timestamp() * 1000)
    except (ValueError, OverflowError) as error:
        raise InvalidRequest(
            f"{name}: {text[:64]!r} is not a time; write it as 2026-01-01T00:00:00Z"
        ) from error
    if not _EARLIEST_MS <= at_ms <= _LATEST_MS:
        raise InvalidRequest(f"{name}: {text[:64]!r} is not between 1970 and 2100")
    return at_ms
