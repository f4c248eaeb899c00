"""`deploy/deploy.sh` against a scratch root, with a stand-in for Python that downloads nothing.

The stand-in builds "environments" whose `dantaro` writes down how it was called, so that the order of
the steps and what is left after a failure can be seen in a second.
"""

import os
import re
import shlex
import shutil
import stat
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[3]
SCRIPT = PROJECT / "deploy" / "deploy.sh"

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux") or shutil.which("flock") is None,
    reason="the deploy script is for Linux machines with util-linux",
)

# What `python` and, in a built release, bin/python and bin/dantaro are in these tests.
_STAND_IN = f"""#!/usr/bin/env bash
set -eu
here=$(cd "$(dirname "$0")" && pwd)
case "$(basename "$0") $*" in
    "python -m venv "*)
        mkdir -p "$3/bin"
        cp "$0" "$3/bin/python"
        cp "$0" "$3/bin/dantaro"
        echo "${{FAKE_REVISION:-0001}}" > "$3/revision" ;;
    "python -m pip "*) [ "${{FAKE_FAIL:-}}" != pip ] ;;
    "python -c from dantaro"*) cat "$here/../revision" ;;
    "python -c "*) exec {shlex.quote(sys.executable)} "$@" ;;
    "dantaro --version") echo 9.9.9 ;;
    dantaro*)
        echo "$(cat "$here/../revision") $*" >> "$FAKE_LOG"
        env | grep ^DANTARO_ | sort > "$FAKE_LOG.environment"
        [ "${{FAKE_FAIL:-}}" != "$1" ] || exit 2 ;;
    *) echo "the stand-in was not meant to be called so: $*" >&2; exit 99 ;;
esac
"""


class Machine:
    """A scratch root and a stand-in Python, with what the last run said."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "a root with spaces"
        self.python = folder / "fake bin" / "python"
        self.python.parent.mkdir()
        self.python.write_text(_STAND_IN)
        self.python.chmod(0o755)
        self.log = folder / "calls"
        self.settings = self.root / "etc/dantaro/dantaro.env"
        self.live = self.root / "opt/dantaro/venv"

    def run(
        self, *arguments: str, environment: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        self.log.write_text("")
        return subprocess.run(
            [SCRIPT, "--root", self.root, *arguments],
            env={**os.environ, "FAKE_LOG": str(self.log), **(environment or {})},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def deploy(self, **environment: str) -> subprocess.CompletedProcess[str]:
        return self.run("--python", str(self.python), environment=environment)

    def calls(self) -> list[str]:
        return self.log.read_text().splitlines()

    def releases(self) -> list[str]:
        return sorted(path.name for path in (self.root / "opt/dantaro/releases").iterdir())

    def live_release(self) -> str:
        return self.live.resolve().name


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def _steps(said: str) -> list[str]:
    return re.findall(r"(?<=systemctl )[a-z-]+|migrating", said)


def test_a_first_run_installs_everything_that_the_units_refer_to(machine: Machine) -> None:
    done = machine.deploy()
    assert done.returncode == 0, done.stderr
    assert machine.calls() == ["0001 config --json", "0001 migrate"]
    for unit in ("dantaro-api.service", "dantaro-worker.service"):
        text = (machine.root / "etc/systemd/system" / unit).read_text()
        program = re.search(r"^ExecStart=(\S+)", text, re.MULTILINE)
        settings = re.search(r"^EnvironmentFile=(\S+)", text, re.MULTILINE)
        documentation = re.search(r"^Documentation=file:(\S+)", text, re.MULTILINE)
        assert program is not None
        assert settings is not None
        assert documentation is not None
        assert os.access(machine.root / program[1].lstrip("/"), os.X_OK)
        assert (machine.root / settings[1].lstrip("/")).is_file()
        assert (machine.root / documentation[1].lstrip("/")).is_file()
    assert stat.S_IMODE(machine.settings.stat().st_mode) == 0o640
    assert stat.S_IMODE((machine.root / "var/lib/dantaro").stat().st_mode) == 0o750


def test_a_second_run_keeps_settings_and_data_and_swaps_the_release(machine: Machine) -> None:
    machine.deploy()
    first = machine.live_release()
    machine.settings.write_text("DANTARO_PORT=8123\n")
    data = machine.root / "var/lib/dantaro/dantaro.db"
    data.write_text("rows")
    done = machine.deploy()
    assert done.returncode == 0, done.stderr
    assert machine.settings.read_text() == "DANTARO_PORT=8123\n"
    assert data.read_text() == "rows"
    assert machine.live_release() != first
    assert machine.releases() == [first, machine.live_release()]


def test_services_stop_before_the_migration_and_start_after_the_swap(machine: Machine) -> None:
    machine.deploy()
    said = machine.deploy().stdout
    assert _steps(said) == ["stop", "migrating", "daemon-reload", "enable", "restart"]


def test_only_a_few_releases_are_kept_and_half_built_ones_go(machine: Machine) -> None:
    machine.deploy()
    (machine.root / "opt/dantaro/releases/20200101T000000.000Z").mkdir()
    for _ in range(4):
        machine.deploy()
    assert len(machine.releases()) == 3
    assert machine.live_release() == machine.releases()[-1]


@pytest.mark.parametrize("step", ["pip", "config", "migrate"])
def test_a_step_that_fails_leaves_the_running_release_and_nothing_else(
    machine: Machine, step: str
) -> None:
    machine.deploy()
    before = machine.live_release()
    done = machine.deploy(FAKE_FAIL=step)
    assert done.returncode != 0
    assert machine.releases() == [before]
    assert machine.live_release() == before
    # Before the migration nothing is stopped; after it failed, what ran is started again.
    expected = ["stop", "migrating", "start"] if step == "migrate" else []
    assert _steps(done.stdout) == expected


def test_a_first_installation_that_fails_can_be_run_again(machine: Machine) -> None:
    assert machine.deploy(FAKE_FAIL="migrate").returncode == 1
    assert not machine.live.exists()
    assert machine.deploy().returncode == 0


def test_a_rollback_goes_back_to_what_ran_before(machine: Machine) -> None:
    machine.deploy()
    first = machine.live_release()
    machine.deploy()
    bad = machine.live_release()
    done = machine.run("--rollback")
    assert done.returncode == 0, done.stderr
    assert machine.live_release() == first
    # A later release has the one that ran before it behind it, not the one that was rolled back.
    machine.deploy()
    assert machine.run("--rollback").returncode == 0
    assert machine.live_release() == first != bad


def test_a_rollback_over_a_schema_change_needs_consent_and_uses_the_newer_code(
    machine: Machine,
) -> None:
    machine.deploy()
    first = machine.live_release()
    machine.deploy(FAKE_REVISION="0002")
    second = machine.live_release()
    refused = machine.run("--rollback")
    assert refused.returncode == 1
    assert "--downgrade-schema" in refused.stderr
    assert machine.live_release() == second
    assert machine.calls() == []
    assert machine.run("--rollback", "--downgrade-schema").returncode == 0
    assert machine.calls() == ["0002 migrate --to 0001"]
    assert machine.live_release() == first


def test_a_rollback_with_nothing_before_says_so(machine: Machine) -> None:
    assert "nothing is installed" in machine.run("--rollback").stderr
    machine.deploy()
    assert "no release before" in machine.run("--rollback").stderr


def test_commands_see_the_settings_file_and_not_the_callers_environment(machine: Machine) -> None:
    machine.deploy()
    machine.settings.write_text(
        "# comment\nDANTARO_EXCHANGES=upbit  \n"
        'DANTARO_VENUE_URLS={"upbit": "http://127.0.0.1:1"}\n'
        "DANTARO_QUOTES='KRW'\nOTHER=1\nDANTARO_DATABASE_URL=postgresql://a:p=w@h/d"
    )
    machine.deploy(DANTARO_PORT="1", DANTARO_HOME="/nowhere")
    seen = (machine.log.parent / "calls.environment").read_text().splitlines()
    assert seen == [
        "DANTARO_DATABASE_URL=postgresql://a:p=w@h/d",
        "DANTARO_EXCHANGES=upbit",
        f"DANTARO_HOME={machine.root}/var/lib/dantaro",
        "DANTARO_QUOTES=KRW",
        'DANTARO_VENUE_URLS={"upbit": "http://127.0.0.1:1"}',
    ]


def test_the_installed_command_is_the_live_release(machine: Machine) -> None:
    machine.deploy()
    machine.deploy(FAKE_REVISION="0002")
    subprocess.run(
        [machine.root / "usr/local/sbin/dantaroctl", "status", "--json"],
        env={**os.environ, "FAKE_LOG": str(machine.log)},
        check=True,
        timeout=30,
    )
    assert machine.calls()[-1] == "0002 status --json"


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--sideways",), 2, "unknown argument '--sideways'"),
        (("--python", "/nowhere/python"), 1, "/nowhere/python is not Python 3.11 or newer"),
        (("--python", "false"), 1, "false is not Python 3.11 or newer"),
        (("--downgrade-schema",), 1, "--downgrade-schema is for --rollback only"),
        (("--python",), 1, "--python needs a program"),
    ],
)
def test_a_wrong_call_is_refused_and_says_why(
    machine: Machine, arguments: tuple[str, ...], code: int, said: str
) -> None:
    done = machine.run(*arguments)
    assert done.returncode == code
    assert said in done.stderr
    assert not machine.live.exists()


def test_two_runs_at_once_are_refused(machine: Machine) -> None:
    machine.deploy()
    lock = machine.root / "opt/dantaro/.lock"
    with subprocess.Popen(["flock", lock, "cat"], stdin=subprocess.PIPE) as holder:
        while not _held(lock):
            pass
        done = machine.deploy()
        holder.communicate()
    assert done.returncode == 1
    assert "another deploy.sh is running" in done.stderr


def _held(lock: Path) -> bool:
    return subprocess.run(["flock", "--nonblock", lock, "true"], check=False).returncode != 0
