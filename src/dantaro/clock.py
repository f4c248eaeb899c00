"""The one clock that analysis, data age and the schedule follow.

Live it is the system's; on a recorded or simulated exchange it follows the time that the exchange
publishes. Leases, API keys and limits use real time and never this clock.
"""

import time

from dantaro.market.clocks import ClockReading

TICKER_LIFE_REAL_SECONDS = 10
"""Real seconds that a ticker holds at least, however fast the clock runs: the rounds of tickers then
follow each other as quickly as they can, and no more quickly.
"""


def real_now_ms() -> int:
    """The system's time in UTC milliseconds."""
    return time.time_ns() // 1_000_000


class Clock:
    """Tells `now`; built once in `dantaro.app`.

    `follow` switches it to an exchange's published time (None: back to the system's).
    """

    def __init__(self, reading: ClockReading | None = None) -> None:
        self._reading = reading

    @property
    def reading(self) -> ClockReading | None:
        """The exchange's published time that is followed, or None for the system's."""
        return self._reading

    @property
    def speed(self) -> float:
        """Seconds of this clock in one real second."""
        return 1.0 if self._reading is None else self._reading.speed

    def follow(self, reading: ClockReading | None) -> None:
        """Follow `reading` from now on."""
        self._reading = reading

    def now_ms(self) -> int:
        """Now, in UTC milliseconds of this clock."""
        real = real_now_ms()
        return real if self._reading is None else self._reading.venue_time(real_ms=real)

    def seconds_until(self, at_ms: int) -> float:
        """Real seconds until this clock shows `at_ms` (0 if it has)."""
        return max(0.0, (at_ms - self.now_ms()) / self.speed / 1000)
