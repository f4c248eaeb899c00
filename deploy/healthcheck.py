# ruff: noqa: INP001 - a script of its own, copied into the image
"""The health check of a container: `healthcheck.py api` or `healthcheck.py worker`.

Standard library only, and nothing of the program itself, so that it costs little and still answers when
the program does not. Exit code 0: well. 1: not, with the reason on standard error.
"""

import os
import sys
import time
import urllib.request

_TIMEOUT_SECONDS = 2
_LONGEST_SILENCE_SECONDS = 45
_HEARTBEAT = b"dantaro_worker_heartbeat_timestamp_seconds "


def _get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=_TIMEOUT_SECONDS) as answer:  # noqa: S310 - loopback
        body: bytes = answer.read()
    return body


def check_api() -> str | None:
    """Why the API is not well; None when it answers."""
    _get(f"http://127.0.0.1:{os.environ.get('DANTARO_PORT') or '8000'}/health")
    return None


def check_worker() -> str | None:
    """Why the worker is not well; None when its last heartbeat reached the database lately."""
    port = os.environ.get("DANTARO_WORKER_METRICS_PORT") or "0"
    if port == "0":
        return "DANTARO_WORKER_METRICS_PORT is not set: there is nothing to ask"
    for line in _get(f"http://127.0.0.1:{port}/metrics").splitlines():
        if line.startswith(_HEARTBEAT):
            age = time.time() - float(line.removeprefix(_HEARTBEAT))
            return None if age <= _LONGEST_SILENCE_SECONDS else f"no heartbeat for {age:.0f} s"
    return "the worker has not reached the database yet"


def main() -> None:
    """Check what the command line names."""
    checks = {"api": check_api, "worker": check_worker}
    name = sys.argv[1] if len(sys.argv) == 2 else ""
    if name not in checks:
        sys.exit("usage: healthcheck.py api|worker")
    try:
        problem = checks[name]()
    except (OSError, ValueError) as error:
        problem = f"no usable answer: {error}"
    if problem is not None:
        sys.exit(f"{name}: {problem}")


if __name__ == "__main__":
    main()
