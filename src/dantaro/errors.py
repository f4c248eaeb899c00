"""Every error that Dantaro raises on purpose, named by what the caller should do about it.

    DantaroError
    |-- ConfigurationError          fix the configuration; retrying cannot help
    |   |-- SettingError            a DANTARO_* variable or TOML key is unknown or invalid
    |   |-- InvalidSettings         several of them are; carries each
    |   |-- OriginMismatch          the venue's data origin is not the store's
    |   |-- ClockMismatch           the venue's clock is behind what the store already holds
    |   |-- SchemaMismatch          the database schema is not this version's
    |   |-- SqliteTooOld            the SQLite library cannot be trusted with two processes
    |   |-- RecordingInvalid        a recorded data file is missing, torn or of another schema
    |   `-- ModelInvalid            a model file is torn, altered, or made for other features
    |-- RetryLater                  the same call may succeed later
    |   |-- VenueUnavailable        network error, timeout, HTTP 5xx
    |   |-- VenueRateLimited        HTTP 429/418; carries retry_after_seconds
    |   |-- StorageUnavailable      the database is away, locked or full
    |   `-- CacheUnavailable        the cache is away, hung or full
    |-- GiveUp                      this call cannot succeed, the rest can go on
    |   |-- VenueRefused            HTTP 4xx, unknown market, unsupported timeframe
    |   |-- VenueAnswerInvalid      undecodable, oversized, redirected or ill-shaped answer
    |   |-- StaleWriter             a newer lease holder or newer data exists; the write is refused
    |   |-- DocumentInvalid         a stored document is torn or of an unknown schema version
    |   `-- NotMeasurable           figures do not fit together, or a measure is asked for the impossible
    `-- RequestError                the API caller's mistake
        |-- InvalidRequest          a parameter is out of range or unparsable
        |-- Unauthorized            no key, or not a valid one
        |-- Forbidden               the key lacks the scope
        |-- NotFound                unknown symbol, generation or path; carries the nearest matches
        `-- TooManyRequests         over the key's limit; carries retry_after_seconds

Retry decisions are taken by type, never by message text.
"""

from collections.abc import Sequence


class DantaroError(Exception):
    """Root of all errors raised on purpose."""


class ConfigurationError(DantaroError):
    """The operator must change a setting, a file or a command; the message names it and the remedy."""


class SettingError(ConfigurationError):
    """A setting is unknown or its value is not allowed."""

    def __init__(
        self, setting: str, value: object, allowed: str, *, file: str | None = None
    ) -> None:
        self.setting = setting
        self.value = value
        self.allowed = allowed
        self.file = file
        """The settings file it stands in; None for an environment variable."""
        written = f"{setting}={value!r}" if file is None else f"{file}: {setting} = {value!r}"
        super().__init__(f"{written} is not valid: {allowed}")


class InvalidSettings(ConfigurationError):
    """Several settings are unknown or invalid; `errors` has each, the message names all."""

    def __init__(self, errors: Sequence[SettingError]) -> None:
        self.errors = tuple(errors)
        super().__init__("\n".join(map(str, errors)))


class OriginMismatch(ConfigurationError):
    """A venue of one data origin was pointed at a store of another."""


class ClockMismatch(ConfigurationError):
    """The venue's clock is behind the newest data that the store already holds."""


class SchemaMismatch(ConfigurationError):
    """The database schema is missing, older or newer than this code's."""


class SqliteTooOld(ConfigurationError):
    """The linked SQLite library has the WAL-reset bug (before 3.51.3)."""


class RecordingInvalid(ConfigurationError):
    """A recorded data file is missing, torn or does not follow the expected schema."""


class ModelInvalid(ConfigurationError):
    """A file of a fitted model cannot be trusted; the message says what is wrong and how to make one."""


class RetryLater(DantaroError):
    """The same call may succeed later."""


class VenueUnavailable(RetryLater):
    """The exchange could not be reached, timed out or answered HTTP 5xx."""


class VenueRateLimited(RetryLater):
    """The exchange refused for too many requests; wait `retry_after_seconds` (None: not stated)."""

    def __init__(self, message: str, *, retry_after_seconds: float | None = None) -> None:
        self.retry_after_seconds = retry_after_seconds
        super().__init__(message)


class StorageUnavailable(RetryLater):
    """The database is away, locked for too long, read-only or full."""


class CacheUnavailable(RetryLater):
    """The cache is away, hung or full."""


class GiveUp(DantaroError):
    """This call cannot succeed; others can."""


class VenueRefused(GiveUp):
    """The exchange answered that the request itself is wrong (HTTP 4xx, unknown market)."""


class VenueAnswerInvalid(GiveUp):
    """The exchange's answer is undecodable, too large, redirected elsewhere or of another shape."""


class StaleWriter(GiveUp):
    """A newer lease holder or newer data exists; nothing was written."""


class DocumentInvalid(GiveUp):
    """A stored document is torn or of a schema version that this code does not read."""


class NotMeasurable(GiveUp):
    """What was to be measured does not fit together, or a measure's parameter is out of range."""


class RequestError(DantaroError):
    """The API caller's mistake; `code` is stable and machine readable."""

    code = "request_error"


class InvalidRequest(RequestError):
    """A parameter is out of range or unparsable."""

    code = "invalid_request"


class Unauthorized(RequestError):
    """No API key, or one that is unknown, expired or revoked."""

    code = "unauthorized"


class Forbidden(RequestError):
    """The key is valid but lacks the scope."""

    code = "forbidden"


class NotFound(RequestError):
    """Nothing by that name; `nearest` lists what the caller may have meant."""

    code = "not_found"

    def __init__(self, message: str, *, nearest: Sequence[str] = ()) -> None:
        self.nearest = tuple(nearest)
        super().__init__(message)


class TooManyRequests(RequestError):
    """Over the key's limit; retry after `retry_after_seconds`."""

    code = "too_many_requests"

    def __init__(self, message: str, *, retry_after_seconds: float) -> None:
        self.retry_after_seconds = retry_after_seconds
        super().__init__(message)
