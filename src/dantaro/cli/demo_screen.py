"""What the demo shows: how far collecting is, then the ranking as the API serves it."""

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from rich import box
from rich.console import Console
from rich.table import Table

from dantaro.cli.up import local_address
from dantaro.errors import DantaroError
from dantaro.settings import Settings
from dantaro.storage.candles import coverage
from dantaro.storage.engine import open_store

_SHOWN = 10
_ENOUGH = 20
"""So many ranked coins make a first table worth looking at (fewer when fewer are collected)."""
_POLL_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Ranking:
    """One answer of the API, as far as the demo shows it."""

    status: str
    total: int
    items: tuple[Mapping[str, object], ...]


class DemoScreen:
    """A thread that waits for the first ranking, shows it, and shows it again once it is complete."""

    def __init__(self, console: Console, settings: Settings, key: str) -> None:
        self._console = console
        self._settings = settings
        self._key = key
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="demo-screen", daemon=True)

    def start(self) -> None:
        """Begin to show."""
        self._thread.start()

    def stop(self) -> None:
        """End; nothing is printed afterwards."""
        self._stopping.set()
        self._thread.join(timeout=3)

    def _run(self) -> None:
        first = self._wait_for(complete=False)
        if first is None:
            return
        self._show(first)
        if first.status == "provisional":
            self._console.print(
                "This first ranking rests on daily candles; hourly ones are still being collected."
            )
            complete = self._wait_for(complete=True)
            if complete is None:
                return
            self._show(complete)
        self._console.print(
            "The worker goes on collecting and publishing. Ctrl-C ends the demonstration."
        )

    def _wait_for(self, *, complete: bool) -> Ranking | None:
        enough = min(_ENOUGH, self._settings.universe_size)
        with self._console.status("starting the exchanges, the worker and the API") as status:
            while not self._stopping.wait(_POLL_SECONDS):
                ranking = self._ask()
                wanted = ranking is not None and ranking.total >= enough
                if wanted and not (complete and ranking and ranking.status == "provisional"):
                    return ranking
                status.update(self._progress())
        return None

    def _ask(self) -> Ranking | None:
        """The ranking as the API serves it; None while it does not."""
        request = urllib.request.Request(  # noqa: S310 - the scheme is ours
            f"{local_address(self._settings)}/api/v1/recommendations?top_n={_SHOWN}",
            headers={"Authorization": f"Bearer {self._key}"},
        )
        try:
            with urllib.request.urlopen(request, timeout=2) as answer:  # noqa: S310 - as above
                body = json.load(answer)
        except (OSError, urllib.error.URLError, ValueError):
            return None
        return Ranking(body["data_status"], body["total_analyzed"], tuple(body["recommendations"]))

    def _progress(self) -> str:
        store = open_store(self._settings.database_url)
        try:
            series = [item for item in coverage(store).values() if item.last_candle_ms is not None]
        except DantaroError as error:
            return f"waiting for the database: {error}"
        finally:
            store.close()
        daily = sum(item.timeframe == "1d" for item in series)
        return (
            f"collecting candles: {daily} markets daily, {len(series) - daily} hourly so far"
            if series
            else "waiting for the first candles"
        )

    def _show(self, ranking: Ranking) -> None:
        self._console.print(ranking_table(ranking), markup=False)


def ranking_table(ranking: Ranking) -> Table:
    """The ranking as a table that fits 80 columns."""
    table = Table(
        title=f"Top {len(ranking.items)} of {ranking.total} coins - SIMULATED data, {ranking.status}",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    for column in ("rank", "market", "exchange", "score", "class", "price", "24 h"):
        table.add_column(column, justify="left" if column in _TEXTS else "right", no_wrap=True)
    for place, item in enumerate(ranking.items, start=1):
        table.add_row(
            str(item.get("rank") or place),
            str(item.get("market") or item.get("symbol")),
            str(item.get("exchange")),
            _figure(item.get("total_score"), ".3f"),
            str(item.get("recommendation_strength")),
            _price(item.get("current_price")),
            _figure(item.get("price_change_24h"), "+.1%"),
        )
    return table


_TEXTS = ("market", "exchange", "class")


def _price(value: object) -> str:
    """Eight significant digits, never with an exponent."""
    return format(Decimal(f"{value:.8g}"), ",f") if isinstance(value, (int, float)) else "-"


def _figure(value: object, form: str) -> str:
    return format(value, form) if isinstance(value, (int, float)) else "-"
