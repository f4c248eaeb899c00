"""What an answer must say beside its figures: who collects, what is out of reach, how old prices are.

Pure: texts from facts. Durations are rounded down to steps, so that a text, and with it the bytes and
the tag of an answer, changes once a minute and not at every look.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dantaro.storage.workers import WorkerState

_MINUTE_MS = 60_000
_HOUR_MINUTES = 60
_SHORT_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Fleet:
    """The workers and the exchanges as last seen.

    `worker` is `active`, `silent`, `stopped` or `unknown`; `silence` says since when nobody works;
    `unreachable` are the exchanges that do not answer, `known` all that are collected.
    """

    worker: str = "unknown"
    silence: str | None = None
    unreachable: tuple[str, ...] = ()
    known: frozenset[str] = frozenset()

    @property
    def reaches_nothing(self) -> bool:
        """Whether every exchange is out of reach."""
        return bool(self.unreachable) and self.known <= set(self.unreachable)

    @property
    def notes(self) -> tuple[str, ...]:
        """What each answer about now has to say of it."""
        notes = [] if self.silence is None else [self.silence]
        if self.unreachable:
            notes.append(f"cannot be reached: {', '.join(self.unreachable)}")
        return tuple(notes)

    @property
    def exchanges(self) -> str:
        """The state of the exchanges in words."""
        if not self.unreachable:
            return "reachable"
        which = "all of them" if self.reaches_nothing else "some"
        return f"unreachable, {which}: {', '.join(self.unreachable)}"

    def waiting_for(self, what: str) -> str:
        """Why `what` is not there yet, and what to do about it."""
        names = ", ".join(self.unreachable)
        if self.worker != "active":
            heard = "no worker has been heard of" if self.silence is None else self.silence
            return f"{what}: {heard}; start `dantaro worker`, or `dantaro up` for the API too"
        if self.reaches_nothing:
            return f"{what}: no exchange can be reached ({names}); they are tried again"
        unreached = f"; cannot be reached, and is tried again: {names}" if names else ""
        return f"{what}: the worker is still collecting candles{unreached}"


def silence_of(worker: str, states: Sequence[WorkerState]) -> str | None:
    """Since when no worker is there: stopped, or not heard; None while one is active.

    A stopped worker's time is that of its last heartbeat.
    """
    if worker == "active":
        return None
    if not states:
        return "no worker has been heard of"
    span = _span(int(min(state.age_seconds for state in states)))
    if worker == "stopped":
        return f"the worker was stopped {span} ago"
    return f"no worker has been heard for {span}"


def _span(seconds: int) -> str:
    """In steps of ten seconds, then of a minute; the first ten are not counted."""
    if seconds < _SHORT_SECONDS:
        return "a few seconds"
    step = 60 if seconds >= 60 else _SHORT_SECONDS
    return f"{seconds - seconds % step} s"


def price_note(
    newest_at_ms: Mapping[str, int], *, now_ms: int, limit_ms: int
) -> tuple[str | None, int | None]:
    """What to say of prices that are older than `limit_ms`, and until when that text is right.

    `newest_at_ms` is each exchange's newest price.
    """
    words, until = [], []
    for exchange, at_ms in sorted(newest_at_ms.items()):
        if now_ms - at_ms <= limit_ms:
            until.append(at_ms + limit_ms + 1)
            continue
        minutes = (now_ms - at_ms) // _MINUTE_MS
        in_hours = minutes >= 2 * _HOUR_MINUTES
        step = _HOUR_MINUTES if in_hours else 1
        age = f"{minutes // _HOUR_MINUTES} h" if in_hours else f"{minutes} min"
        words.append(f"prices of {exchange} are {age} old")
        until.append(at_ms + (minutes // step + 1) * step * _MINUTE_MS)
    return "; ".join(words) or None, min(until, default=None)
