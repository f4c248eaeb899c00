"""Timeframes: alignment on UTC and the closed-candle rule.

A candle is named by its opening time in UTC milliseconds and covers the half-open interval
`[opened_at_ms, opened_at_ms + milliseconds)`. It is closed once `now_ms` has reached its end.
"""

from dataclasses import dataclass

from dantaro.errors import ConfigurationError

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS


@dataclass(frozen=True, slots=True)
class Timeframe:
    """A candle length whose candles are aligned on multiples of it since the Unix epoch (UTC)."""

    name: str
    milliseconds: int

    def floor(self, at_ms: int) -> int:
        """Opening time of the candle that contains `at_ms`."""
        return at_ms - at_ms % self.milliseconds

    def is_aligned(self, opened_at_ms: int) -> bool:
        """Whether a candle of this timeframe can open at `opened_at_ms`."""
        return opened_at_ms % self.milliseconds == 0

    def is_closed(self, opened_at_ms: int, *, now_ms: int) -> bool:
        """Whether the candle's whole interval has passed."""
        return opened_at_ms + self.milliseconds <= now_ms

    def last_closed(self, *, now_ms: int) -> int:
        """Opening time of the newest candle that is closed at `now_ms`."""
        return self.floor(now_ms) - self.milliseconds

    def __str__(self) -> str:
        return self.name


_KNOWN = {
    name: Timeframe(name, milliseconds)
    for name, milliseconds in {
        "1m": MINUTE_MS,
        "5m": 5 * MINUTE_MS,
        "15m": 15 * MINUTE_MS,
        "30m": 30 * MINUTE_MS,
        "1h": HOUR_MS,
        "4h": 4 * HOUR_MS,
        "1d": DAY_MS,
    }.items()
}

HOURLY = _KNOWN["1h"]
FOUR_HOURLY = _KNOWN["4h"]
DAILY = _KNOWN["1d"]


def parse_timeframe(name: str) -> Timeframe:
    """The timeframe called `name`.

    Raises:
        ConfigurationError: the name is not one of the supported timeframes.
    """
    try:
        return _KNOWN[name]
    except KeyError:
        raise ConfigurationError(
            f"timeframe {name!r} is not supported; choose from {', '.join(_KNOWN)}"
        ) from None
