"""`dantaro demo`: one command from nothing to a ranking, apart from every other store."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

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

    def interrupt(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(15)


def test_one_command_shows_a_ranking_that_is_labelled_simulated_in_a_store_of_its_own(
    tmp_path: Path,
) -> None:
    demo = _Demo(tmp_path)
    try:
        demo.wait_for("Top 10 of ", 90)
        assert "SIMULATED" in demo.output
        request = urllib.request.Request(
            f"http://127.0.0.1:{demo.port}/api/v1/recommendations?top_n=50",
            headers={"Authorization": f"Bearer {demo.key()}"},
        )
        with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310 - http, to loopback
            body = json.load(answer)
        assert body["data_origin"] == "simulated"
        assert len(body["recommendations"]) >= 20
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
