"""The whole evaluation of a small world in which yesterday's move is given back: from file to report."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dantaro.analysis.anomalies import until
from dantaro.analysis.models import parse_ranking
from dantaro.cli import main
from dantaro.errors import ConfigurationError
from dantaro.market.timeframes import DAY_MS
from dantaro.research.evaluation import Evaluation, Options
from dantaro.research.ledger import read_ledger
from dantaro.research.recordings import Recording, read_recordings
from dantaro.research.report import write_report
from dantaro.research.report_data import Contender, RecordingFindings, Report, from_json
from research_worlds import FIRST_MS, a_world, table, write

_OPTIONS = Options(horizons=(1, 7), draws=50, engines=("equal", "ridge"), levels=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("evaluation")


@pytest.fixture(scope="module")
def files(folder: Path) -> tuple[Path, Path]:
    """The one that is fitted on, in which one market ends, and another from the middle of it on."""
    walks = a_world(30, 210)
    walks["C003/USDT"] = until(walks["C003/USDT"], FIRST_MS + 150 * DAY_MS)
    walks["USDC/USDT"] = walks["C000/USDT"]
    others = {
        name: replace(series, opened_at_ms=series.opened_at_ms + 100 * DAY_MS)
        for name, series in a_world(25, 150, seed=50).items()
    }
    return (
        write(folder / "walks.parquet", table(walks)),
        write(folder / "others.parquet", table(others, exchange="bybit")),
    )


@pytest.fixture(scope="module")
def recordings(files: tuple[Path, Path]) -> list[Recording]:
    return [recording for path in files for recording in read_recordings(path)]


@pytest.fixture(scope="module")
def report(recordings: list[Recording], folder: Path) -> Report:
    out = folder / "report"
    return write_report(Evaluation(recordings, _OPTIONS, out_dir=out).run(), out)


def _total(found: RecordingFindings, horizon: int) -> Contender:
    return next(c for c in found.contenders if (c.name, c.horizon_days) == ("total", horizon))


def test_the_planted_effect_is_found_out_of_sample_and_elsewhere(report: Report) -> None:
    walks, others = report.recordings
    assert (walks.role, others.role) == ("selection", "transfer")
    for found in (walks, others):
        total = _total(found, 1)
        assert (total.rank_ic.low or 0) > 0.1
        (by_chance,) = [r for r in found.random if (r.measure, r.horizon_days) == ("rank_ic", 1)]
        assert by_chance.p_value == pytest.approx(1 / 51)
    assert report.selection is not None
    assert report.selection.chosen == "ridge"
    leading = max(report.selection.influence[0].curves, key=lambda c: c.values[-1] or 0)
    assert "reversal" in leading.feature or leading.feature == "body_1d"


def test_only_days_after_the_first_training_are_measured(report: Report) -> None:
    walks, others = report.recordings
    first_test = FIRST_MS + (210 // 3 + 1) * DAY_MS  # decided at the close of column 70
    assert walks.from_ms == first_test
    assert others.from_ms >= first_test
    assert others.from_ms == FIRST_MS + (100 + 30 + 1) * DAY_MS  # when its thirty-first day closed
    assert report.selection is not None
    for fold in report.selection.folds:
        assert fold.train_until_ms + 7 * DAY_MS < fold.test_from_ms
        assert fold.test_from_ms > fold.train_until_ms


def test_a_market_that_ended_stays_in_until_it_did_and_a_stablecoin_never_enters(
    report: Report,
) -> None:
    universe = report.recordings[0].universe
    assert [(d.symbol, d.last_ms) for d in universe.delistings] == [
        ("C003/USDT", FIRST_MS + 150 * DAY_MS)
    ]
    assert universe.ranked[149] == 30
    assert universe.ranked[150] == 29
    reasons = {each.reason: each for each in universe.exclusions}
    assert reasons["stablecoin"].examples == ("USDC/USDT",)
    assert reasons["insufficient_history"].market_days == 30 * 30 + 30  # the stablecoin's too


def test_the_leak_control_is_flagged_and_nothing_else(report: Report) -> None:
    for found in report.recordings:
        assert {check.feature for check in found.features if check.flagged} == {"tomorrow"}


def test_a_run_repeats_byte_for_byte_and_its_ledger_does_not_grow(
    report: Report, recordings: list[Recording], folder: Path
) -> None:
    first = (folder / "report" / "report.json").read_bytes()
    assert from_json(first) == report
    other = folder / "again"
    write_report(Evaluation(recordings, _OPTIONS, out_dir=other).run(), other)
    assert (other / "report.json").read_bytes() == first
    trials = read_ledger(other / "ledger.json")
    assert {trial.name for trial in trials} == {"equal", "ridge"}
    write_report(Evaluation(recordings, _OPTIONS, out_dir=other).run(), other)
    assert (other / "report.json").read_bytes() == first
    assert read_ledger(other / "ledger.json") == trials


def test_an_interrupted_run_goes_on_and_ends_with_the_same_report(
    report: Report, recordings: list[Recording], folder: Path
) -> None:
    out = folder / "interrupted"

    def stop(_name: str, done: int, _total: int) -> None:
        if done == 7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Evaluation(recordings, _OPTIONS, out_dir=out, on_step=stop).run()
    kept = {path: path.stat().st_mtime_ns for path in (out / ".work").iterdir()}
    assert len(kept) == 7
    again = write_report(Evaluation(recordings, _OPTIONS, out_dir=out).run(), out)
    assert again == report
    assert {path: path.stat().st_mtime_ns for path in kept} == kept  # nothing was done twice


def test_another_seed_draws_other_rankings_and_changes_no_other_figure(
    report: Report, recordings: list[Recording], folder: Path
) -> None:
    other = Evaluation(recordings[:1], replace(_OPTIONS, seed=2), out_dir=folder / "seed").run()
    found, before = other.recordings[0], report.recordings[0]
    assert found.random != before.random
    assert _total(found, 7) == _total(before, 7)


def test_a_model_is_measured_on_days_that_it_was_not_fitted_on(
    files: tuple[Path, Path], recordings: list[Recording], folder: Path
) -> None:
    path = folder / "ridge.json"
    main_ok(
        [
            "fit",
            "--data",
            str(files[0]),
            "--out",
            str(path),
            "--until",
            "2022-05-01",
            "--engine",
            "ridge",
        ]
    )
    model = parse_ranking(path.read_bytes())
    assert model.training is not None
    seen_ms = model.training.until_ms
    assert seen_ms < FIRST_MS + 120 * DAY_MS  # 2022-05-01
    report = Evaluation(recordings, replace(_OPTIONS, model=model), out_dir=folder / "model").run()
    assert report.selection is None
    for found in report.recordings:
        assert found.role == "transfer"
        assert found.from_ms > seen_ms + 7 * DAY_MS
        assert (_total(found, 1).rank_ic.value or 0) > 0.1
    late = parse_ranking(
        replace(model).to_file(replace(model.training, until_ms=FIRST_MS + 400 * DAY_MS), ())
    )
    with pytest.raises(ConfigurationError, match="no day of these recordings can be measured"):
        Evaluation(recordings, replace(_OPTIONS, model=late), out_dir=folder / "late").run()


def test_what_is_fitted_ends_where_it_is_told_and_carries_its_record(
    files: tuple[Path, Path], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = folder / "fitted.json"
    arguments = ["fit", "--data", str(files[0]), "--data", str(files[1]), "--out", str(path)]
    main_ok([*arguments, "--engine", "ridge"])
    said = capsys.readouterr().out
    model = parse_ranking(path.read_bytes())
    assert model.sha256 in said
    assert model.training is not None
    assert model.training.data == ("walks",)
    # the newest decision whose seven days are over
    assert model.training.until_ms == FIRST_MS + (210 - 7) * DAY_MS
    assert {record.data for record in model.records} == {"walks", "others"}
    assert {record.source for record in model.records} == {"backtest"}
    assert not list(folder.glob(".fitted.json*"))
    with pytest.raises(SystemExit) as refused:
        main([*arguments, "--engine", "ridge"])
    assert refused.value.code == 2
    assert "give --force to replace it" in capsys.readouterr().err
    before = path.read_bytes()
    main_ok([*arguments, "--engine", "ridge", "--force"])
    assert path.read_bytes() == before  # the same data give the same file


def test_the_command_says_where_the_report_is_and_what_came_out(
    files: tuple[Path, Path], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = folder / "command"
    main_ok(
        [
            "evaluate",
            "--data",
            str(files[0]),
            "--out",
            str(out),
            "--horizons",
            "7,1",
            "--no-levels",
            "--engine",
            "equal",
            "--random",
            "20",
        ]
    )
    printed = capsys.readouterr()
    assert "walks, 1 d" in printed.out
    assert "report.html" in printed.out
    assert re.search(r"\d+ of \d+ aims reached", printed.out)
    assert "walks: measuring" in printed.err
    content = json.loads((out / "report.json").read_bytes())
    assert content["run"]["horizons_days"] == [1, 7]
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "http-equiv" in page


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        (["--horizons", "1,x"], "--horizons '1,x': give days from 1 to 90"),
        (["--horizons", "0"], "give days from 1 to 90"),
        (["--engine", "magic"], "--engine magic: choose from equal"),
        (["--timeframe", "1h"], "--timeframe 1h: the files hold 1d only"),
        (["--model", "absent.json"], "--model absent.json"),
        (["--model", "absent.json", "--engine", "equal"], "give one of the two"),
    ],
)
def test_a_wrong_option_is_named_with_what_is_allowed(
    files: tuple[Path, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    more: list[str],
    problem: str,
) -> None:
    with pytest.raises(SystemExit) as refused:
        main(["evaluate", "--data", str(files[0]), "--out", str(tmp_path / "x"), *more])
    assert refused.value.code == 2
    assert problem in capsys.readouterr().err


def test_one_recording_given_twice_is_refused(
    files: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    twice = ["--data", str(files[0])] * 2
    with pytest.raises(SystemExit):
        main(["evaluate", *twice, "--out", str(tmp_path / "x")])
    assert "walks is given twice" in capsys.readouterr().err


def test_too_small_a_recording_is_refused_with_what_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    few = write(tmp_path / "few.parquet", table(a_world(3, 200)))
    with pytest.raises(SystemExit) as refused:
        main(["evaluate", "--data", str(few), "--out", str(tmp_path / "x")])
    assert refused.value.code == 2
    said = capsys.readouterr().err
    assert "few.parquet: 200 days, 0 of them with 20 ranked markets or more" in said
    assert "Give a longer recording" in said


def test_without_the_extra_the_command_says_how_to_install_it(
    files: tuple[Path, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("dantaro.cli.evaluate.find_spec", lambda _name: None)
    for command in ("evaluate", "fit"):
        with pytest.raises(SystemExit) as refused:
            main([command, "--data", str(files[0]), "--out", str(tmp_path / "x")])
        assert refused.value.code == 2
        said = capsys.readouterr().err
        assert "pip install 'dantaro[research]'" in said
        assert "lightgbm" in said


def test_candles_that_cannot_be_true_are_told_of_in_the_report(folder: Path) -> None:
    columns = table(a_world(22, 200))
    columns["high"][500] = columns["low"][500] / 2
    path = write(folder / "flawed.parquet", columns)
    report = Evaluation(
        read_recordings(path), replace(_OPTIONS, engines=("equal",)), out_dir=folder / "flawed"
    ).run()
    (note,) = report.notes
    assert note.startswith("flawed: candles that cannot be true were left out: 1 range_inverted")
    assert "row 500 (C002/USDT" in note


def main_ok(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 0


def test_the_world_is_what_the_tests_say_it_is(recordings: list[Recording]) -> None:
    closes = recordings[0].series["binance:C001/USDT"].close
    moves = np.diff(np.log(closes))
    assert np.corrcoef(moves[1:], moves[:-1])[0, 1] < -0.15
