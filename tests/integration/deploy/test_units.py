"""The systemd units: valid, confined, and a sandbox in which the programs really work."""

import configparser
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

UNITS = Path(__file__).resolve().parents[3] / "deploy" / "systemd"
HIGHEST_EXPOSURE = 1.5

needs_analyze = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed here"
)
both = pytest.mark.parametrize("unit", ["dantaro-api.service", "dantaro-worker.service"])


def _exposure(path: Path) -> float:
    said = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", path],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    score = re.search(r"Overall exposure level for \S+: ([0-9.]+)", said.stdout)
    if score is None and "offline" in said.stderr:
        pytest.skip("this systemd-analyze is too old to judge a unit file")
    assert score is not None, said.stderr
    return float(score[1])


@needs_analyze
@both
def test_a_unit_is_confined_as_promised(unit: str) -> None:
    assert _exposure(UNITS / unit) <= HIGHEST_EXPOSURE


@needs_analyze
def test_the_judge_sees_a_defence_that_is_missing(tmp_path: Path) -> None:
    weaker = tmp_path / "dantaro-api.service"
    text = (UNITS / "dantaro-api.service").read_text()
    weaker.write_text(re.sub(r"^(SystemCallFilter|Private\w+)=.*\n", "", text, flags=re.MULTILINE))
    assert _exposure(weaker) > HIGHEST_EXPOSURE


@needs_analyze
@both
def test_systemd_finds_no_fault_in_a_unit(tmp_path: Path, unit: str) -> None:
    text = (UNITS / unit).read_text()
    path = tmp_path / unit
    # The program is not installed on the machine that runs the tests.
    path.write_text(text.replace("/opt/dantaro/venv/bin/dantaro", "/bin/true"))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", path],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    about_it = [line for line in done.stderr.splitlines() if unit in line]
    assert (done.returncode, about_it) == (0, []), done.stderr


def test_both_units_are_confined_alike() -> None:
    sections = []
    for unit in ("dantaro-api.service", "dantaro-worker.service"):
        # A setting may stand twice, which only a parser that is not strict accepts.
        parser = configparser.RawConfigParser(strict=False)
        parser.optionxform = str  # type: ignore[assignment,method-assign]  # names keep their case
        parser.read(UNITS / unit)
        section = dict(parser["Service"])
        assert section.pop("ExecStart").startswith("/opt/dantaro/venv/bin/dantaro ")
        assert section.pop("MemoryMax")
        sections.append(section)
    assert sections[0] == sections[1]


# prctl(PR_SET_MDWE): from here on the kernel refuses memory that is writable and executable, which is
# what MemoryDenyWriteExecute=yes asks for.
_CONFINED = """
import ctypes, mmap, sys
PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN = 65, 1
if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0) != 0:
    sys.exit(77)
try:
    mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
except PermissionError:
    pass
else:
    sys.exit("the sandbox is not in force")
"""
_COMPUTES = """
import io
import numpy, orjson, psutil, pyarrow, talib, zstandard
import pyarrow.parquet
import dantaro.cli, dantaro.worker.main, dantaro.api.server
values = numpy.random.default_rng(1).random((60, 60))
assert numpy.isfinite(numpy.linalg.svd(values @ values)[1]).all()
assert numpy.isfinite(talib.RSI(values[0], 14)[-1])
file = io.BytesIO()
pyarrow.parquet.write_table(pyarrow.table({"close": values[0]}), file, compression="zstd")
assert pyarrow.parquet.read_table(io.BytesIO(file.getvalue())).num_rows == 60
assert zstandard.decompress(zstandard.compress(orjson.dumps([1.5]))) == b"[1.5]"
assert psutil.virtual_memory().total > 0 and psutil.Process().memory_info().rss > 0
from dantaro.storage.engine import open_store
from dantaro.storage.schema import migrate
store = open_store("sqlite:///" + sys.argv[1])
migrate(store)
store.close()
print("computed")
"""


def test_the_programs_need_no_writable_and_executable_memory(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _CONFINED + _COMPUTES, tmp_path / "dantaro.db"],
        capture_output=True,
        text=True,
        check=False,
        timeout=90,
    )
    if done.returncode == 77:
        pytest.skip("this kernel has no PR_SET_MDWE (Linux 6.3 or newer)")
    assert (done.returncode, done.stdout) == (0, "computed\n"), done.stderr
