"""The analysis pass beside its bare TA-Lib calls, and ten times the markets beside ten times the time."""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence

from benchmarks.figures import Figure

_HOURS, _DAYS = 2160, 400
_MANY, _MANY_HOURS, _MANY_DAYS = 20_000, 500, 60  # with fewer than 31 days nothing would be ranked
_STEPS = ("panels", "prepare", "recommend", "levels", "status")


def measure(sizes: Sequence[int]) -> Iterator[Figure]:
    """Passes over each of `sizes` markets, and over many with few candles each."""
    for markets in sizes:
        found = _pass(markets, _HOURS, _DAYS)
        yield Figure(
            f"analysis pass, {markets} markets x (2,160 h + 400 d)",
            found["whole_pass"],
            "s CPU",
            yardstick=found["bare_talib"],
            yardstick_is="its bare TA-Lib calls",
            target="<= 3x",
            met=found["whole_pass"] <= 3 * found["bare_talib"],
            note=_steps(found),
        )
        yield Figure(
            f"analysis process, {markets} markets: peak memory",
            found["peak_rss_mb"],
            "MB RSS",
            yardstick=found["inputs_rss_mb"],
            yardstick_is="before the pass, with its candles",
        )
    yield from _many()


def _many() -> Iterator[Figure]:
    few = _pass(_MANY // 10, _MANY_HOURS, _MANY_DAYS)
    many = _pass(_MANY, _MANY_HOURS, _MANY_DAYS)
    ten_times = 10 * few["whole_pass"]
    yield Figure(
        "analysis pass, 20,000 markets x (500 h + 60 d)",
        many["whole_pass"],
        "s CPU",
        yardstick=ten_times,
        yardstick_is="ten times that of 2,000",
        target="<= 1.1x",
        met=many["whole_pass"] <= 1.1 * ten_times,
        note=_steps(many),
    )
    yield Figure(
        "analysis process, 20,000 markets x (500 h + 60 d): peak memory",
        many["peak_rss_mb"],
        "MB RSS",
        yardstick=many["inputs_rss_mb"],
        yardstick_is="before the pass, with its candles",
        target="<= 2,000 MB",
        met=many["peak_rss_mb"] <= 2000,
    )


def _pass(markets: int, hours: int, days: int) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.analysis_pass", *map(str, (markets, hours, days))]
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found: dict[str, float] = json.loads(out)
    return found


def _steps(found: dict[str, float]) -> str:
    return ", ".join(f"{name} {found[name]:.2f}" for name in _STEPS)
