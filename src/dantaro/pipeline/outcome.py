"""What a step of the write path reports back."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

Now = Callable[[], int]
"""Tells now in UTC milliseconds of the one clock."""

Enough = Callable[[], bool]
"""Whether the step should come to an end: it stops before the next market and says what remains."""


@dataclass(slots=True)
class Outcome:
    """Counts of one step, what it left undone, and what stopped it (None: nothing did).

    `counts` are recorded with the job's run. `again_in_seconds` (real time) asks for another run
    before the next regular one; None: nothing is left that could be done now.
    """

    counts: Counter[str] = field(default_factory=Counter)
    again_in_seconds: float | None = None
    error: Exception | None = None


def never() -> bool:
    """No limit: go on until everything is done."""
    return False
