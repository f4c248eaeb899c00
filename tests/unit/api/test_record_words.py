"""Words made from figures say no more than the figures do."""

from dataclasses import replace

import pytest

import api_world as world
from dantaro.api.bodies.record_words import Figures, levels_in_words, recommendations_in_words
from dantaro.market.results import Record, Strength


def ranking(*rows: Record) -> str:
    return recommendations_in_words(Figures.of(rows))


def total(ic: float, *, beats: bool | None, source: str = "backtest", days: int = 100) -> Record:
    row = world.a_record("rank_ic", 1, "score", "total", figure=(ic, 0.01), beats=beats, days=days)
    return replace(row, source=source)


BASELINE = world.a_record("rank_ic", 1, "baseline", "max", figure=(0.08, 0.01))
WORSE = world.a_record("rank_ic", 1, "baseline", "momentum_7d", figure=(-0.07, 0.01))


@pytest.mark.parametrize(
    ("ic", "beats", "words"),
    [
        (0.12, True, "It beats the best of 2 baselines, max at +0.080, by more than chance."),
        (0.09, False, "but not by more than chance: it does not beat its baselines."),
        (0.05, False, "It does not beat the best of 2 baselines, max at +0.080."),
        (0.12, None, "It is not held against baselines yet."),
    ],
)
def test_baselines_are_beaten_only_where_the_record_says_so(
    *, ic: float, beats: bool | None, words: str
) -> None:
    assert words in ranking(total(ic, beats=beats), BASELINE, WORSE)


def test_without_baselines_none_is_beaten() -> None:
    assert "It is not held against baselines yet." in ranking(total(0.1, beats=True))


@pytest.mark.parametrize(
    ("mean", "error", "verdict"),
    [
        (0.004, 0.001, "a gain"),
        (-0.004, 0.001, "a loss"),
        (0.004, 0.01, "not distinguishable from zero"),
    ],
)
def test_money_is_made_only_when_the_whole_interval_is_above_zero(
    mean: float, error: float, verdict: str
) -> None:
    row = world.a_record("net_excess_return", 1, "top", "20", figure=(mean, error))

    text = ranking(row)

    assert f"made {100 * mean:+.2f} %" in text
    assert text.partition("): ")[2].startswith(verdict)


def test_costs_are_named_as_they_were_taken() -> None:
    before = world.a_record("excess_return", 1, "top", "10", figure=(0.004, 0.001))

    assert "The 10 best, before costs, made" in ranking(before)


@pytest.mark.parametrize(
    ("means", "words"),
    [((0.02, 0.01), "each better than the next"), ((0.01, 0.02), "not in the order")],
)
def test_classes_are_in_order_or_are_said_not_to_be(means: tuple[float, float], words: str) -> None:
    rows = [
        world.a_record("excess_return", 1, "strength", strength, figure=(mean, 0.001))
        for strength, mean in zip((Strength.BUY, Strength.HOLD), means, strict=True)
    ]

    assert words in ranking(*rows)


def test_a_short_live_record_is_called_short() -> None:
    short, long = (total(0.1, beats=True, source="live", days=days) for days in (29, 30))

    assert "says little" in ranking(short, BASELINE)
    assert "says little" not in ranking(long, BASELINE)
    assert "says little" not in ranking(total(0.1, beats=True, days=29), BASELINE)


def test_figures_without_a_value_are_left_out() -> None:
    empty = replace(total(0.1, beats=None), value=None, low=None, high=None, t_stat=None)

    assert ranking(empty) == "The ranking by total_score is not measured at this horizon."


def test_levels_that_beat_nothing_are_said_to() -> None:
    rows = [
        world.a_record("hold_minus_placebo", 7, "method", name, figure=(over, 0.01), beats=False)
        for name, over in (("swing:support", 0.001), ("swing:resistance", -0.02))
    ]

    text = levels_in_words(Figures.of(rows))

    assert "No method beats random lines by more than chance." in text
    assert "not held against placebos" in text


def test_levels_are_told_with_rate_placebos_methods_and_odds() -> None:
    text = levels_in_words(Figures.of(row for row in world.records() if row.subject == "levels"))

    assert "61.80 % held within 7 days" in text
    assert "+0.8 points against random lines beside them" in text
    assert (
        "Methods that beat random lines: round_number:support +1.9 points (of 4 looked at, " in text
    )
    assert "0.1 would by chance alone). Methods that do not: swing:support +0.1 points" in text
    assert "(Brier skill +0.021); it is off by 1.4 points." in text


@pytest.mark.parametrize(("skill", "error"), [(-0.01, 0.004), (0.007, 0.02)])
def test_an_estimate_is_better_than_the_mean_rate_only_by_more_than_chance(
    skill: float, error: float
) -> None:
    row = world.a_record("brier_skill", 7, "all", "all", figure=(skill, error))

    text = levels_in_words(Figures.of([row]))

    assert "hold_probability is not shown to be better than the mean rate alone" in text
