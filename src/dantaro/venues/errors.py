"""The one translator from HTTP statuses and ccxt's errors to ours, and nothing else decides on retries.

A status is judged before ccxt sees the answer: a 429 with a JSON error body comes back from ccxt's
upbit, bithumb and coinone as a plain `ExchangeError`, which would read as "do not retry".
"""

import email.utils
import math
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import ccxt

from dantaro.errors import (
    DantaroError,
    VenueAnswerInvalid,
    VenueRateLimited,
    VenueRefused,
    VenueUnavailable,
)

_LONGEST_RETRY_AFTER_SECONDS = 7 * 86_400.0  # binance bans for up to three days

# What code that parses a hostile answer raises when it does not raise an error of its own.
_PARSE_FAILURES = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)


@contextmanager
def translated(exchange: str) -> Iterator[None]:
    """Turn whatever ccxt raises inside into one of the four venue errors.

    ccxt indexes, splits and divides what an exchange sent without checking it, so a hostile answer
    surfaces as `KeyError`, `TypeError` and the like: those mean `VenueAnswerInvalid`.
    """
    try:
        yield
    except DantaroError:
        raise
    except ccxt.BaseError as error:
        raise _from_ccxt(exchange, error) from error
    except _PARSE_FAILURES as error:
        raise VenueAnswerInvalid(
            f"{exchange}: the answer has another shape: {type(error).__name__}: {shorten(str(error))}"
        ) from error


def status_error(
    exchange: str, status: int, where: str, body: str, retry_after: float | None
) -> DantaroError | None:
    """The error that an HTTP `status` means by itself, whatever the body says; None for the rest.

    418 is binance's ban after ignored 429s. Other 4xx are left to the exchange's own error codes.
    """
    text = f"{exchange}: HTTP {status} from {where}: {shorten(body)}"
    if status in (418, 429):
        return VenueRateLimited(text, retry_after_seconds=retry_after)
    if status >= 500 or status in (408, 425):
        return VenueUnavailable(text)
    return None


def refusal(exchange: str, status: int, where: str, body: str) -> VenueRefused:
    """What a 4xx means when the exchange's own error code said nothing more precise."""
    return VenueRefused(f"{exchange}: HTTP {status} from {where}: {shorten(body)}")


def parse_retry_after(value: str | None, *, now: datetime | None = None) -> float | None:
    """Seconds from a `Retry-After` header (a number or an HTTP date), None if absent or unreadable.

    Never negative, and capped at a week.
    """
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            at = email.utils.parsedate_to_datetime(value)
        except ValueError:
            return None
        at = at if at.tzinfo else at.replace(tzinfo=UTC)
        seconds = (at - (now or datetime.now(UTC))).total_seconds()
    if not math.isfinite(seconds):
        return None
    return min(max(seconds, 0.0), _LONGEST_RETRY_AFTER_SECONDS)


def shorten(text: str, limit: int = 200) -> str:
    """`text` on one line, cut to `limit` characters, for a message."""
    flat = " ".join(text[: 4 * limit].split())
    return flat if len(flat) <= limit else flat[: limit - 1] + "…"


def _from_ccxt(exchange: str, error: ccxt.BaseError) -> DantaroError:
    text = shorten(str(error))
    text = text if text.startswith(exchange) else f"{exchange}: {text}"
    if isinstance(error, ccxt.RateLimitExceeded | ccxt.DDoSProtection):
        return VenueRateLimited(text)
    if isinstance(error, ccxt.BadResponse):  # includes NullResponse
        return VenueAnswerInvalid(text)
    if isinstance(error, ccxt.OperationFailed):
        return VenueUnavailable(text)
    return VenueRefused(text)
