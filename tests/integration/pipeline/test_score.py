"""Publishing on a simulated clock, and what the record says eight days later, on both databases."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from sqlalchemy import update

from analysis_worlds import days_of, without
from dantaro.analysis.panel import Series
from dantaro.analysis.parameters import Parameters
from dantaro.cache.memory import MemoryCache
from dantaro.errors import StaleWriter
from dantaro.market.candles import Candle, Validated
from dantaro.market.documents import Document, decode
from dantaro.market.markets import Market, Origin
from dantaro.market.outcomes import Days, Ended, LevelState
from dantaro.market.results import Bands, Level, PartKind, Record, Score, Side
from dantaro.market.timeframes import DAILY, DAY_MS, HOUR_MS, HOURLY, Timeframe
from dantaro.pipeline import score
from dantaro.pipeline.analyse import Analyst
from dantaro.pipeline.publish import publish_findings
from dantaro.pipeline.score import Scorer, ScoringPlan
from dantaro.storage import generations, jobs, outcomes
from dantaro.storage.candles import coverage, store_page
from dantaro.storage.catalogue import save_markets, stored_markets
from dantaro.storage.engine import Store
from dantaro.storage.facts import fix_origin
from dantaro.storage.tables import parts

START = 19_700 * DAY_MS  # the first day on which something is published
HISTORY_DAYS = 35
PARAMETERS = Parameters(quotes=("USDT",), min_turnover_usd=0.0)
COINS = [f"C{number:02}" for number in range(24)]
DELISTED, REDENOMINATED, QUIET = "C03", "C07", "C11"
BACKTEST = Record(
    source="backtest",
    subject="recommendations",
    measure="rank_ic",
    horizon_days=1,
    data="a_recording",
    group="score",
    name="total",
    value=0.1,
    low=0.0,
    high=0.2,
    t_stat=2.0,
    n=1,
    days=1,
    from_ms=0,
    until_ms=1,
)


class World:
    """Random walks, of which the store is told only what has happened by now."""

    def __init__(self, store: Store, *, days: int = 11) -> None:
        self.store = store
        self.now_ms = START
        self.listed = list(COINS)
        self.lost: set[str] = set()  # their candles do not come
        self._told: dict[tuple[str, str], int] = {}
        first_ms = START - HISTORY_DAYS * DAY_MS
        count = (HISTORY_DAYS + days) * 24
        times = first_ms + HOUR_MS * np.arange(count, dtype=np.int64)
        self.hourly = {
            coin: _walk(number, times, volatility=0.004 + 0.001 * number)
            for number, coin in enumerate(COINS)
        }
        self._redenominate(REDENOMINATED, START + 3 * DAY_MS + 5 * HOUR_MS)
        gone_ms = START + 2 * DAY_MS + 7 * HOUR_MS
        self.hourly[DELISTED] = _until(self.hourly[DELISTED], gone_ms)
        quiet = np.flatnonzero(self.hourly[QUIET].opened_at_ms % (5 * HOUR_MS) == 0)
        self.hourly[QUIET] = without(self.hourly[QUIET], *quiet.tolist())
        self.daily = {coin: days_of(_filled(series)) for coin, series in self.hourly.items()}
        self.analyst = Analyst(store, PARAMETERS, exchanges=("okx",))
        fix_origin(store, Origin.SIMULATED)
        self.list_markets()
        self.go_to(START)

    def list_markets(self) -> None:
        markets = [Market("okx", f"{c}/USDT", c, "USDT", c) for c in self.listed]
        save_markets(self.store, "okx", markets, at_ms=self.now_ms)

    def delist(self, coin: str) -> None:
        self.listed.remove(coin)
        self.list_markets()

    def go_to(self, at_ms: int) -> None:
        """Let the clock show `at_ms`, and collect what has closed until then."""
        self.now_ms = at_ms
        for stored in stored_markets(self.store):
            if stored.market.listed and stored.market.base not in self.lost:
                self._tell(stored.id, stored.market.base, HOURLY)
                self._tell(stored.id, stored.market.base, DAILY)

    def _tell(self, market_id: int, coin: str, timeframe: Timeframe) -> None:
        series = (self.hourly if timeframe == HOURLY else self.daily)[coin]
        start_ms = self._told.get((coin, timeframe.name), START - HISTORY_DAYS * DAY_MS)
        end_ms = timeframe.floor(self.now_ms)
        if start_ms >= end_ms:
            return
        inside = (series.opened_at_ms >= start_ms) & (series.opened_at_ms < end_ms)
        rows = tuple(
            Candle(*row)
            for row in zip(
                series.opened_at_ms[inside].tolist(),
                *(getattr(series, name)[inside].tolist() for name in Candle._fields[1:]),
                strict=True,
            )
        )
        store_page(
            self.store,
            market_id,
            timeframe,
            start_ms=start_ms,
            end_ms=end_ms,
            validated=Validated(rows, (), 0),
            recorded_at_ms=self.now_ms,
        )
        self._told[coin, timeframe.name] = end_ms

    def publish(self) -> None:
        for findings in (
            self.analyst.recommend(now_ms=self.now_ms),
            self.analyst.find_levels(now_ms=self.now_ms),
        ):
            publish_findings(
                self.store,
                MemoryCache(),
                findings,
                parameters=PARAMETERS,
                lease=None,
                now_ms=lambda: self.now_ms,
            )

    def scorer(self, *, lease: jobs.Lease | None = None) -> Scorer:
        plan = ScoringPlan(PARAMETERS, cost_per_side=0.002, backtest=(BACKTEST,))
        return Scorer(self.store, MemoryCache(), plan, lambda: self.now_ms, lease)

    def score(self) -> Mapping[str, int]:
        return asyncio.run(self.scorer().run()).counts

    def _redenominate(self, coin: str, at_ms: int) -> None:
        old = self.hourly[coin]
        factor = np.where(old.opened_at_ms >= at_ms, 0.001, 1.0)
        self.hourly[coin] = replace(
            old,
            open=old.open * factor,
            high=old.high * factor,
            low=old.low * factor,
            close=old.close * factor,
        )


def _walk(number: int, times: np.ndarray, *, volatility: float) -> Series:
    rng = np.random.default_rng(100 + number)
    close = (10.0 + number) * np.exp(np.cumsum(rng.normal(0, volatility, times.size)))
    opened = np.concatenate((close[:1], close[:-1]))
    high = np.maximum(opened, close) * (1 + np.abs(rng.normal(0, volatility / 2, times.size)))
    low = np.minimum(opened, close) * (1 - np.abs(rng.normal(0, volatility / 2, times.size)))
    volume = 1e5 * rng.lognormal(0, 0.5, times.size) * (1 + number / 10)
    return Series(times, opened, high, low, close, volume)


def _until(series: Series, end_ms: int) -> Series:
    return without(series, *np.flatnonzero(series.opened_at_ms >= end_ms).tolist())


def _filled(series: Series) -> Series:
    """Every hour, quiet ones at the last close without volume: what an exchange makes its days of."""
    times = np.arange(series.opened_at_ms[0], series.opened_at_ms[-1] + HOUR_MS, HOUR_MS)
    place = np.searchsorted(series.opened_at_ms, times, side="right") - 1
    quiet = series.opened_at_ms[place] != times
    close = series.close[place]
    figures = {
        name: np.where(quiet, close, getattr(series, name)[place])
        for name in ("open", "high", "low")
    }
    volume = np.where(quiet, 0.0, series.volume[place])
    return Series(times, figures["open"], figures["high"], figures["low"], close, volume)


@pytest.fixture
def world(store: Store) -> World:
    return World(store)


def _published(store: Store, kind: PartKind) -> Iterator[tuple[int, int, Document]]:
    """Every part of a kind with its time and id, the oldest first."""
    found = generations.part_history(store, kind, start_ms=0, end_ms=2**62, limit=999)
    for at_ms, ref in reversed(found):
        part = generations.read_part(store, ref.id)
        yield at_ms, ref.id, decode(part.kind, part.schema_version, part.body)


def _live(records: Sequence[Record], **named: object) -> Record:
    (found,) = (
        row for row in records if all(getattr(row, name) == to for name, to in named.items())
    )
    return found


def _records(store: Store) -> tuple[Record, ...]:
    current = generations.current_manifest(store)
    assert current is not None
    part = generations.read_part(store, current.parts[PartKind.TRACK_RECORD].id)
    return decode(part.kind, part.schema_version, part.body).rows(Record)


def _fate(world: World, coin: str, published_ms: int, days: int) -> tuple[float | None, Ended]:
    """One market's outcome, straight from the walks."""
    entry_ms = (published_ms // HOUR_MS + 1) * HOUR_MS
    exit_ms = entry_ms + days * DAY_MS
    series = world.hourly[coin]
    inside = [
        at
        for at in range(series.opened_at_ms.size)
        if entry_ms <= series.opened_at_ms[at] < exit_ms
    ]
    ended = Ended.HORIZON
    for nth, at in enumerate(inside):
        if nth and not 1 / 3 < series.open[at] / series.close[at - 1] < 3:
            inside, ended = inside[:nth], Ended.PRICE_ANOMALY
            break
    if not inside or series.opened_at_ms[inside[0]] >= entry_ms + 6 * HOUR_MS:
        return None, Ended.NO_ENTRY
    if ended is Ended.HORIZON and series.opened_at_ms[inside[-1]] != exit_ms - HOUR_MS:
        ended = Ended.DELISTED if coin not in world.listed else Ended.QUIET
    return float(series.close[inside[-1]] / series.open[inside[0]] - 1.0), ended


def _publish_for(world: World, days: int) -> None:
    for day in range(days):
        for hour in (9, 21):
            world.go_to(START + day * DAY_MS + hour * HOUR_MS + 60_000)
            if world.now_ms > START + 2 * DAY_MS + 8 * HOUR_MS and DELISTED in world.listed:
                world.delist(DELISTED)
            world.publish()


def test_eight_days_later_the_record_is_what_really_followed(world: World) -> None:
    _publish_for(world, 3)
    world.go_to(START + 3 * DAY_MS + 23 * HOUR_MS)
    world.go_to(START + 8 * DAY_MS)  # the worker was away: five days come at once
    # Nobody asks again for missing candles here, so the quiet market holds the youngest up.
    world.now_ms += DAY_MS
    counts = world.score()
    world.go_to(world.now_ms)
    again = world.score()
    assert counts["outcomes_scored"] + again["outcomes_scored"] == 2 * 6 * 2 + 2 * 2
    records = _records(world.store)
    for days, on in ((1, 3), (3, 3)):
        _compare_rankings(world, records, days=days, on=on)
        _compare_levels(world, records, days=days)
    # Of seven days only the first day's four outcomes have passed, and that day is whole.
    _compare_rankings(world, records, days=7, on=1)
    assert records[-1] == BACKTEST
    assert {row.source for row in records[:-1]} == {"live"}
    assert all(row.beats_baselines is None for row in records[:-1])
    manifest = generations.current_manifest(world.store)
    assert manifest is not None
    assert manifest.status == "complete"
    # The record tells of the past: nothing else became younger or older by it.
    assert manifest.data_as_of_ms == START + 2 * DAY_MS + 21 * HOUR_MS
    assert manifest.inputs == {"okx": START + 2 * DAY_MS + 21 * HOUR_MS}


def _compare_rankings(world: World, records: Sequence[Record], *, days: int, on: int) -> None:
    by_day: dict[int, list[float]] = {}
    endings: set[Ended] = set()
    for at_ms, part_id, part in _published(world.store, PartKind.RECOMMENDATIONS):
        rows = [row for row in part.rows(Score) if row.ranked_set == "all"]
        fates = {row.symbol: _fate(world, row.symbol[:3], at_ms, days) for row in rows}
        if at_ms // DAY_MS < START // DAY_MS + on:
            kept = outcomes.read_outcome(world.store, part_id, horizon_days=days).document
            assert kept is not None
            assert {row.symbol: row.ended for row in kept.markets} == {
                symbol: ended for symbol, (_, ended) in fates.items()
            }
            endings |= {row.ended for row in kept.markets}
            by_day.setdefault(at_ms // DAY_MS, []).append(
                float(
                    stats.spearmanr(
                        [row.total for row in rows], [fates[row.symbol][0] for row in rows]
                    ).statistic
                )
            )
    daily = [float(np.mean(values)) for values in by_day.values()]
    assert len(daily) == on
    row = _live(
        records,
        source="live",
        measure="rank_ic",
        horizon_days=days,
        data="all",
        group="score",
        name="total",
    )
    assert row.value == pytest.approx(np.mean(daily))
    assert row.days == on
    assert endings >= ({Ended.HORIZON, Ended.PRICE_ANOMALY, Ended.DELISTED} if days == 3 else set())
    hits = _live(
        records, measure="hit_rate", horizon_days=days, data="all", name="total", source="live"
    )
    assert hits.value == pytest.approx(np.mean([value > 0 for value in daily]))


def _level_fate(
    world: World, level: Level, atr: float, published_ms: int, days: int
) -> tuple[LevelState, int | None]:
    """One level's fate by a plain loop over its candles."""
    entry_ms = (published_ms // HOUR_MS + 1) * HOUR_MS
    series = world.hourly[level.symbol[:3]]
    sign = 1 if level.side is Side.SUPPORT else -1
    near, far = sorted((level.zone_low * sign, level.zone_high * sign), reverse=True)
    before = series.opened_at_ms < entry_ms
    if series.close[before][-1] * sign <= near:
        return LevelState.INSIDE, None
    touched = None
    until_ms = min(entry_ms + days * DAY_MS, level.expires_at_ms)
    for at in np.flatnonzero(~before & (series.opened_at_ms < until_ms)):
        if not 1 / 3 < series.open[at] / series.close[at - 1] < 3:
            break
        lowest, highest = sorted((series.low[at] * sign, series.high[at] * sign))
        entered = touched is None and lowest <= near
        if entered:
            touched = int(series.opened_at_ms[at])
        if touched is None:
            continue
        if lowest <= far - atr:
            return LevelState.BROKE, touched
        if (series.close[at] * sign if entered else highest) >= near + atr:
            return LevelState.HELD, touched
    return (LevelState.NOT_TOUCHED if touched is None else LevelState.UNRESOLVED), touched


def _compare_levels(world: World, records: Sequence[Record], *, days: int) -> None:
    published = list(_published(world.store, PartKind.LEVELS))
    times = [at_ms for at_ms, _, _ in published]
    held = broke = 0
    for (at_ms, part_id, part), next_ms in zip(published, [*times[1:], 2**62], strict=True):
        kept = outcomes.read_outcome(world.store, part_id, horizon_days=days).document
        assert kept is not None
        assert {row.timeframe for row in kept.candles} == {"1h"}
        atr = {row.symbol: row.atr for row in part.rows(Bands)}
        served_until_ms = (min(next_ms, at_ms + DAY_MS) // HOUR_MS + 1) * HOUR_MS
        zones: dict[tuple[str, Side, int], list[tuple[float, float]]] = {}
        for level, row in zip(part.rows(Level), kept.levels, strict=True):
            state, touched = _level_fate(world, level, atr[level.symbol] or 0.0, at_ms, days)
            assert (row.state, row.touched_at_ms) == (state, touched)
            if state not in (LevelState.HELD, LevelState.BROKE) or touched is None:
                continue
            known = zones.setdefault((level.symbol, level.side, touched), [])
            fresh = touched < served_until_ms and all(
                level.zone_low > high or low > level.zone_high for low, high in known
            )
            assert row.counted == fresh
            if fresh:
                known.append((level.zone_low, level.zone_high))
                held += state is LevelState.HELD
                broke += state is LevelState.BROKE
    rate = _live(
        records, measure="hold_rate", horizon_days=days, data="all", group="all", source="live"
    )
    assert held + broke >= 15
    assert rate.n == held + broke
    assert rate.value == pytest.approx(held / (held + broke))


def test_before_any_outcome_the_backtest_is_served_and_the_rest_says_when(world: World) -> None:
    assert world.score()["outcomes_scored"] == 0
    assert generations.current_manifest(world.store) is None  # alone it would be taken for a result
    world.go_to(START + 9 * HOUR_MS + 60_000)
    world.publish()
    counts = world.score()
    assert (counts["outcomes_scored"], counts["changed"]) == (0, 1)
    *live, backtest = _records(world.store)
    assert backtest == BACKTEST
    assert [(row.subject, row.horizon_days, row.value) for row in live] == [
        (subject, days, None) for subject in ("recommendations", "levels") for days in (1, 3, 7)
    ]
    # What is published in the first day's last hour is bought at midnight, and known an hour and a day
    # later.
    at = np.datetime64(START + 2 * DAY_MS + HOUR_MS, "ms").astype("datetime64[s]")
    assert live[0].missing["value"] == (
        f"no outcome yet: the horizon of the first day's publications passes at {at}Z"
    )
    assert world.score()["changed"] == 0  # nothing new, no generation


def _whole(store: Store) -> tuple[dict[object, object], dict[object, object]]:
    """Everything that scoring has written: daily sums, and outcomes."""
    sums: dict[object, object] = {}
    for subject, days, data in outcomes.measured_data(store):
        series = outcomes.read_days(
            store, subject=subject, horizon_days=days, data=data, before_day=99_999
        )
        sums |= {(subject, days, data, *name): of_days for name, of_days in series.items()}
    kept: dict[object, object] = {}
    for kind in (PartKind.RECOMMENDATIONS, PartKind.LEVELS):
        for _, part_id, _ in _published(store, kind):
            outcome = outcomes.read_outcome(store, part_id, horizon_days=1)
            kept[part_id] = replace(outcome, scored_at_ms=0)
    return sums, kept


class Killed(BaseException):
    """Not an error that anybody handles."""


@pytest.mark.parametrize(
    "step",
    [
        "market_outcomes",
        "level_results",
        "pack_outcome",
        "keep_outcome",
        "publish_track_record",
    ],
)
def test_killed_between_steps_and_run_again_everything_is_scored_once(
    world: World, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _publish_for(world, 1)
    world.go_to(START + 3 * DAY_MS)
    with monkeypatch.context() as patched:
        real = getattr(score, step)
        calls: list[int] = []

        def dies(*arguments: object, **named: object) -> object:
            calls.append(1)
            if len(calls) == (1 if step == "publish_track_record" else 2):
                raise Killed
            return real(*arguments, **named)

        patched.setattr(score, step, dies)
        with pytest.raises(Killed):
            asyncio.run(world.scorer().run())
    world.score()
    after_a_kill = _whole(world.store)
    assert world.score()["outcomes_scored"] == 0
    assert _whole(world.store) == after_a_kill
    tallies = outcomes.outcome_tallies(world.store)
    assert tallies == {
        (kind, 1): outcomes.OutcomeTally(2, 0)
        for kind in (PartKind.RECOMMENDATIONS, PartKind.LEVELS)
    }
    total = after_a_kill[0]["recommendations", 1, "all", "rank_ic", "score", "total"]
    assert isinstance(total, Days)
    assert total.parts == (2,)  # one day, each of its parts once


def test_two_workers_at_once_score_each_outcome_once(world: World) -> None:
    _publish_for(world, 1)
    world.go_to(START + 3 * DAY_MS)

    async def both() -> list[int]:
        first, second = world.scorer(), world.scorer()
        done = await asyncio.gather(first.run(), second.run())
        return [outcome.counts["outcomes_scored"] for outcome in done]

    assert sum(asyncio.run(both())) == 4
    assert world.score()["outcomes_scored"] == 0
    assert sum(tally.scored for tally in outcomes.outcome_tallies(world.store).values()) == 4


def test_a_worker_that_lost_its_lease_writes_nothing(world: World) -> None:
    _publish_for(world, 1)
    world.go_to(START + 3 * DAY_MS)
    stale = jobs.claim(world.store, "outcomes", 1, worker_id="a", lease_seconds=-1)
    assert jobs.claim(world.store, "outcomes", 1, worker_id="b", lease_seconds=60) is not None
    with pytest.raises(StaleWriter):
        asyncio.run(world.scorer(lease=stale).run())
    assert outcomes.outcome_tallies(world.store) == {}


def test_a_run_that_has_no_more_time_stops_and_asks_for_another(world: World) -> None:
    _publish_for(world, 1)
    world.go_to(START + 3 * DAY_MS)
    asked: list[int] = []

    def enough() -> bool:
        asked.append(1)
        return len(asked) > 1

    outcome = asyncio.run(world.scorer().run(enough=enough))
    assert (outcome.counts["outcomes_scored"], outcome.counts["outcomes_due"]) == (1, 3)
    assert outcome.again_in_seconds == 0.0
    assert world.score()["outcomes_scored"] == 3


def test_a_worker_that_was_away_waits_for_its_candles_first(world: World) -> None:
    _publish_for(world, 1)
    world.now_ms = START + 12 * DAY_MS  # it is back, and has collected nothing yet
    counts = world.score()
    assert (counts["outcomes_scored"], counts["outcomes_unscorable"]) == (0, 0)
    assert (counts["outcomes_waiting"], counts["outcomes_due"]) == (2, 12)
    world.go_to(START + 11 * DAY_MS)
    assert world.score()["outcomes_scored"] == 12


@pytest.mark.parametrize(
    ("lost", "days_later", "scored", "unscorable"),
    [
        (2, 1, 0, 0),  # a day's patience for what is missing
        (2, 3, 4, 0),  # then it is scored without it, if it is a tenth of the markets or less
        (6, 3, 0, 0),
        (6, 9, 0, 4),
    ],
)
def test_candles_that_never_come(
    world: World, lost: int, days_later: int, scored: int, unscorable: int
) -> None:
    _publish_for(world, 1)
    world.lost = set(COINS[12 : 12 + lost])
    world.go_to(START + DAY_MS + days_later * DAY_MS)
    counts = world.score()
    tallies = outcomes.outcome_tallies(world.store)
    one_day = [
        tallies.get((kind, 1), outcomes.OutcomeTally(0, 0)) for kind in outcomes.SCORED_KINDS
    ]
    assert sum(tally.scored for tally in one_day) == scored
    assert sum(tally.unscorable for tally in one_day) == unscorable
    (_, part_id, _), *_ = _published(world.store, PartKind.RECOMMENDATIONS)
    if scored:
        kept = outcomes.read_outcome(world.store, part_id, horizon_days=1)
        assert kept.document is not None
        assert {row.symbol[:3] for row in kept.document.markets if row.result is None} == world.lost
        assert kept.counts["markets_not_collected"] == lost
    elif unscorable:
        kept = outcomes.read_outcome(world.store, part_id, horizon_days=1)
        assert kept.reason == "the candles of 6 of 24 markets were not collected"
        missing = _records(world.store)[0].missing["value"]
        assert missing == "none of 2 outcomes could be scored"
    else:
        assert counts["outcomes_waiting"] == 2


def test_a_candle_that_comes_after_the_scoring_changes_nothing(world: World) -> None:
    _publish_for(world, 1)
    world.go_to(START + 3 * DAY_MS)
    world.score()
    before = _whole(world.store)
    market_id = next(s.id for s in stored_markets(world.store) if s.market.base == "C00")
    late = START + 10 * HOUR_MS
    store_page(
        world.store,
        market_id,
        HOURLY,
        start_ms=late,
        end_ms=late + HOUR_MS,
        validated=Validated((Candle(late, 1.0, 1.0, 1.0, 1.0, 1.0),), (), 0),
        recorded_at_ms=world.now_ms,
    )
    assert world.score()["outcomes_scored"] == 0
    assert _whole(world.store) == before
    # It can be told afterwards: the outcome says which candles it had seen.
    (_, part_id, _), *_ = _published(world.store, PartKind.RECOMMENDATIONS)
    kept = outcomes.read_outcome(world.store, part_id, horizon_days=1).document
    assert kept is not None
    seen = next(row.revision for row in kept.markets if row.symbol == "C00/USDT")
    assert seen is not None
    assert coverage(world.store, timeframe=HOURLY)[market_id, "1h"].revision > seen


def test_a_part_that_cannot_be_read_is_unscorable_and_holds_nothing_up(world: World) -> None:
    _publish_for(world, 1)
    (_, torn, _), *_ = _published(world.store, PartKind.RECOMMENDATIONS)
    with world.store.writing() as connection:
        connection.execute(update(parts).where(parts.c.id == torn).values(body=b"torn"))
    world.go_to(START + 3 * DAY_MS)
    counts = world.score()
    assert (counts["outcomes_scored"], counts["outcomes_unscorable"]) == (3, 1)
    reason = outcomes.read_outcome(world.store, torn, horizon_days=1).reason
    assert reason is not None
    assert reason.startswith("recommendations document cannot be read")
