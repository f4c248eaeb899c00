"""Load on loopback by `wrk`, bounded in time and connections."""

import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass

CONNECTIONS = 16


@dataclass(frozen=True, slots=True)
class Load:
    """Requests per second, and latency in milliseconds, of one run; `failed` counts non-2xx/3xx."""

    requests_per_second: float
    p50_ms: float
    p99_ms: float
    failed: int


def available() -> bool:
    """Whether `wrk` is installed."""
    return shutil.which("wrk") is not None


def load(url: str, *, seconds: int, headers: Mapping[str, str]) -> Load:
    """Ask for `url` as fast as it answers, over 16 connections, for `seconds`."""
    command = ["wrk", "-t", "1", "-c", str(CONNECTIONS), "-d", f"{seconds}s", "--latency"]
    for name, value in headers.items():
        command += ["-H", f"{name}: {value}"]
    out = subprocess.run(
        [*command, url], check=True, capture_output=True, text=True, timeout=seconds + 30
    ).stdout
    failed = re.search(r"Non-2xx or 3xx responses: (\d+)", out)
    return Load(
        requests_per_second=float(_figure(r"Requests/sec:\s+([\d.]+)", out)),
        p50_ms=_milliseconds(_figure(r"50%\s+([\d.]+\w+)", out)),
        p99_ms=_milliseconds(_figure(r"99%\s+([\d.]+\w+)", out)),
        failed=int(failed.group(1)) if failed else 0,
    )


def _figure(pattern: str, out: str) -> str:
    found = re.search(pattern, out)
    if found is None:
        raise RuntimeError(f"wrk printed no {pattern!r}:\n{out}")
    return found.group(1)


def _milliseconds(text: str) -> float:
    scales = {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4}
    number, unit = re.fullmatch(r"([\d.]+)(\w+)", text).groups()  # type: ignore[union-attr]
    return float(number) * scales[unit]
