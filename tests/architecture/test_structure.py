"""What ARCHITECTURE.md states about the structure, held against the code."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parents[2]
_SOURCE = _ROOT / "src" / "dantaro"
_MODULES = sorted(
    ".".join(path.relative_to(_SOURCE.parent).with_suffix("").parts).removesuffix(".__init__")
    for path in _SOURCE.rglob("*.py")
    if path.name != "__main__.py" and "migrations" not in path.parts
)
_CLOCKS = {("time", "time"), ("time", "time_ns"), ("datetime", "now"), ("datetime", "utcnow")}

_IMPORT_QUIETLY = """
import importlib, socket, sys, threading
def refuse(*args, **kwargs):
    raise RuntimeError("a module opened a socket while it was imported")
before = set(threading.enumerate())
connect, socket.socket.connect = socket.socket.connect, refuse
bind, socket.socket.bind = socket.socket.bind, refuse
for name in sys.argv[1:]:
    importlib.import_module(name)
started = set(threading.enumerate()) - before
assert not started, f"importing started {started}"
"""


def _calls(path: Path) -> Iterator[tuple[str, str]]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            owner = node.func.value
            name = owner.attr if isinstance(owner, ast.Attribute) else getattr(owner, "id", "")
            yield name, node.func.attr


def test_importing_every_module_opens_no_socket_and_starts_no_thread() -> None:
    outcome = subprocess.run(
        [sys.executable, "-c", _IMPORT_QUIETLY, *_MODULES],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert outcome.returncode == 0, outcome.stderr


@pytest.mark.parametrize("room", ["market", "analysis"])
def test_the_pure_rooms_read_no_clock(room: str) -> None:
    paths = list((_SOURCE / room).rglob("*.py"))
    assert paths
    guilty = [str(path) for path in paths if _CLOCKS & set(_calls(path))]
    assert guilty == []


def test_the_check_for_clocks_recognises_one(tmp_path: Path) -> None:
    sample = tmp_path / "sample.py"
    sample.write_text("import datetime\nnow = datetime.datetime.now()\n")
    assert _CLOCKS & set(_calls(sample))


def test_every_room_is_described_in_the_architecture() -> None:
    text = (_ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    rooms = {
        path.name
        for path in _SOURCE.iterdir()
        if path.is_dir() and not path.name.startswith("_") and (path / "__init__.py").exists()
    }
    missing = {room for room in rooms if f"`{room}/`" not in text and f"`{room}`" not in text}
    assert missing == set()


def test_every_make_target_is_explained() -> None:
    lines = (_ROOT / "Makefile").read_text(encoding="utf-8").splitlines()
    phony = next(line for line in lines if line.startswith(".PHONY:")).split()[1:]
    explained = {line.split(":")[0] for line in lines if "## " in line and line[0].isalpha()}
    assert set(phony) - {"setup", "setup-dev"} <= explained


_HEAVY = {"lightgbm", "matplotlib", "pandas", "plotly", "polars", "scipy", "sklearn", "statsmodels"}
_LOAD = "import sys, importlib; [importlib.import_module(name) for name in sys.argv[1:]]; print(*sys.modules)"


@pytest.mark.parametrize("room", ["worker", "api", "app", "pipeline", "analysis"])
def test_the_server_loads_no_library_of_the_research_extra(room: str) -> None:
    names = [name for name in _MODULES if name.split(".")[1:2] == [room]]
    assert names
    outcome = subprocess.run(
        [sys.executable, "-c", _LOAD, *names],
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )
    loaded = {name.partition(".")[0] for name in outcome.stdout.split()}
    assert loaded & _HEAVY == set()
    assert "dantaro.research" not in outcome.stdout.split()
