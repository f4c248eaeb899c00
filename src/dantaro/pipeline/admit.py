"""Whether an exchange may feed this store: one origin per store, and no time before its data."""

from dataclasses import dataclass
from datetime import UTC, datetime

from dantaro.errors import ClockMismatch, OriginMismatch, VenueAnswerInvalid
from dantaro.market.clocks import ClockReading
from dantaro.market.markets import Market, Origin
from dantaro.market.timeframes import parse_timeframe
from dantaro.storage.candles import coverage
from dantaro.storage.engine import Store
from dantaro.storage.generations import current_manifest
from dantaro.venues.session import Announcement
from dantaro.venues.venue import Venue

_AGREEMENT_SECONDS = 5.0
"""How far apart, in real time, the clocks of two recorded or simulated exchanges may be."""


def require_origin(venue: Venue, origin: Origin) -> None:
    """Refuse what was just received unless the exchange's latest answer announced `origin`.

    Raises:
        OriginMismatch: it announced another, or nothing was received yet.
    """
    announced = None if venue.announcement is None else venue.announcement.origin
    if announced is not origin:
        raise OriginMismatch(
            f"{venue.exchange} serves {announced or 'nothing yet'} data, but this store holds "
            f"{origin} data and takes no other; correct DANTARO_VENUE_URLS or use another "
            f"DANTARO_HOME"
        )


@dataclass(frozen=True, slots=True)
class FirstAnswer:
    """What an exchange announced, and the market list that came with it."""

    announcement: Announcement
    markets: tuple[Market, ...]


async def first_answer(venue: Venue) -> FirstAnswer:
    """Ask the exchange for its market list, and see what it announces.

    Raises:
        RetryLater, GiveUp: the exchange did not answer, or not sensibly.
    """
    markets = await venue.markets()
    if venue.announcement is None:
        raise VenueAnswerInvalid(f"{venue.exchange} gave a market list but no answer was seen")
    return FirstAnswer(venue.announcement, markets)


def newest_data_ms(store: Store) -> int | None:
    """The latest moment that anything in the store speaks of, None for an empty store.

    The close of the newest candle, or the publication of the current generation if that is later.
    """
    moments = [
        known.last_candle_ms + parse_timeframe(name).milliseconds
        for (_, name), known in coverage(store).items()
        if known.last_candle_ms is not None
    ]
    if (manifest := current_manifest(store)) is not None:
        moments.append(manifest.published_at_ms)
    return max(moments, default=None)


def require_time(
    exchange: str, reading: ClockReading | None, *, newest_ms: int | None, real_ms: int
) -> None:
    """Refuse an exchange whose time is before what the store already holds.

    Raises:
        ClockMismatch: its published time is before `newest_ms`.
    """
    if reading is None or newest_ms is None:
        return
    now_ms = reading.venue_time(real_ms=real_ms)
    if now_ms < newest_ms:
        raise ClockMismatch(
            f"it is {_iso(now_ms)} on {exchange}, but this store already holds data of "
            f"{_iso(newest_ms)}; start the venue with --start {_iso(newest_ms)} or later, or use "
            f"another DANTARO_HOME"
        )


def require_agreement(
    exchange: str, reading: ClockReading | None, *, followed: ClockReading | None, real_ms: int
) -> None:
    """Refuse an exchange whose clock differs from the one that is followed.

    Raises:
        ClockMismatch: they run at different speeds, or are seconds of real time apart.
    """
    if reading is None or followed is None:
        if reading is not followed:
            raise ClockMismatch(f"{exchange} has a clock of its own and others have not; stop one")
        return
    apart_ms = reading.venue_time(real_ms=real_ms) - followed.venue_time(real_ms=real_ms)
    if reading.speed != followed.speed or abs(apart_ms) > _AGREEMENT_SECONDS * 1000 * reading.speed:
        raise ClockMismatch(
            f"the clock of {exchange} is {apart_ms / 1000:+.1f} s off and runs {reading.speed:g} "
            f"times as fast as real time, the other exchange's {followed.speed:g} times; start all "
            f"venues together, with the same --start and --speed"
        )


def _iso(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, tz=UTC).isoformat(timespec="seconds")
