"""`dantaro demo`: one command from nothing to a ranking, apart from every other store."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest


class _Demo:
    def __init__(self, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self._output = folder / "output"
        clean = {k: v for k, v in os.environ.items() if not k.startswith("DANTARO_")}
        with self._output.open("w", encoding="utf-8") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "dantaro", "demo"],
                cwd=folder,
                env={
                    **clean,
                    "COLUMNS": "120",
                    "DANTARO_PORT": str(self.port),
                    "DANTARO_UNIVERSE_SIZE": "25",
                    # What a demonstration must not touch.
                    "DANTARO_DATABASE_URL": f"sqlite:///{folder}/precious.db",
                    "DANTARO_EXCHANGES": "okx",
                },
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    @property
    def output(self) -> str:
        return self._output.read_text(encoding="utf-8")

    def wait_for(self, text: str, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while text not in self.output:
            assert self.process.poll() is None, self.output
            assert time.monotonic() < deadline, self.output
            time.sleep(0.1)

    def key(self) -> str:
        return str(re.findall(r"API key: (dk_\S+)", self.output)[0])

    def get(self, path: str, *, key: str | None = None) -> tuple[int, Mapping[str, Any]]:
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310 - as above
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    def interrupt(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(15)


_V1_FIELDS: Mapping[str, type | tuple[type, ...]] = {
    "symbol": str,
    "total_score": float,
    "technical_score": float,
    "volume_score": float,
    "volatility_score": float,
    "risk_score": float,
    "recommendation_strength": str,
    "current_price": (int, float),
    "price_change_24h": (int, float),
    "volume_24h": (int, float),
    "market_cap": (int, float),
    "analysis_details": dict,
    "updated_at": str,
}


def _check_v1_fields(item: Mapping[str, Any]) -> None:
    """Each is a value of its type, or null with the reason."""
    for name, kind in _V1_FIELDS.items():
        value = item[name]
        if value is None:
            assert item["unavailable"][name], (name, item)
        else:
            assert isinstance(value, kind), (name, value)
            assert not isinstance(value, bool), (name, value)
    for name, value in item["unavailable"].items():
        assert name not in item or item[name] is None, (name, value)
    scores = [item[name] for name in _V1_FIELDS if name.endswith("_score")]
    assert all(0 <= score <= 1 for score in scores)
    assert item["market_cap"] is None  # no exchange tells it
    assert item["current_price"] > 0
    assert item["analysis_details"]
    assert set(item["analysis_details"].values()) != {None}


def test_one_command_shows_a_ranking_that_is_labelled_simulated_in_a_store_of_its_own(
    tmp_path: Path,
) -> None:
    demo = _Demo(tmp_path)
    try:
        demo.wait_for("Top 10 of ", 90)
        assert "SIMULATED" in demo.output
        status, body = demo.get("/api/v1/recommendations?top_n=50", key=demo.key())
        assert status == 200
        assert body["data_origin"] == "simulated"
        assert len(body["recommendations"]) >= 20
        for item in body["recommendations"]:
            _check_v1_fields(item)
        status, problem = demo.get("/api/v1/recommendations?top_n=50")
        assert (status, problem["status"], problem["code"]) == (401, 401, "unauthorized")
        assert "recommendations" not in problem
        key = demo.key()
        assert demo.interrupt() == 0, demo.output
    finally:
        demo.process.kill()
        demo.process.wait(5)
    assert "Traceback" not in demo.output
    assert not (tmp_path / "precious.db").exists()
    assert (tmp_path / "var" / "demo" / "dantaro.db").exists()

    again = _Demo(tmp_path)
    try:
        again.wait_for("API key: ", 20)
        assert again.key() != key
        assert again.interrupt() == 0, again.output
    finally:
        again.process.kill()
        again.process.wait(5)


def test_a_taken_port_is_said_at_once(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = subprocess.run(
            [sys.executable, "-m", "dantaro", "demo"],
            cwd=tmp_path,
            env={**os.environ, "DANTARO_PORT": str(port)},
            capture_output=True,
            text=True,
            check=False,
            timeout=20,
        )
    assert done.returncode == 2
    assert f"port {port}" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("program", ["up", "demo"])
def test_a_data_folder_that_cannot_be_written_to_is_named(tmp_path: Path, program: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "dantaro", program],
        cwd=tmp_path,
        env={**os.environ, "DANTARO_HOME": "/proc"},
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
    )
    assert done.returncode == 2
    assert "DANTARO_HOME" in done.stderr
    assert "Traceback" not in done.stderr
