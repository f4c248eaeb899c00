"""The one translator of the exchanges' errors."""

from datetime import UTC, datetime

import ccxt
import pytest

from dantaro.errors import (
    ConfigurationError,
    DantaroError,
    VenueAnswerInvalid,
    VenueRateLimited,
    VenueRefused,
    VenueUnavailable,
)
from dantaro.venues.errors import parse_retry_after, shorten, status_error, translated

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("raised", "becomes"),
    [
        (ccxt.RateLimitExceeded("x"), VenueRateLimited),
        (ccxt.DDoSProtection("x"), VenueRateLimited),
        (ccxt.ExchangeNotAvailable("x"), VenueUnavailable),
        (ccxt.OnMaintenance("x"), VenueUnavailable),
        (ccxt.RequestTimeout("x"), VenueUnavailable),
        (ccxt.InvalidNonce("x"), VenueUnavailable),
        (ccxt.BadResponse("x"), VenueAnswerInvalid),
        (ccxt.NullResponse("x"), VenueAnswerInvalid),
        (ccxt.BadSymbol("x"), VenueRefused),
        (ccxt.BadRequest("x"), VenueRefused),
        (ccxt.ExchangeError("x"), VenueRefused),
        (ccxt.AuthenticationError("x"), VenueRefused),
        (ccxt.NotSupported("x"), VenueRefused),
        (KeyError("x"), VenueAnswerInvalid),
        (TypeError("x"), VenueAnswerInvalid),
        (IndexError("x"), VenueAnswerInvalid),
        (RecursionError("x"), VenueAnswerInvalid),
        (ZeroDivisionError("x"), VenueAnswerInvalid),
    ],
    ids=lambda value: getattr(value, "__name__", type(value).__name__),
)
def test_whatever_ccxt_raises_becomes_one_of_four_errors_and_names_the_exchange(
    raised: Exception, becomes: type[DantaroError]
) -> None:
    with pytest.raises(becomes, match=r"^upbit: ") as caught, translated("upbit"):
        raise raised
    assert caught.value.__cause__ is raised


def test_every_error_class_of_ccxt_is_translated() -> None:
    def descendants(kind: type[Exception]) -> list[type[Exception]]:
        return [kind, *(d for child in kind.__subclasses__() for d in descendants(child))]

    four = (VenueUnavailable, VenueRateLimited, VenueAnswerInvalid, VenueRefused)
    for kind in descendants(ccxt.BaseError):
        with pytest.raises(four), translated("upbit"):
            raise kind("x")


@pytest.mark.parametrize("error", [VenueUnavailable("x"), ConfigurationError("x")])
def test_an_error_of_our_own_passes_unchanged(error: DantaroError) -> None:
    with pytest.raises(type(error)) as caught, translated("upbit"):
        raise error
    assert caught.value is error


def test_the_end_of_the_process_is_not_translated() -> None:
    with pytest.raises(KeyboardInterrupt), translated("upbit"):
        raise KeyboardInterrupt


@pytest.mark.parametrize("status", [200, 204, 400, 401, 403, 404, 451])
def test_a_status_that_says_nothing_by_itself_is_left_to_the_body(status: int) -> None:
    assert status_error("upbit", status, "GET /", "", None) is None


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("0", 0.0),
        ("17", 17.0),
        ("1.5", 1.5),
        ("-3", 0.0),
        ("99999999", 7 * 86_400.0),
        ("inf", None),
        ("nan", None),
        ("soon", None),
        ("", None),
        ("Thu, 01 Jan 2026 00:00:30 GMT", 30.0),
        ("Wed, 31 Dec 2025 23:59:00 GMT", 0.0),
    ],
)
def test_retry_after_is_a_number_of_seconds_or_a_date(
    value: str | None, seconds: float | None
) -> None:
    assert parse_retry_after(value, now=NOW) == seconds


def test_a_long_answer_is_cut_to_one_line() -> None:
    text = shorten("a\n b\t" + "c" * 10_000_000)
    assert text.startswith("a b ccc")
    assert len(text) == 200
