"""How a recorded or simulated exchange tells its time.

Recorded timestamps are never shifted. Instead the exchange publishes what time it is for it, and how
fast its time runs, and everything that asks for `now` follows (see `dantaro.clock`).
"""

import math
from dataclasses import dataclass

from dantaro.errors import VenueAnswerInvalid

ORIGIN_HEADER = "X-Dantaro-Origin"
CLOCK_HEADER = "X-Dantaro-Clock"
LIMITS_HEADER = "X-Dantaro-Limits"  # "none": it counts no requests, so there is nothing to pace for


@dataclass(frozen=True, slots=True)
class ClockReading:
    """At real time `real_ms` the exchange's time was `venue_ms`, running `speed` times as fast."""

    venue_ms: int
    real_ms: int
    speed: float

    def venue_time(self, *, real_ms: int) -> int:
        """The exchange's time, in UTC milliseconds, at real time `real_ms`."""
        numerator, denominator = self.speed.as_integer_ratio()
        return self.venue_ms + (real_ms - self.real_ms) * numerator // denominator

    def real_time(self, *, venue_ms: int) -> int:
        """The first real time, in UTC milliseconds, at which the exchange's time is `venue_ms`."""
        numerator, denominator = self.speed.as_integer_ratio()  # exact: 63 / 0.7 is not quite 90
        return self.real_ms - (self.venue_ms - venue_ms) * denominator // numerator

    def to_header(self) -> str:
        """The value of `CLOCK_HEADER`."""
        return f"venue={self.venue_ms}; real={self.real_ms}; speed={self.speed!r}"

    @classmethod
    def from_header(cls, value: str) -> "ClockReading":
        """Read the value of `CLOCK_HEADER`.

        Raises:
            VenueAnswerInvalid: the value is not one that `to_header` writes.
        """
        try:
            parts = dict(part.strip().split("=", 1) for part in value.split(";"))
            reading = cls(int(parts["venue"]), int(parts["real"]), float(parts["speed"]))
        except (KeyError, ValueError) as error:
            raise VenueAnswerInvalid(f"{CLOCK_HEADER}: {value!r} cannot be read") from error
        if not (math.isfinite(reading.speed) and reading.speed > 0):
            raise VenueAnswerInvalid(f"{CLOCK_HEADER}: speed must be positive, not {reading.speed}")
        return reading
