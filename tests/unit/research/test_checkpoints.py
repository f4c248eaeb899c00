"""A finished step is not done again, and never taken for another."""

from pathlib import Path

import numpy as np
import pytest

from dantaro.errors import ConfigurationError
from dantaro.research.checkpoints import Checkpoints, code_hash, packed, step_name


class _Work:
    def __init__(self) -> None:
        self.done = 0

    def __call__(self) -> dict[str, np.ndarray[tuple[int], np.dtype[np.float64]]]:
        self.done += 1
        return {"values": np.array([1.5, np.nan, float(self.done)])}


def test_a_step_is_done_once(tmp_path: Path) -> None:
    work = _Work()
    first = Checkpoints(tmp_path, {"data": "a"}).step("fit", {"fold": 1}, work)
    again = Checkpoints(tmp_path, {"data": "a"}).step("fit", {"fold": 1}, work)
    assert work.done == 1
    assert np.array_equal(first["values"], again["values"], equal_nan=True)


@pytest.mark.parametrize(
    ("inputs", "depends_on"), [({"data": "b"}, {"fold": 1}), ({"data": "a"}, {"fold": 2})]
)
def test_a_changed_input_starts_anew(
    tmp_path: Path, inputs: dict[str, object], depends_on: dict[str, object]
) -> None:
    work = _Work()
    Checkpoints(tmp_path, {"data": "a"}).step("fit", {"fold": 1}, work)
    assert Checkpoints(tmp_path, inputs).step("fit", depends_on, work)["values"][2] == 2.0
    assert len(list(tmp_path.iterdir())) == 1  # and the stale one is gone


def test_a_torn_step_is_done_again(tmp_path: Path) -> None:
    work = _Work()
    Checkpoints(tmp_path, {}).step("fit", {}, work)
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:-30])
    assert Checkpoints(tmp_path, {}).step("fit", {}, work)["values"][2] == 2.0


def test_a_step_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    def fail() -> dict[str, np.ndarray[tuple[int], np.dtype[np.float64]]]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Checkpoints(tmp_path, {}).step("fit", {}, fail)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_pickled(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="allow_pickle"):
        Checkpoints(tmp_path, {}).step("fit", {}, lambda: {"x": np.array([object()])})


def test_a_folder_that_cannot_be_written_is_named_with_the_remedy(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    with pytest.raises(ConfigurationError, match="cannot be written"):
        Checkpoints(blocked / "work", {}).step("fit", {}, _Work())


def test_bytes_survive_and_names_fit_a_file_name(tmp_path: Path) -> None:
    kept = Checkpoints(tmp_path, {}).step("x", {}, lambda: {"body": packed(b"\x00model\xff")})
    assert kept["body"].tobytes() == b"\x00model\xff"
    assert step_name("a b/c", "ridge 7", "3") == "a-b-c-ridge-7-3"


def test_the_hash_of_the_code_does_not_change_by_itself() -> None:
    assert code_hash() == code_hash()
    assert len(code_hash()) == 64
