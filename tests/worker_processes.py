"""Real worker processes against a loopback exchange of the test's own."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from dantaro.exchange_server.server import create_server
from dantaro.exchange_server.source import MarketSource
from dantaro.market.clocks import ClockReading

_PROJECT = Path(__file__).resolve().parent.parent


class WorkerProcess:
    """`dantaro worker`, with what it logged."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines: list[Mapping[str, Any]] = []
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self.process.stderr is not None
        async for line in self.process.stderr:
            try:
                self.lines.append(json.loads(line))
            except ValueError:
                self.lines.append({"event": line.decode(errors="replace").rstrip()})

    def events(self, name: str) -> list[Mapping[str, Any]]:
        """The log lines of that event."""
        return [line for line in self.lines if line["event"] == name]

    async def until(self, event: str, *, count: int = 1, seconds: float = 40.0) -> None:
        """Wait until it logged the event that often."""
        async with asyncio.timeout(seconds):
            while len(self.events(event)) < count:
                assert self.process.returncode is None, self.lines[-5:]
                await asyncio.sleep(0.02)

    async def stop(self) -> int:
        """SIGTERM; the exit code."""
        self.process.terminate()
        return await self._gone()

    async def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()
        await self._gone()

    async def _gone(self) -> int:
        code = await self.process.wait()
        await self._reading
        return code


@asynccontextmanager
async def worker_process(
    home: Path, venue_urls: Mapping[str, str], **settings: object
) -> AsyncIterator[WorkerProcess]:
    """A worker with these settings (by their names in lower case); killed at the end if it still runs."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("DANTARO_")}
    given = {
        "home": home,
        "exchanges": ",".join(venue_urls),
        "venue_urls": json.dumps(dict(venue_urls)),
        "log_format": "json",
        **settings,
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "dantaro",
        "worker",
        env={**own, **{f"DANTARO_{name.upper()}": str(value) for name, value in given.items()}},
        cwd=_PROJECT,
        stderr=asyncio.subprocess.PIPE,
    )
    worker = WorkerProcess(process)
    try:
        yield worker
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()


@asynccontextmanager
async def loopback_exchange(
    exchange: str, source: MarketSource, reading: ClockReading
) -> AsyncIterator[str]:
    """The address of a running loopback exchange."""
    server = create_server(
        "binance" if exchange == "binance" else "upbit",
        source,
        reading,
        host="127.0.0.1",
        port=0,
        limited=False,
    )
    await server.start()
    try:
        yield server.url
    finally:
        await server.stop()
