"""`dantaro up` on one machine, against loopback exchanges: killed, stopped, refused, kept waiting."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _soon(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


class Running:
    """A `dantaro` command in the background, its output in a file."""

    def __init__(self, folder: Path, *arguments: str, **settings: str) -> None:
        folder.mkdir(exist_ok=True)
        self.settings = settings
        self._output = folder / f"{arguments[0]}.log"
        clean = {k: v for k, v in os.environ.items() if not k.startswith("DANTARO_")}
        with self._output.open("w", encoding="utf-8") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "dantaro", *arguments],
                cwd=folder,
                env={**clean, "DANTARO_LOG_FORMAT": "json", "COLUMNS": "500", **settings},
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    @property
    def output(self) -> str:
        return self._output.read_text(encoding="utf-8")

    def events(self, name: str) -> list[Mapping[str, object]]:
        """The log lines of that event."""
        lines = [line for line in self.output.splitlines() if line.startswith("{")]
        return [event for event in map(json.loads, lines) if event["event"] == name]

    def pids(self, program: str) -> list[int]:
        """The process ids that the program was started with so far."""
        started = self.events("program_started")
        return [int(str(event["pid"])) for event in started if event["program"] == program]

    def stop(self, *, seconds: float = 14) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(seconds)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(5)


class Api:
    """The API as a client sees it."""

    def __init__(self, port: int, key: str | None = None) -> None:
        self._url = f"http://127.0.0.1:{port}"
        self.key = key

    def get(self, path: str, *, key: str | None = None) -> tuple[int, Mapping[str, object]]:
        request = urllib.request.Request(self._url + path)  # noqa: S310 - http, to loopback
        if key or self.key:
            request.add_header("Authorization", f"Bearer {key or self.key}")
        try:
            with urllib.request.urlopen(request, timeout=3) as answer:  # noqa: S310 - as above
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)
        except OSError:
            return 0, {}

    def is_alive(self) -> bool:
        return self.get("/health")[0] == 200


@contextmanager
def _running(folder: Path, *arguments: str, **settings: str) -> Iterator[Running]:
    running = Running(folder, *arguments, **settings)
    try:
        yield running
    finally:
        if running.process.poll() is None:
            try:
                running.stop()
            except subprocess.TimeoutExpired:
                running.kill()


class Exchange:
    """A simulated exchange that can die and come back at its address."""

    def __init__(self, folder: Path) -> None:
        self.port = _free_port()
        self._folder = folder
        self.start()

    def start(self) -> None:
        self._running = Running(
            self._folder, "venue", "--exchange", "binance", "--port", str(self.port)
        )

    def kill(self) -> None:
        self._running.kill()


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    """The exchange of `machine`."""
    exchange = Exchange(tmp_path_factory.mktemp("exchange"))
    yield exchange
    exchange.kill()


@pytest.fixture(scope="module")
def machine(
    exchange: Exchange, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Running, Api, int]]:
    """`dantaro up` against a simulated exchange, with the key that it printed."""
    folder, port = tmp_path_factory.mktemp("machine"), _free_port()
    settings = {
        "DANTARO_HOME": str(folder / "home"),
        "DANTARO_PORT": str(port),
        "DANTARO_EXCHANGES": "binance",
        "DANTARO_VENUE_URLS": json.dumps({"binance": f"http://127.0.0.1:{exchange.port}"}),
        "DANTARO_UNIVERSE_SIZE": "30",
        # So often, and without further attempts, that changes show within seconds.
        "DANTARO_TICKERS_SECONDS": "2",
        "DANTARO_HEARTBEAT_SECONDS": "1",
        "DANTARO_JOB_ATTEMPTS": "1",
    }
    with _running(folder, "up", **settings) as up:
        assert _soon(lambda: "API key: dk_" in up.output, 20), up.output
        key = re.findall(r"API key: (dk_\S+)", up.output)[0]
        api = Api(port, key)
        assert _soon(api.is_alive, 20), up.output
        yield up, api, port


def test_the_printed_key_opens_the_served_ranking_and_no_key_does_not(
    machine: tuple[Running, Api, int],
) -> None:
    up, api, port = machine

    def ranked() -> bool:
        status, body = api.get("/api/v1/recommendations?top_n=50")
        return status == 200 and len(body["recommendations"]) >= 20  # type: ignore[arg-type]

    assert _soon(ranked, 60), up.output
    assert api.get("/api/v1/recommendations")[1]["data_origin"] == "simulated"
    assert Api(port).get("/api/v1/recommendations")[0] == 401
    assert up.output.count("API key:") == 1
    # Standard output carries it; no log line does.
    assert sum(str(api.key) in line for line in up.output.splitlines()) == 2


def test_a_second_one_on_the_same_port_is_refused_with_a_message(
    machine: tuple[Running, Api, int], tmp_path: Path
) -> None:
    port = machine[2]
    with _running(tmp_path, "up", DANTARO_HOME=str(tmp_path), DANTARO_PORT=str(port)) as second:
        assert second.process.wait(20) == 2
        assert f"port {port}" in second.output
        assert "DANTARO_PORT" in second.output
        assert "Traceback" not in second.output


@pytest.mark.parametrize("which", ["the one that serves", "its parent"])
def test_a_killed_api_is_back_within_ten_seconds_and_the_worker_goes_on(
    machine: tuple[Running, Api, int], which: str
) -> None:
    up, api, _ = machine
    workers, serving = up.pids("worker"), up.pids("api")
    parent = psutil.Process(serving[-1])
    victim = parent if which == "its parent" else parent.children()[0]
    victim.kill()
    assert _soon(lambda: len(up.pids("api")) == len(serving) + 1 and api.is_alive(), 10), up.output
    assert up.pids("worker") == workers
    os.kill(workers[-1], 0)


def test_a_killed_worker_beats_again_within_ten_seconds_and_works_while_the_api_goes_on(
    machine: tuple[Running, Api, int],
) -> None:
    up, api, _ = machine
    workers, serving = up.pids("worker"), up.pids("api")
    os.kill(workers[-1], signal.SIGKILL)
    answered = []

    def state(kind: str) -> list[Mapping[str, object]]:
        answered.append(api.get("/api/v1/recommendations")[0])
        found: object = api.get("/api/v1/worker/status")[1].get(kind, [])
        assert isinstance(found, list)
        return found

    def beats() -> bool:
        return any(w["alive"] and w["pid"] not in workers for w in state("workers"))

    def has_worked() -> bool:
        (tickers,) = [job for job in state("jobs") if job["job"] == "tickers:binance"]
        mine = f":{up.pids('worker')[-1]}:" in str(tickers["worker_id"])
        return mine and tickers["state"] == "succeeded"

    assert _soon(beats, 10), up.output
    assert len(up.pids("worker")) == len(workers) + 1
    assert _soon(has_worked, 20), up.output
    assert set(answered) == {200}
    assert up.pids("api") == serving


def test_an_exchange_that_dies_is_named_everywhere_within_seconds_while_its_data_is_served(
    machine: tuple[Running, Api, int], exchange: Exchange, tmp_path: Path
) -> None:
    up, api, _ = machine

    def is_named() -> bool:
        return "binance" in str(api.get("/ready")[1]["notes"])

    def checked() -> tuple[int, str]:
        with _running(tmp_path, "status", "--check", **up.settings) as status:
            return status.process.wait(20), status.output

    assert _soon(lambda: not is_named(), 10)
    assert checked() == (0, "Everything is well.\n")
    exchange.kill()
    assert _soon(is_named, 10), up.output
    assert api.get("/ready")[0] == 200
    status, body = api.get("/api/v1/recommendations?top_n=50")
    assert status == 200
    assert len(body["recommendations"]) >= 20  # type: ignore[arg-type]
    sources = api.get("/api/v1/health")[1]["data_sources"]
    assert sources["binance"]["status"] != "healthy"  # type: ignore[index]
    code, said = checked()
    assert code == 1
    assert "binance cannot be collected from: VenueUnavailable" in said
    (line,) = up.events("exchange_unreachable")
    assert line["exchange"] == "binance"
    assert [line["level"] for line in up.events("no_exchange_reachable")] == ["error"]

    exchange.start()
    assert _soon(lambda: not is_named(), 25), up.output
    assert len(up.events("exchange_reachable")) == len(up.events("exchange_unreachable")) == 1


def test_stopping_ends_everything_in_time_and_frees_the_port(
    machine: tuple[Running, Api, int],
) -> None:
    up, _, port = machine
    children = [up.pids("worker")[-1], up.pids("api")[-1]]
    started = time.monotonic()
    assert up.stop() == 0, up.output
    assert time.monotonic() - started < 13
    for pid in children:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", port))


def test_killing_the_supervisor_takes_its_children_along(tmp_path: Path) -> None:
    port = _free_port()
    closed = json.dumps({"binance": f"http://127.0.0.1:{_free_port()}"})
    with _running(
        tmp_path,
        "up",
        DANTARO_HOME=str(tmp_path / "home"),
        DANTARO_PORT=str(port),
        DANTARO_EXCHANGES="binance",
        DANTARO_VENUE_URLS=closed,
    ) as up:
        api = Api(port)
        assert _soon(api.is_alive, 20), up.output
        assert _soon(lambda: "no_exchange_reachable" in up.output, 20), up.output
        up.kill()
        assert _soon(lambda: not api.is_alive(), 14)


def test_an_exchange_that_cannot_be_reached_is_said_plainly_and_the_api_serves(
    tmp_path: Path,
) -> None:
    port = _free_port()
    settings = {
        "DANTARO_HOME": str(tmp_path / "home"),
        "DANTARO_PORT": str(port),
        "DANTARO_EXCHANGES": "binance",
        "DANTARO_VENUE_URLS": json.dumps({"binance": f"http://127.0.0.1:{_free_port()}"}),
    }
    with _running(tmp_path, "up", **settings) as up:
        assert _soon(Api(port).is_alive, 20), up.output
        assert _soon(lambda: "no_exchange_reachable" in up.output, 20), up.output
        with _running(tmp_path, "status", **settings) as status:
            assert status.process.wait(20) == 0
            assert "binance cannot be collected from" in status.output
        assert up.process.poll() is None
        assert _soon(lambda: "binance" in json.dumps(Api(port).get("/ready")[1]), 8)


def test_a_wrong_exchange_ends_it_with_exit_code_2_and_the_reason(tmp_path: Path) -> None:
    with _running(
        tmp_path,
        "up",
        DANTARO_HOME=str(tmp_path / "home"),
        DANTARO_PORT=str(_free_port()),
        DANTARO_EXCHANGES="upbti",
    ) as up:
        assert up.process.wait(25) == 2
        assert "did you mean upbit" in up.output
        assert "Traceback" not in up.output


class _LateServer:
    """A port on which nothing listens until it is told where to pass connections on to."""

    def __init__(self, target: tuple[str, int]) -> None:
        self.port = _free_port()
        self._target = target
        self._listener: socket.socket | None = None

    def appear(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        if self._listener is not None:
            self._listener.close()

    def _accept(self) -> None:
        assert self._listener is not None
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            far = socket.create_connection(self._target)
            for one, other in ((near, far), (far, near)):
                threading.Thread(target=self._pass_on, args=(one, other), daemon=True).start()

    @staticmethod
    def _pass_on(one: socket.socket, other: socket.socket) -> None:
        try:
            while chunk := one.recv(65536):
                other.sendall(chunk)
        except OSError:
            pass
        finally:
            one.close()
            other.close()


def test_it_may_be_started_before_its_database(postgres_url: str, tmp_path: Path) -> None:
    address = re.search(r"@?([0-9.]+):(\d+)/", postgres_url)
    assert address is not None
    late = _LateServer((address[1], int(address[2])))
    port = _free_port()
    with _running(
        tmp_path,
        "up",
        DANTARO_HOME=str(tmp_path / "home"),
        DANTARO_PORT=str(port),
        DANTARO_EXCHANGES="binance",
        DANTARO_VENUE_URLS=json.dumps({"binance": f"http://127.0.0.1:{_free_port()}"}),
        DANTARO_DATABASE_URL=postgres_url.replace(
            f"{address[1]}:{address[2]}", f"127.0.0.1:{late.port}"
        ),
    ) as up:
        api = Api(port)
        assert _soon(api.is_alive, 20), up.output
        assert api.get("/ready")[0] == 503
        assert "API key:" not in up.output
        late.appear()
        try:
            assert _soon(lambda: "API key: dk_" in up.output, 10), up.output
            key = re.findall(r"API key: (dk_\S+)", up.output)[0]
            assert _soon(lambda: api.get("/api/v1/recommendations", key=key)[0] == 200, 5)
            assert _soon(lambda: bool(up.pids("worker")), 5), up.output
            assert up.stop() == 0
        finally:
            late.close()
