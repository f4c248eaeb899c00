"""One pace per exchange: documented limits with a margin, and silence for as long as it asks for.

A limit is counted per address, so everything else on the same address shares it: we take at most
`SHARE` of it.
"""

import asyncio
import time
from collections.abc import Mapping

from dantaro.errors import VenueRateLimited

SHARE = 0.8

# Milliseconds per unit of ccxt's cost, where ccxt's own figure is not the one to trust. For the rest
# ccxt's `rateLimit` holds: with its cost per endpoint that is upbit 10 calls/s in each group, okx
# 20 per 2 s, bybit 10/s, gate 20/s, and binance 6,000 weight a minute.
UNIT_MILLISECONDS: Mapping[str, float] = {
    # Documented: 5 a second, 300 a minute; beyond it, no answer for 10 minutes. ccxt says 20 a second.
    "coinone": 200.0,
    # Documented 150 a second over all public calls; nothing is gained by coming near it.
    "bithumb": 25.0,
}

_LONGEST_WAIT_SECONDS = 30.0  # longer than this the caller is told instead of kept waiting
_FIRST_PAUSE_SECONDS = 2.0
_LONGEST_PAUSE_SECONDS = 120.0


class RateLimiter:
    """Spaces the calls to one exchange and holds them back after a refusal."""

    def __init__(self, exchange: str, *, seconds_per_unit: float) -> None:
        self._exchange = exchange
        self._seconds_per_unit = seconds_per_unit
        self._next_free = 0.0
        self._paused_until = 0.0
        self._refusals = 0
        self.paced = True  # False for a recorded or simulated exchange that says it has no limit

    async def acquire(self, cost: float = 1.0) -> None:
        """Wait for the turn of a call that costs `cost` units.

        Raises:
            VenueRateLimited: the exchange asked for a longer silence than a caller should wait.
        """
        while (pause := self._paused_until - time.monotonic()) > 0:
            if pause > _LONGEST_WAIT_SECONDS:
                raise VenueRateLimited(
                    f"{self._exchange}: it asked for silence; no call is made for {pause:.0f} s",
                    retry_after_seconds=pause,
                )
            await asyncio.sleep(pause)
        if not self.paced:
            return
        now = time.monotonic()
        turn = max(now, self._next_free)
        self._next_free = turn + cost * self._seconds_per_unit
        if turn > now:
            await asyncio.sleep(turn - now)
            await self._wait_out_a_pause_that_came_meanwhile(cost)

    def refused(self, retry_after_seconds: float | None) -> None:
        """The exchange refused for too many calls: be silent for `retry_after_seconds`.

        Without a figure the silence doubles with every refusal in a row, from 2 s up to 2 minutes.
        """
        if retry_after_seconds is None:
            retry_after_seconds = min(
                _FIRST_PAUSE_SECONDS * 2.0**self._refusals, _LONGEST_PAUSE_SECONDS
            )
        self._refusals = min(self._refusals + 1, 30)
        self._paused_until = max(self._paused_until, time.monotonic() + retry_after_seconds)

    def answered(self) -> None:
        """The exchange answered: the next refusal is the first in a row again."""
        self._refusals = 0

    async def _wait_out_a_pause_that_came_meanwhile(self, cost: float) -> None:
        if self._paused_until > time.monotonic():
            await self.acquire(cost)
