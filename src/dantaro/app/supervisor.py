"""Keeps several programs running on one machine: starts them, restarts what dies, stops them together.

Children live in process groups of their own, so that Ctrl-C in a terminal reaches the supervisor only
and it can stop them in order; `die_with_parent` keeps them from outliving a killed supervisor.
"""

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import structlog

_log = structlog.get_logger(__name__)

CONFIGURATION_EXIT = 2
"""The exit code by which a program says that starting it again cannot help."""

_POLL_SECONDS = 0.1
_FIRST_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 5.0
_HEALTHY_SECONDS = 30.0
_REFUSALS = 5
"""So often in a row may a program that did run before say that its configuration is wrong.

A port of a predecessor that is still dying, for one, is free again a moment later.
"""
_KILL_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Program:
    """A command that should always be running once `may_start` says so.

    `environment` is added to the supervisor's own.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    may_start: Callable[[], bool] = lambda: True


class Supervisor:
    """Runs `programs`; every line that they write goes to `on_line` with the program's name.

    `on_line` is called from one thread per program. A program that has not ended `stop_seconds` after
    SIGTERM is killed.
    """

    def __init__(
        self,
        programs: Sequence[Program],
        *,
        on_line: Callable[[str, str], None],
        stop_seconds: float = 11.0,
    ) -> None:
        self._children = [_Child(program, on_line) for program in programs]
        self._stop_seconds = stop_seconds
        self._stop = threading.Event()

    def stop(self) -> None:
        """Ask `run` to stop everything and return; may be called from a signal handler."""
        self._stop.set()

    def run(self) -> int:
        """Run until `stop`; returns the exit code.

        That is 0 after `stop`, or 2 when a program says that the configuration is wrong: at once
        when it never ran well, else when it says so several times in a row. Call it from the main thread: the children are bound to the thread they start in.
        """
        try:
            while not self._stop.wait(_POLL_SECONDS):
                for child in self._children:
                    child.tend()
                    if child.refused:
                        return CONFIGURATION_EXIT
            return 0
        finally:
            self._stop_all()

    def _stop_all(self) -> None:
        for child in self._children:
            child.send(signal.SIGTERM)
        deadline = time.monotonic() + self._stop_seconds
        for child in self._children:
            if not child.wait(max(0.0, deadline - time.monotonic())):
                _log.warning("program_killed", program=child.name, reason="did not stop in time")
                child.send(signal.SIGKILL)
                child.wait(_KILL_SECONDS)


class _Child:
    """One program's process, its restarts and its output."""

    def __init__(self, program: Program, on_line: Callable[[str, str], None]) -> None:
        self.name = program.name
        self._program = program
        self._on_line = on_line
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None
        self._started_at = 0.0
        self._start_at = 0.0
        self._pause = _FIRST_PAUSE_SECONDS
        self._was_healthy = False
        self._refusals = 0
        self.refused = False

    def tend(self) -> None:
        """Start the program when it is due; note that it has died."""
        now = time.monotonic()
        if self._process is None:
            if now >= self._start_at and self._program.may_start():
                self._start(now)
            return
        if now - self._started_at >= _HEALTHY_SECONDS:
            self._was_healthy = True
            self._refusals = 0
            self._pause = _FIRST_PAUSE_SECONDS
        if (code := self._process.poll()) is not None:
            self._note_death(code, now)

    def send(self, number: signal.Signals) -> None:
        """Send a signal when it is running."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)

    def wait(self, seconds: float) -> bool:
        """Whether it has ended within `seconds`; its last lines have then been delivered."""
        if self._process is None:
            return True
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        self._finish_reading()
        return True

    def _start(self, now: float) -> None:
        self._started_at = now
        self._process = subprocess.Popen(  # noqa: S603 - the project's own commands
            [*self._program.command],
            env={**os.environ, **self._program.environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            process_group=0,
        )
        self._reader = threading.Thread(
            target=self._read, args=(self._process,), name=f"output-{self.name}", daemon=True
        )
        self._reader.start()
        _log.info("program_started", program=self.name, pid=self._process.pid)

    def _read(self, process: subprocess.Popen[str]) -> None:
        if process.stdout is None:
            raise RuntimeError("the program was started without a pipe")
        with process.stdout as lines:
            for line in lines:
                self._on_line(self.name, line.rstrip("\n"))

    def _note_death(self, code: int, now: float) -> None:
        self._finish_reading()
        self._process = None
        self._refusals = self._refusals + 1 if code == CONFIGURATION_EXIT else 0
        self.refused = self._refusals >= (_REFUSALS if self._was_healthy else 1)
        if self.refused:
            _log.error("program_refused", program=self.name, exit_code=code)
            return
        _log.warning("program_died", program=self.name, exit_code=code, restart_in=self._pause)
        self._start_at = now + self._pause
        self._pause = min(2 * self._pause, _LONGEST_PAUSE_SECONDS)

    def _finish_reading(self) -> None:
        # A grandchild may hold the pipe open; its lines are then not waited for.
        if self._reader is not None:
            self._reader.join(timeout=0.5)


def die_with_parent(parent_pid: int, *, number: signal.Signals = signal.SIGTERM) -> None:
    """Receive `number` when the process `parent_pid`, which started this one, ends in any way.

    Linux does so itself; elsewhere a thread watches once a second.
    """
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        ctypes.CDLL(None, use_errno=True).prctl(pr_set_pdeathsig, int(number), 0, 0, 0)
    else:
        threading.Thread(target=_watch, args=(parent_pid, number), daemon=True).start()
    # It may have ended before the request was in force.
    if os.getppid() != parent_pid:
        os.kill(os.getpid(), number)


def _watch(parent_pid: int, number: signal.Signals) -> None:
    while os.getppid() == parent_pid:
        time.sleep(1)
    os.kill(os.getpid(), number)
