"""What a body is made from: one snapshot, seen at one moment."""

from dataclasses import dataclass
from typing import TypedDict

from dantaro.api.schemas.base import Source
from dantaro.api.schemas.ranking import MarketResolution
from dantaro.api.times import rfc3339
from dantaro.market.markets import Origin
from dantaro.queries import DataAge, DataStatus, Resolution, Snapshot


class AgeFields(TypedDict):
    """The fields of `schemas.Aged`."""

    data_as_of: str | None
    stale_after: str | None
    data_status: DataStatus
    data_origin: Origin | None
    generation: int | None
    data_note: str | None


@dataclass(frozen=True, slots=True)
class Reading:
    """A snapshot as it is read at `now_ms` on the clock (for `as_of`, at that time).

    `source` is `database` when the database was asked for this answer, else `cache`. `notes` say what
    is amiss, and hold until `notes_until_ms` (None: until something happens); `nothing_yet` says why a
    part that is missing is missing. `detached`: the database cannot be reached.
    """

    snapshot: Snapshot
    now_ms: int
    source: Source
    notes: tuple[str, ...] = ()
    nothing_yet: str = "nothing has been published yet"
    notes_until_ms: int | None = None
    detached: bool = False

    @property
    def published_at(self) -> str:
        """When the generation was published."""
        return rfc3339(self.snapshot.manifest.published_at_ms)

    @property
    def published_seconds(self) -> float:
        """The same in seconds since 1970."""
        return self.snapshot.manifest.published_at_ms / 1000

    def status(self, age: DataAge) -> DataStatus:
        """The data status of something of this age."""
        return age.status(now_ms=self.now_ms, provisional=self.snapshot.provisional)

    def age_fields(self, age: DataAge) -> AgeFields:
        """The fields that tell `age`."""
        known = age.data_as_of_ms > 0  # 0: published without a single candle
        return AgeFields(
            data_as_of=rfc3339(age.data_as_of_ms) if known else None,
            stale_after=rfc3339(age.stale_after_ms) if known else None,
            data_status=self.status(age),
            data_origin=self.snapshot.manifest.origin,
            generation=self.snapshot.generation,
            data_note="; ".join(self.notes) or None,
        )


def initializing(origin: Origin | None, note: str | None) -> AgeFields:
    """The age fields while nothing is published."""
    return AgeFields(
        data_as_of=None,
        stale_after=None,
        data_status=DataStatus.INITIALIZING,
        data_origin=origin,
        generation=None,
        data_note=note,
    )


def resolution_of(resolution: Resolution) -> MarketResolution:
    """A resolution as it is answered."""
    return MarketResolution(
        requested=resolution.requested,
        market=resolution.market.key,
        ambiguous=resolution.ambiguous,
        candidates=list(resolution.candidates),
    )


def moment_fields(
    snapshot: Snapshot | None,
    age: DataAge | None,
    *,
    origin: Origin | None,
    note: str | None,
    now_ms: int,
) -> AgeFields:
    """The age fields of an answer about this moment: of `age`, else of the current generation."""
    if snapshot is None and age is None:
        return initializing(origin, note)
    known = age or (None if snapshot is None else snapshot.age())
    if known is None:
        return initializing(origin, note)
    provisional = age is None and snapshot is not None and snapshot.provisional
    return AgeFields(
        data_as_of=rfc3339(known.data_as_of_ms),
        stale_after=rfc3339(known.stale_after_ms),
        data_status=known.status(now_ms=now_ms, provisional=provisional),
        data_origin=origin,
        generation=None if snapshot is None else snapshot.generation,
        data_note=note,
    )
