"""The same candles give the same bytes: again, in eight threads at once, and in other processes."""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

from analysis_worlds import NOW_MS
from holed_worlds import a_holed_world, fingerprints

_THREADS = 8
_TESTS = Path(__file__).resolve().parent.parent
_PROGRAM = """
import json
from analysis_worlds import NOW_MS
from holed_worlds import a_holed_world, fingerprints
print(json.dumps(fingerprints(a_holed_world(5), NOW_MS)))
"""


def test_over_runs_and_from_inputs_that_were_used_before() -> None:
    world = a_holed_world(5)
    first = fingerprints(world, NOW_MS)
    assert len(first) == 7
    assert fingerprints(world, NOW_MS) == first
    assert fingerprints(a_holed_world(5), NOW_MS) == first
    assert fingerprints(a_holed_world(6), NOW_MS) != first


def test_over_threads_that_share_the_inputs() -> None:
    world = a_holed_world(5)
    at_once = Barrier(_THREADS)

    def one(_: int) -> dict[str, str]:
        at_once.wait()
        return fingerprints(world, NOW_MS)

    with ThreadPoolExecutor(_THREADS) as threads:
        found = list(threads.map(one, range(_THREADS)))
    assert found == [fingerprints(world, NOW_MS)] * _THREADS


def test_over_processes_whose_hashes_and_threads_differ() -> None:
    found = [
        _in_a_process(seed, threads) for seed, threads in (("0", "1"), ("1", "2"), ("77", "1"))
    ]
    assert found == [fingerprints(a_holed_world(5), NOW_MS)] * 3


def _in_a_process(hash_seed: str, threads: str) -> dict[str, str]:
    answer = subprocess.run(
        [sys.executable, "-c", _PROGRAM],
        env={
            **os.environ,
            "PYTHONPATH": str(_TESTS),
            "PYTHONHASHSEED": hash_seed,
            "OPENBLAS_NUM_THREADS": threads,
        },
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    found: dict[str, str] = json.loads(answer.stdout)
    return found
