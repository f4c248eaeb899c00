"""The command line: help, exit codes, and errors that are messages and not tracebacks."""

import asyncio
import json
import logging
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import structlog
from rich.console import Console

from dantaro.cli import main
from dantaro.cli.backfill import ProgressLines
from dantaro.cli.demo_screen import Ranking, ranking_table

_COMMANDS = (
    *("up", "demo", "worker", "api", "venue", "migrate", "backfill", "status", "config", "keys"),
    *("keys create", "keys list", "keys rotate", "keys revoke"),
)


Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Iterator[Run]:
    """Runs a command line in an empty folder; gives the exit code and both outputs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DANTARO_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "300")

    def run_it(*arguments: str, **settings: str) -> tuple[int, str, str]:
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        code = 0
        try:
            main(arguments)
        except SystemExit as exit_:
            code = int(exit_.code or 0)
        out, err = capsys.readouterr()
        return code, out, err

    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield run_it
    root.handlers[:], root.level = handlers, level
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


@pytest.mark.parametrize("command", _COMMANDS)
def test_every_command_explains_itself(run: Run, command: str) -> None:
    code, out, _ = run(*command.split(), "--help")
    assert code == 0
    assert f"dantaro {command}" in out
    assert len(out.split()) > 15


def test_help_is_quick_and_loads_nothing_heavy() -> None:
    code = (
        "import sys\nfrom dantaro.cli import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        "heavy = {'numpy', 'ccxt', 'sqlalchemy', 'fastapi', 'aiohttp', 'redis', 'structlog'}\n"
        "sys.exit(', '.join(heavy & set(sys.modules)) or 0)"
    )
    started = time.monotonic()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.returncode == 0
    assert time.monotonic() - started < 5  # for a busy machine; 0.15 s on an idle one


def test_the_version_is_printed(run: Run) -> None:
    code, out, _ = run("--version")
    assert code == 0
    assert out.strip()[0].isdigit()


@pytest.mark.parametrize(
    ("arguments", "settings", "said"),
    [
        (["config"], {"DANTARO_PROT": "1"}, "did you mean DANTARO_PORT"),
        (["up"], {"DANTARO_PORT": "eight"}, "DANTARO_PORT='eight'"),
        (["worker"], {"DANTARO_EXCHANGES": "upbti"}, "did you mean upbit"),
        (["venue", "--exchange", "kraken"], {}, "binance, upbit"),
        (["venue", "--exchange", "upbit", "--exchange", "upbit"], {}, "twice"),
        (["venue", "--exchange", "upbit", "--data", "no.parquet"], {}, "no.parquet"),
        (["venue", "--exchange", "upbit", "--start", "soon"], {}, "--start 'soon'"),
        (
            ["venue", "--exchange", "upbit", "--start", "2023-06-02"],
            {},
            "upbit would list no market then: the simulated candles begin at 2024-01-01T00:00 (UTC)",
        ),
        (["status"], {}, "dantaro migrate"),
        (["worker"], {}, "dantaro migrate"),
        (["api"], {}, "dantaro migrate"),
        (["backfill", "--exchange", "gate"], {}, "DANTARO_EXCHANGES has upbit, okx"),
        (["backfill", "--timeframe", "4h"], {}, "DANTARO_TIMEFRAMES has 1h, 1d"),
        (
            ["backfill", "--timeframe", "7m"],
            {},
            "--timeframe 7m is not collected: DANTARO_TIMEFRAMES has 1h, 1d\n",
        ),
        (["backfill", "--days", "5000"], {}, "DANTARO_RETAIN_HOURLY_DAYS"),
        (["migrate"], {"DANTARO_HOME": "/proc/home"}, "DANTARO_HOME"),
        (["keys", "list"], {"DANTARO_HOME": "/proc"}, "DANTARO_HOME"),
    ],
)
def test_a_mistake_is_a_message_on_standard_error_and_exit_code_2(
    run: Run, arguments: list[str], settings: dict[str, str], said: str
) -> None:
    code, out, err = run(*arguments, **settings)
    assert code == 2
    assert out == ""
    assert said in err
    assert "Traceback" not in err


def test_a_torn_recording_is_named(run: Run, tmp_path: Path) -> None:
    (tmp_path / "torn.parquet").write_bytes(b"PAR1 and then nothing")
    code, _, err = run("venue", "--exchange", "upbit", "--data", "torn.parquet")
    assert code == 2
    assert "torn.parquet" in err
    assert "Traceback" not in err


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """Ten days of one market from 2023-01-01 on."""
    path = tmp_path / "ten days.parquet"
    times = [1_672_531_200_000 + hour * 3_600_000 for hour in range(240)]
    texts = {"exchange": "binance", "symbol": "BTC/USDT", "timeframe": "1h"}
    figures = dict.fromkeys(("open", "high", "low", "close", "volume"), [1.0] * 240)
    columns = {**{name: [text] * 240 for name, text in texts.items()}, "ts": times, **figures}
    pq.write_table(pa.table(columns), path)
    return path


@pytest.mark.parametrize("start", ["2030-01-01", "2022-12-31T23:59"])
def test_a_recording_is_not_started_where_it_has_no_market(
    run: Run, recording: Path, start: str
) -> None:
    code, out, err = run(
        "venue", "--exchange", "binance", "--data", str(recording), "--start", start
    )
    assert code == 2
    assert out == ""
    assert f"--start {start}: binance would list no market" in err
    assert "from 2023-01-01T00:00 to 2023-01-11T00:00 (UTC)" in err
    assert "leave --start out" in err


async def _return_at_once(_: asyncio.Event) -> bool:
    return True


@pytest.mark.parametrize(
    ("options", "hinted"),
    [
        (["--speed", "600"], True),
        (["--speed", "60"], False),
        (["--speed", "600", "--unlimited"], False),
    ],
)
def test_a_speed_that_nobody_can_follow_is_pointed_out(
    run: Run, recording: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], *, hinted: bool
) -> None:
    monkeypatch.setattr(asyncio.Event, "wait", _return_at_once)
    arguments = ["venue", "--exchange", "binance", "--data", str(recording), "--port", "0"]
    code, out, err = run(*arguments, "--start", "2023-01-05", *options)
    assert code == 0
    assert "DANTARO_VENUE_URLS" in out
    assert ("add --unlimited" in err) == hinted


def test_a_database_that_is_away_is_exit_code_75(run: Run) -> None:
    code, _, err = run("status", DANTARO_DATABASE_URL="postgresql://u:hunter2@127.0.0.1:1/x")
    assert code == 75
    assert "the database postgresql://u:***@127.0.0.1:1/x is away" in err
    assert "start it, or let DANTARO_DATABASE_URL name the one that runs" in err
    assert "hunter2" not in err


def test_a_key_is_made_listed_rotated_and_revoked(run: Run) -> None:
    assert run("migrate")[0] == 0
    code, out, _ = run("keys", "create", "--name", "bot", "--days", "30", "--json")
    assert code == 0
    made = json.loads(out)
    assert made["key"].startswith(f"dk_{made['id']}_")
    assert made["scopes"] == ["read"]

    code, out, _ = run("keys", "rotate", made["id"], "--overlap-hours", "1", "--json")
    assert code == 0
    successor = json.loads(out)

    code, out, _ = run("keys", "revoke", successor["id"])
    assert code == 0
    listed = {row["id"]: row for row in json.loads(run("keys", "list", "--json")[1])}
    assert listed[made["id"]]["state"] == "ending"
    assert listed[successor["id"]]["state"] == "revoked"
    assert made["key"] not in json.dumps(listed)
    assert made["id"] in run("keys", "list")[1]


@pytest.mark.parametrize("command", ["revoke", "rotate"])
def test_an_unknown_key_is_named_with_those_that_exist(run: Run, command: str) -> None:
    run("migrate")
    made = json.loads(run("keys", "create", "--name", "bot", "--json")[1])
    code, _, err = run("keys", command, "nosuch")
    assert code == 2
    assert "nosuch" in err
    assert made["id"] in err


def test_an_unknown_scope_is_refused_naming_the_known_ones(run: Run) -> None:
    run("migrate")
    code, _, err = run("keys", "create", "--name", "bot", "--scope", "write")
    assert code == 2
    assert "--scope write is not known: choose from read, stream, metrics, admin" in err


@pytest.mark.parametrize("width", [80, 120])
def test_the_table_of_the_demonstration_fits_the_screen(width: int) -> None:
    items = [
        {
            "rank": rank,
            "market": market,
            "exchange": "binance",
            "total_score": 0.123456,
            "recommendation_strength": "STRONG_SELL",
            "current_price": price,
            "price_change_24h": -0.1234,
        }
        for rank, market, price in (
            (99, "1000SATS/USDT", 0.000012345678),
            (100, "BTC/KRW", 123_456_789.0),
        )
    ]
    screen = Console(width=width, file=StringIO(), soft_wrap=True, color_system=None)
    with screen.capture() as shown:
        screen.print(ranking_table(Ranking("provisional", 138, tuple(items))), markup=False)
    lines = shown.get().splitlines()
    assert max(map(len, lines)) <= width
    assert "Top 2 of 138 coins - SIMULATED data, provisional" in lines[0]
    small, large = (line.split() for line in lines if "binance" in line)
    assert small == (
        ["99", "1000SATS/USDT", "binance", "0.123", "STRONG_SELL", "0.000012345678", "-12.3%"]
    )
    assert large == ["100", "BTC/KRW", "binance", "0.123", "STRONG_SELL", "123,456,790", "-12.3%"]


def test_lines_of_progress_come_at_every_tenth_and_while_time_passes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    screen = Console(width=80, file=StringIO(), color_system=None)
    show = ProgressLines(screen)
    with screen.capture() as shown:
        for done in range(201):
            show(done, 200, exchange="upbit", timeframe="1h")
        show(1, 200, exchange="upbit", timeframe="1d")
        show(2, 200, exchange="upbit", timeframe="1d")
        now[0] += 10.0
        show(3, 200, exchange="upbit", timeframe="1d")
    lines = shown.get().splitlines()
    tenths = [f"upbit 1h: {done} of 200 markets" for done in range(0, 201, 20)]
    assert lines == [*tenths, "upbit 1d: 1 of 200 markets", "upbit 1d: 3 of 200 markets"]


def test_migrating_twice_and_back_works(run: Run) -> None:
    assert run("migrate")[0] == 0
    assert run("migrate")[0] == 0
    assert run("status")[0] == 0
    assert run("migrate", "--down", "base")[0] == 0
    assert run("status")[0] == 2


def test_asking_after_a_store_that_was_never_made_makes_none(run: Run, tmp_path: Path) -> None:
    code, _, err = run("status", DANTARO_HOME=str(tmp_path / "elsewhere"))
    assert code == 2
    assert "there is no store at" in err
    assert "DANTARO_HOME" in err
    assert not (tmp_path / "elsewhere").exists()


def test_config_shows_values_sources_and_no_password(run: Run) -> None:
    code, out, _ = run(
        "config", "--json", DANTARO_DATABASE_URL="postgresql://u:hunter2@db/x", DANTARO_PORT="8123"
    )
    assert code == 0
    assert "hunter2" not in out
    rows = {row["setting"]: row for row in json.loads(out)}
    assert rows["DANTARO_DATABASE_URL"]["value"] == "postgresql://u:***@db/x"
    assert rows["DANTARO_PORT"] | {"allowed": "", "description": ""} == {
        "setting": "DANTARO_PORT",
        "value": "8123",
        "source": "environment DANTARO_PORT",
        "allowed": "",
        "description": "",
    }
    assert rows["DANTARO_QUOTES"]["source"] == "default"
    code, out, _ = run("config")
    assert "hunter2" not in out
    assert "DANTARO_RECOMMENDATIONS_SECONDS" in out
