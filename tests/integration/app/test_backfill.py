"""`dantaro backfill`: what is missing is collected, once."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "dantaro", *arguments]


def _environment(folder: Path, url: str) -> dict[str, str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith("DANTARO_")}
    return {
        **clean,
        "DANTARO_HOME": str(folder / "home"),
        "DANTARO_EXCHANGES": "binance",
        "DANTARO_VENUE_URLS": json.dumps({"binance": url}),
        "DANTARO_UNIVERSE_SIZE": "3",
    }


def _run(folder: Path, url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        _command(*arguments),
        cwd=folder,
        env=_environment(folder, url),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A simulated exchange."""
    log = tmp_path_factory.mktemp("venue") / "log"
    with log.open("w", encoding="utf-8") as output:
        venue = subprocess.Popen(
            _command("venue", "--exchange", "binance", "--port", "0"),
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        deadline = time.monotonic() + 20
        while not (found := re.search(r'"(http://127\.0\.0\.1:\d+)"', log.read_text("utf-8"))):
            assert time.monotonic() < deadline, log.read_text("utf-8")
            time.sleep(0.05)
        yield found[1]
    finally:
        venue.terminate()
        venue.wait(10)


def test_what_is_missing_is_collected_and_not_asked_for_again(url: str, tmp_path: Path) -> None:
    first = _run(tmp_path, url, "backfill", "--timeframe", "1h", "--days", "2")
    assert first.returncode == 0, first.stderr
    # A log shows that it lives, and no bar.
    lines = [line for line in first.stderr.splitlines() if line.startswith("binance 1h: ")]
    assert lines[-1] == "binance 1h: 3 of 3 markets"
    assert 2 <= len(lines) <= 4
    assert "━" not in first.stderr
    stored = int(first.stdout.split()[0])
    assert 3 * 40 <= stored <= 3 * 49  # three markets, two days, some hours of which are quiet

    again = _run(tmp_path, url, "backfill", "--timeframe", "1h", "--days", "2")
    assert again.returncode == 0
    assert again.stdout.strip() == "Nothing is missing."

    further = _run(tmp_path, url, "backfill", "--timeframe", "1h", "--days", "4")
    assert further.returncode == 0
    assert 3 * 40 <= int(further.stdout.split()[0]) <= 3 * 49


def test_an_exchange_that_is_away_is_named_and_the_exit_code_says_to_try_again(
    tmp_path: Path,
) -> None:
    done = _run(tmp_path, "http://127.0.0.1:1", "backfill")
    assert done.returncode == 75
    assert "could not be reached: binance" in done.stderr
    assert "Traceback" not in done.stderr
    # What it made is a store that every other command can use.
    assert _run(tmp_path, "http://127.0.0.1:1", "keys", "list").returncode == 0
