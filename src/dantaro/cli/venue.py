"""`dantaro venue`: loopback exchanges, recorded or simulated."""

import asyncio
import json
import signal
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, cast

from rich.console import Console

from dantaro.app.supervisor import die_with_parent
from dantaro.clock import real_now_ms
from dantaro.errors import ConfigurationError
from dantaro.exchange_server.recorded import default_start_ms, recorded_source
from dantaro.exchange_server.server import ExchangeServer, create_server
from dantaro.exchange_server.simulation import simulated_source
from dantaro.exchange_server.source import MarketSource
from dantaro.logs import configure_logs
from dantaro.market.clocks import ClockReading
from dantaro.market.markets import Origin
from dantaro.settings import load_settings

_FOLLOWABLE_SPEED = 60.0
"""Faster than about this, an exchange's hours pass before its request limits let one collect them."""


def run(
    *,
    exchanges: Sequence[str],
    data: Path | None,
    start: str | None,
    speed: float,
    host: str,
    port: int,
    seed: int,
    unlimited: bool,
    supervised_by: int | None,
) -> None:
    """Serve `exchanges` on consecutive ports from `port` until interrupted.

    Raises:
        ConfigurationError: no such exchange format, a port is taken, or the recording is invalid.
    """
    if supervised_by is not None:
        die_with_parent(supervised_by)
    settings = load_settings()
    configure_logs(log_format=settings.log_format, level=settings.log_level, process="venue")
    if len(set(exchanges)) != len(exchanges):
        raise ConfigurationError("--exchange names an exchange twice")
    sources = [
        simulated_source(exchange, seed=seed) if data is None else recorded_source(data, exchange)
        for exchange in exchanges
    ]
    reading = ClockReading(_start_ms(start, exchanges, sources), real_now_ms(), speed)
    servers = [
        create_server(
            _format(exchange),
            source,
            reading,
            host=host,
            port=port and port + offset,
            limited=not unlimited,
        )
        for offset, (exchange, source) in enumerate(zip(exchanges, sources, strict=True))
    ]
    asyncio.run(_serve(servers, hint=_speed_hint(speed, unlimited=unlimited)))


def _start_ms(start: str | None, exchanges: Sequence[str], sources: Sequence[MarketSource]) -> int:
    if start is not None:
        start_ms = _parse_time(start)
        for exchange, source in zip(exchanges, sources, strict=True):
            if not source.listings(start_ms):
                raise _nothing_listed(start, exchange, source)
        return start_ms
    if sources[0].origin is Origin.SIMULATED:
        return real_now_ms()
    return min(default_start_ms(source) for source in sources)


def _parse_time(text: str) -> int:
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigurationError(
            f"--start {text!r} is not a time; write 2023-06-01 or 2023-06-01T12:00 (UTC)"
        ) from error
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at
    return round(at.timestamp() * 1000)


def _nothing_listed(start: str, exchange: str, source: MarketSource) -> ConfigurationError:
    first = _minute(source.start_ms)
    what = f"{source.origin.value} candles"
    held = (
        f"the {what} begin at {first}"
        if source.end_ms is None
        else f"the {what} reach from {first} to {_minute(source.end_ms)}"
    )
    return ConfigurationError(
        f"--start {start}: {exchange} would list no market then: {held} (UTC); "
        "choose a time at which there are markets, or leave --start out"
    )


def _minute(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M")


def _speed_hint(speed: float, *, unlimited: bool) -> str | None:
    if unlimited or speed <= _FOLLOWABLE_SPEED:
        return None
    return (
        f"At --speed {speed:g} collecting cannot keep up within the exchange's request limits: "
        "add --unlimited to serve without them."
    )


def _format(exchange: str) -> Literal["binance", "upbit"]:
    # `create_server` refuses any other, naming the known ones.
    return cast(Literal["binance", "upbit"], exchange)


async def _serve(servers: Sequence[ExchangeServer], *, hint: str | None) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    try:
        for server in servers:
            await server.start()
        _explain(servers)
        if hint is not None:
            Console(stderr=True, soft_wrap=True, highlight=False).print(hint, style="yellow")
        await stop.wait()
    finally:
        for server in servers:
            await server.stop()


def _explain(servers: Sequence[ExchangeServer]) -> None:
    urls = json.dumps({server.exchange: server.url for server in servers})
    # Unwrapped, so that each line can be copied whole.
    screen = Console(soft_wrap=True, highlight=False)
    screen.print("Collect from here with:", markup=False)
    screen.print(f"  export DANTARO_VENUE_URLS='{urls}'", markup=False)
    screen.print(
        f"  export DANTARO_EXCHANGES={','.join(server.exchange for server in servers)}",
        markup=False,
    )
