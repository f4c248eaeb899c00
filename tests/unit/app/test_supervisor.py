"""The supervisor: restarts, refusals, and an end for everything it started."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from dantaro.app import supervisor as supervisor_module
from dantaro.app.supervisor import Program, Supervisor

_SLEEP = "import time; print('ready', flush=True); time.sleep(60)"


def _python(code: str, *arguments: str) -> list[str]:
    return [sys.executable, "-c", code, *arguments]


class _Lines:
    """What the programs wrote, in order."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str]] = []

    def __call__(self, name: str, line: str) -> None:
        self.seen.append((name, line))

    def of(self, name: str) -> list[str]:
        return [line for its_name, line in self.seen if its_name == name]


def _when(condition: Callable[[], bool], supervisor: Supervisor, *, seconds: float = 8) -> None:
    """Stop the supervisor, from another thread, once the condition holds or the time is over."""

    def watch() -> None:
        deadline = time.monotonic() + seconds
        while not condition() and time.monotonic() < deadline:
            time.sleep(0.02)
        supervisor.stop()

    threading.Thread(target=watch, daemon=True).start()


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_lines_of_both_streams_are_delivered_with_the_programs_name() -> None:
    lines = _Lines()
    code = "import sys, time; print('out', flush=True); sys.stderr.write('err\\n'); time.sleep(60)"
    supervisor = Supervisor([Program("one", _python(code))], on_line=lines)
    _when(lambda: len(lines.seen) == 2, supervisor)
    assert supervisor.run() == 0
    assert sorted(lines.seen) == [("one", "err"), ("one", "out")]


def test_what_dies_is_started_again_and_the_other_is_left_alone() -> None:
    lines = _Lines()
    dying = "import os, sys; print(os.getpid(), flush=True); sys.exit(1)"
    supervisor = Supervisor(
        [Program("dying", _python(dying)), Program("steady", _python(_SLEEP))], on_line=lines
    )
    _when(lambda: len(lines.of("dying")) >= 3, supervisor)
    assert supervisor.run() == 0
    assert len(set(lines.of("dying"))) >= 3
    assert lines.of("steady") == ["ready"]


def test_what_is_killed_is_back_soon() -> None:
    lines = _Lines()
    code = "import os, time; print(os.getpid(), flush=True); time.sleep(60)"
    supervisor = Supervisor([Program("one", _python(code))], on_line=lines)
    killed_at = 0.0

    def kill_then_wait() -> bool:
        nonlocal killed_at
        if lines.seen and not killed_at:
            os.kill(int(lines.seen[0][1]), signal.SIGKILL)
            killed_at = time.monotonic()
        return len(lines.seen) == 2

    _when(kill_then_wait, supervisor)
    assert supervisor.run() == 0
    assert len(lines.seen) == 2
    assert time.monotonic() - killed_at < 5


def test_a_wrong_configuration_at_the_first_start_ends_everything() -> None:
    lines = _Lines()
    supervisor = Supervisor(
        [
            Program("wrong", _python("import sys; print('PORT is wrong'); sys.exit(2)")),
            Program("steady", _python(f"import os; print(os.getpid(), flush=True); {_SLEEP}")),
        ],
        on_line=lines,
    )
    assert supervisor.run() == 2
    assert lines.of("wrong") == ["PORT is wrong"]
    assert all(not _is_alive(int(line)) for line in lines.of("steady") if line.isdigit())


def test_a_configuration_that_became_wrong_ends_everything_instead_of_restarting_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor_module, "_HEALTHY_SECONDS", 0.3)
    monkeypatch.setattr(supervisor_module, "_FIRST_PAUSE_SECONDS", 0.05)
    monkeypatch.setattr(supervisor_module, "_LONGEST_PAUSE_SECONDS", 0.05)
    lines = _Lines()
    code = (
        "import pathlib, sys, time\n"
        "print('start', flush=True)\n"
        "ran = pathlib.Path(sys.argv[1])\n"
        "if ran.exists(): sys.exit(2)\n"
        "ran.touch(); time.sleep(0.8); sys.exit(1)"
    )
    supervisor = Supervisor(
        [Program("worker", _python(code, str(tmp_path / "ran")))], on_line=lines
    )
    assert supervisor.run() == 2
    assert lines.of("worker") == ["start"] * 6


def test_a_program_waits_until_it_may_start() -> None:
    lines = _Lines()
    may_start = threading.Event()
    supervisor = Supervisor(
        [
            Program("first", _python(_SLEEP)),
            Program("second", _python(_SLEEP), may_start=may_start.is_set),
        ],
        on_line=lines,
    )

    def second_started() -> bool:
        if lines.of("first") and not may_start.is_set():
            time.sleep(0.5)
            assert lines.of("second") == []
            may_start.set()
        return bool(lines.of("second"))

    _when(second_started, supervisor)
    assert supervisor.run() == 0
    assert lines.of("second") == ["ready"]


def test_stopping_lets_programs_end_in_order_and_kills_those_that_do_not() -> None:
    graceful = (
        "import signal, sys, time\n"
        "def end(*_):\n    print('ended in order', flush=True); sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, end); print('ready', flush=True); time.sleep(60)"
    )
    stubborn = (
        "import os, signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        "print(os.getpid(), flush=True); time.sleep(60)"
    )
    lines = _Lines()
    supervisor = Supervisor(
        [Program("graceful", _python(graceful)), Program("stubborn", _python(stubborn))],
        on_line=lines,
        stop_seconds=1,
    )
    _when(lambda: len(lines.seen) == 2, supervisor)
    assert supervisor.run() == 0
    assert lines.of("graceful") == ["ready", "ended in order"]
    assert not _is_alive(int(lines.of("stubborn")[0]))


def test_children_end_when_the_supervisor_is_killed(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    child = (
        "import os, sys, time, pathlib\n"
        "from dantaro.app.supervisor import die_with_parent\n"
        "die_with_parent(int(sys.argv[1]))\n"
        "pathlib.Path(sys.argv[2]).write_text(str(os.getpid())); time.sleep(60)"
    )
    parent = (
        "import os, sys\n"
        "from dantaro.app.supervisor import Program, Supervisor\n"
        f"child = [sys.executable, '-c', {child!r}, str(os.getpid()), sys.argv[1]]\n"
        "Supervisor([Program('child', child)], on_line=lambda *_: None).run()"
    )
    supervisor = subprocess.Popen(_python(parent, str(pid_file)))
    try:
        assert _soon(lambda: pid_file.exists() and pid_file.read_text() != "")
        pid = int(pid_file.read_text())
        assert _is_alive(pid)
    finally:
        supervisor.kill()
        supervisor.wait(5)
    assert _soon(lambda: not _runs(pid))


def test_a_child_whose_parent_is_gone_already_ends_at_once() -> None:
    code = (
        "from dantaro.app.supervisor import die_with_parent as d; d(1); import time; time.sleep(60)"
    )
    assert subprocess.run(_python(code), check=False, timeout=10).returncode == -signal.SIGTERM


def _runs(pid: int) -> bool:
    """Whether the process runs; one that ended and was not waited for does not."""
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return False


def _soon(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 8
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
