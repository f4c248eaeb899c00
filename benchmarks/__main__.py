"""`make bench`: prints a table and writes JSON to benchmarks/results/."""

import argparse
import dataclasses
import json
import os
import platform
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from benchmarks import (
    analysis_figures,
    evaluation_figures,
    http_figures,
    storage_figures,
    worker_figures,
)
from benchmarks.figures import Figure, show

_PARTS = ("http", "analysis", "evaluation", "storage", "worker")


def main() -> None:
    """Run the chosen parts; every figure is measured now, beside its yardstick."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", choices=_PARTS, action="append", help="run only this part")
    parser.add_argument("--seconds", type=int, default=5, help="length of each load (default 5)")
    parser.add_argument("--markets", type=int, action="append", help="sizes of the analysis pass")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    chosen = parser.parse_args()
    parts: dict[str, Callable[[Path], Iterator[Figure]]] = {
        "http": lambda folder: http_figures.measure(folder, seconds=chosen.seconds),
        "analysis": lambda _: analysis_figures.measure(chosen.markets or [400, 2000]),
        "evaluation": lambda _: evaluation_figures.measure(),
        "storage": storage_figures.measure,
        "worker": worker_figures.measure,
    }
    console, figures = Console(), list[Figure]()
    if not console.is_terminal:
        console.width = 170  # a log file has no width of its own
    for name in chosen.only or _PARTS:
        with (
            console.status(f"measuring {name} ..."),
            tempfile.TemporaryDirectory(prefix="dantaro-bench-") as folder,
        ):
            figures += parts[name](Path(folder))
    show(figures, console)
    console.print(f"written: {_write(figures, chosen.out)}")


def _write(figures: list[Figure], out: Path) -> Path:
    out.mkdir(parents=True, exist_ok=True)
    path = out / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}.json"
    machine = {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "load_1m": os.getloadavg()[0],
    }
    rows = [dataclasses.asdict(figure) | {"ratio": figure.ratio} for figure in figures]
    path.write_text(json.dumps({"machine": machine, "figures": rows}, indent=2) + "\n")
    return path


if __name__ == "__main__":
    main()
