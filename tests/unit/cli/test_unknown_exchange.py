"""A mistyped exchange is named before anything is made or started."""

from pathlib import Path

import pytest

from dantaro.cli import main


@pytest.mark.parametrize("command", ["up", "config"])
def test_an_unknown_exchange_is_exit_code_2_with_near_matches_and_nothing_is_made(
    command: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DANTARO_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DANTARO_EXCHANGES", "okx,upbti")
    with pytest.raises(SystemExit) as ended:
        main([command])
    assert ended.value.code == 2
    assert "unknown exchange 'upbti'; did you mean upbit" in capsys.readouterr().err
    assert not (tmp_path / "home").exists()
