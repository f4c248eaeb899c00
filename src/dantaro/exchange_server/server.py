"""A loopback exchange over HTTP: one exchange's public REST format on one port.

Every answer, errors too, says where its data comes from (`X-Dantaro-Origin`) and what time it is there
(`X-Dantaro-Clock`); see `dantaro.market.clocks`.
"""

import errno
import time
from collections.abc import Callable
from typing import Literal

import structlog
from aiohttp import web

from dantaro.errors import ConfigurationError
from dantaro.exchange_server.binance import BinanceFormat
from dantaro.exchange_server.source import MarketSource
from dantaro.exchange_server.upbit import UpbitFormat
from dantaro.exchange_server.wire import Answer, WireFormat
from dantaro.market.clocks import (
    CLOCK_HEADER,
    LIMITS_HEADER,
    ORIGIN_HEADER,
    ClockReading,
)

log = structlog.get_logger(__name__)

_FORMATS: dict[str, Callable[..., WireFormat]] = {"binance": BinanceFormat, "upbit": UpbitFormat}


def _system_now_ms() -> int:
    return time.time_ns() // 1_000_000


def create_server(
    exchange: Literal["binance", "upbit"],
    source: MarketSource,
    reading: ClockReading,
    *,
    host: str,
    port: int,
    limited: bool = True,
    real_now_ms: Callable[[], int] = _system_now_ms,
) -> "ExchangeServer":
    """A server that speaks the format of `exchange`, not yet started. Port 0 takes a free one.

    `reading` is the exchange's clock; several servers on one clock are given the same. `limited`
    switches the exchange's request limits; without them every answer says so (`X-Dantaro-Limits`).

    Raises:
        ConfigurationError: no such format.
    """
    if exchange not in _FORMATS:
        raise ConfigurationError(
            f"there is no loopback format for exchange {exchange!r}; choose from "
            f"{', '.join(sorted(_FORMATS))} (a recording of any exchange can be served as either)"
        )
    wire_format = _FORMATS[exchange](source, limited=limited)
    return ExchangeServer(
        exchange=exchange,
        source=source,
        wire_format=wire_format,
        reading=reading,
        limited=limited,
        host=host,
        port=port,
        real_now_ms=real_now_ms,
    )


class ExchangeServer:
    """One loopback exchange. Built by `create_server`."""

    def __init__(
        self,
        *,
        exchange: str,
        source: MarketSource,
        wire_format: WireFormat,
        reading: ClockReading,
        limited: bool,
        host: str,
        port: int,
        real_now_ms: Callable[[], int],
    ) -> None:
        self.exchange = exchange
        self._source = source
        self._format = wire_format
        self._reading = reading
        self._limited = limited
        self._host = host
        self._port = port
        self._real_now_ms = real_now_ms
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """The address to reach it at; the real port once it is started."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._port}"

    async def start(self) -> None:
        """Listen.

        Raises:
            ConfigurationError: the port is taken, or the address cannot be listened on.
        """
        self._source.listings(self._now_ms())  # a simulated exchange computes its past here
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._handle)
        app.on_response_prepare.append(self._label)
        runner = web.AppRunner(app, access_log=None, handle_signals=False)
        await runner.setup()
        try:
            await web.TCPSite(runner, self._host, self._port).start()
        except OSError as error:
            await runner.cleanup()
            raise _cannot_listen(self._host, self._port, error) from error
        self._runner = runner
        self._port = runner.addresses[0][1]
        log.info(
            "exchange_server_started",
            exchange=self.exchange,
            url=self.url,
            origin=self._source.origin.value,
        )

    async def stop(self) -> None:
        """Stop listening; safe to call twice."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()
            log.info("exchange_server_stopped", exchange=self.exchange, url=self.url)

    def _now_ms(self) -> int:
        return self._reading.venue_time(real_ms=self._real_now_ms())

    async def _handle(self, request: web.Request) -> web.Response:
        if request.method not in ("GET", "HEAD"):
            return web.Response(status=405, headers={"Allow": "GET"})
        try:
            answer = self._format.answer(
                request.path,
                dict(request.query),
                now_ms=self._now_ms(),
                monotonic_seconds=time.monotonic(),
            )
        except Exception:  # one request's boundary: the others go on
            log.exception("exchange_server_failed", exchange=self.exchange, path=request.path_qs)
            answer = Answer(500, b'{"error":{"name":500,"message":"Internal server error"}}')
        headers = {"Content-Type": "application/json;charset=UTF-8", **answer.headers}
        return web.Response(status=answer.status, body=answer.body, headers=headers)

    async def _label(self, _: web.Request, response: web.StreamResponse) -> None:
        response.headers[ORIGIN_HEADER] = self._source.origin.value
        response.headers[CLOCK_HEADER] = self._reading.to_header()
        if not self._limited:
            response.headers[LIMITS_HEADER] = "none"


def _cannot_listen(host: str, port: int, error: OSError) -> ConfigurationError:
    if error.errno == errno.EADDRINUSE:
        return ConfigurationError(
            f"port {port} on {host} is taken; choose another with --port (0 takes a free one)"
        )
    return ConfigurationError(f"cannot listen on {host} port {port}: {error.strerror or error}")
