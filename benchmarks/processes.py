"""Start a server, wait until it answers, measure its processes, stop it."""

import contextlib
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil


@dataclass(frozen=True, slots=True)
class Served:
    """A running server, and the seconds from its start to its first answer."""

    process: subprocess.Popen[bytes]
    url: str
    start_seconds: float

    def serving_rss_mb(self) -> float:
        """Resident memory in MB of the largest of the server's processes: the one that serves."""
        root = psutil.Process(self.process.pid)
        sizes = [p.memory_info().rss for p in (root, *root.children(recursive=True))]
        return max(sizes) / 1e6


def free_port() -> int:
    """A loopback port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def serving(
    command: Sequence[str],
    *,
    port: int,
    path: str,
    environment: Mapping[str, str],
    log: Path,
    headers: Mapping[str, str] | None = None,
) -> Iterator[Served]:
    """Run `command` until the block ends; enter it once `path` answers 200.

    Raises:
        RuntimeError: it ended or did not answer within 60 s.
    """
    url = f"http://127.0.0.1:{port}{path}"
    request = urllib.request.Request(url, headers=dict(headers or {}))
    with log.open("wb") as output:
        began = time.perf_counter()
        process = subprocess.Popen(command, env=dict(environment), stdout=output, stderr=output)
        try:
            while not _answers(request):
                if process.poll() is not None or time.perf_counter() - began > 60:
                    tail = log.read_text(errors="replace")[-2000:]
                    raise RuntimeError(f"{' '.join(command)} did not serve {url}:\n{tail}")
                time.sleep(0.01)
            yield Served(process, url, time.perf_counter() - began)
        finally:
            process.terminate()
            try:
                process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _answers(request: urllib.request.Request) -> bool:
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310 - loopback
            return bool(answer.status == 200)
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False
