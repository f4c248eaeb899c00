"""What an evaluation found of a ranking, as the rows that are served beside it."""

from collections.abc import Iterator

from dantaro.market.results import Record
from dantaro.research.report_data import Contender, Measured, RecordingFindings


def backtest_records(found: RecordingFindings) -> tuple[Record, ...]:
    """The out-of-sample record of one recording: the total and its slices, the scores, the baselines."""
    return tuple(_Records(found).all())


class _Records:
    def __init__(self, found: RecordingFindings) -> None:
        self._found = found

    def all(self) -> Iterator[Record]:
        for contender in self._found.contenders:
            yield from self._contender(contender)
        yield from self._portfolios()
        for slice_ in self._found.slices:
            if slice_.group == "tier":
                place = (slice_.horizon_days, "tier", slice_.name)
                yield self._row("rank_ic", *place, slice_.rank_ic)
                yield self._row("net_excess_return", *place, slice_.net_excess)
        for strength in self._found.strengths:
            place = (strength.horizon_days, "strength", strength.strength)
            yield self._row("excess_return", *place, strength.excess)

    def _contender(self, found: Contender) -> Iterator[Record]:
        horizon = found.horizon_days
        if found.kind == "baseline":
            yield self._row("rank_ic", horizon, "baseline", found.name, found.rank_ic)
            return
        yield self._row("rank_ic", horizon, "score", found.name, found.rank_ic)
        if found.name != "total":
            return
        beats = self._beats_baselines(horizon)
        yield self._row("rank_ic", horizon, "all", "all", found.rank_ic, beats=beats)
        yield self._row("hit_rate", horizon, "all", "all", found.hit_rate)
        for top in found.tops:
            place = (horizon, "top", str(top.count))
            yield self._row("excess_return", *place, top.excess)
            yield self._row("net_excess_return", *place, top.net_excess)
            yield self._row("turnover", *place, top.turnover)

    def _portfolios(self) -> Iterator[Record]:
        for book in self._found.portfolios:
            group, _, name = book.name.partition("_")
            if name.endswith("gross"):
                continue
            place = (book.horizon_days, *(("top", name) if group == "top" else ("universe", "all")))
            yield self._row("sharpe", *place, book.sharpe)
            drawdown = Measured(
                book.max_drawdown, n=book.sharpe.n, days=book.sharpe.days, reason=book.reason
            )
            yield self._row("max_drawdown", *place, drawdown)

    def _beats_baselines(self, horizon: int) -> bool | None:
        """Whether the daily rank IC is above the best baseline's with its whole interval."""
        for paired in self._found.differences:
            if paired.horizon_days == horizon and paired.best:
                low = paired.difference.low
                return None if low is None else low > 0
        return None

    def _row(
        self,
        measure: str,
        horizon_days: int,
        group: str,
        name: str,
        measured: Measured,
        *,
        beats: bool | None = None,
    ) -> Record:
        return Record(
            source="backtest",
            subject="recommendations",
            measure=measure,
            horizon_days=horizon_days,
            data=self._found.name,
            group=group,
            name=name,
            value=measured.value,
            low=measured.low,
            high=measured.high,
            t_stat=measured.t_stat,
            n=measured.n,
            days=measured.days,
            from_ms=self._found.from_ms,
            until_ms=self._found.until_ms,
            beats_baselines=beats,
            missing={"value": measured.reason} if measured.value is None else {},
        )
