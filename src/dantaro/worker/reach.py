"""Whether the exchanges answer: said in the log once when one falls silent, and once when it is back."""

from collections.abc import Collection

import structlog

from dantaro.pipeline.outcome import Outcome
from dantaro.queries.reach import EXCHANGE_ERRORS, exchange_of, has_answered

_log = structlog.get_logger(__name__)


class Reach:
    """Which of a worker's exchanges do not answer, as its own attempts and jobs tell."""

    def __init__(self, exchanges: Collection[str]) -> None:
        self._exchanges = frozenset(exchanges)
        self._away: set[str] = set()

    @property
    def away(self) -> frozenset[str]:
        """The exchanges that do not answer."""
        return frozenset(self._away)

    def note(self, job: str, outcome: Outcome) -> None:
        """A slot of `job` came to its end."""
        exchange = exchange_of(job)
        if exchange not in self._exchanges:
            return
        if isinstance(outcome.error, EXCHANGE_ERRORS):
            self.failed(exchange, outcome.error)
        elif outcome.error is None and has_answered(job, outcome.counts):
            self.answered(exchange)

    def failed(self, exchange: str, error: Exception) -> None:
        """The exchange could not be asked, or gave nothing that can be used."""
        if exchange in self._away:
            return
        self._away.add(exchange)
        _log.warning(
            "exchange_unreachable", exchange=exchange, error=f"{type(error).__name__}: {error}"
        )
        if self._away == self._exchanges:
            _log.error(
                "no_exchange_reachable",
                exchanges=sorted(self._exchanges),
                doing="trying again with growing pauses; what is stored goes on being served",
            )

    def answered(self, exchange: str) -> None:
        """The exchange gave something."""
        if exchange not in self._away:
            return
        if self._away == self._exchanges:
            _log.info("no_exchange_reachable", reason=f"over: {exchange} answers again")
        self._away.remove(exchange)
        _log.info("exchange_reachable", exchange=exchange)
