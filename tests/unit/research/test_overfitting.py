"""Corrections for many trials: the papers' own numbers, splits done by hand, noise and a true signal."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests

from dantaro.analysis.panel import FloatArray
from dantaro.errors import NotMeasurable
from dantaro.research.overfitting import (
    backtest_overfitting,
    benjamini_hochberg,
    deflated_sharpe,
    expected_maximum_sharpe,
    holm,
    independent_trials,
    probabilistic_sharpe,
)


def noise(days: int, trials: int, *, seed: int) -> FloatArray:
    return np.random.default_rng(seed).normal(0, 0.02, size=(days, trials))


def with_one_signal(days: int, trials: int, *, seed: int) -> FloatArray:
    """Trial 3 earns a fifth of its deviation every day; the others nothing."""
    performance = noise(days, trials, seed=seed)
    performance[:, 3] += 0.004
    return performance


# ---------------------------------------------------------------------------- deflated Sharpe


def test_the_example_of_the_paper_on_the_deflated_sharpe_ratio_comes_out() -> None:
    """Bailey and Lopez de Prado 2014: the best of 100 trials has an annual ratio of 2.5 over five years
    of 250 days, skewness -3, kurtosis 10; the ratios of the trials have an annual variance of 1/2.
    """
    luck = expected_maximum_sharpe(variance=0.5 / 250, trials=100)
    assert luck == pytest.approx(0.1132, abs=5e-5)
    ratio = 2.5 / 250**0.5
    deflated = probabilistic_sharpe(ratio, benchmark=luck, days=1250, skewness=-3, kurtosis=10)
    assert deflated == pytest.approx(0.9004, abs=5e-5)


@pytest.mark.parametrize(("trials", "skewness", "kurtosis"), [(46, -3, 10), (88, 0, 3)])
def test_fewer_trials_or_normal_returns_leave_the_example_significant(
    trials: int, skewness: float, kurtosis: float
) -> None:
    """The same paper: 46 trials, or 88 with normal returns, and the probability is 0.9505."""
    deflated = probabilistic_sharpe(
        2.5 / 250**0.5,
        benchmark=expected_maximum_sharpe(variance=0.5 / 250, trials=trials),
        days=1250,
        skewness=skewness,
        kurtosis=kurtosis,
    )
    assert deflated == pytest.approx(0.9505, abs=1e-4)


def test_the_probability_is_one_half_at_the_benchmark() -> None:
    assert probabilistic_sharpe(0.1, benchmark=0.1, days=50) == 0.5
    # (0.2 - 0.1) * sqrt(100) / sqrt(1 + 0.04 / 2) = 0.99015
    expected = stats.norm.cdf(1 / 1.02**0.5)
    assert probabilistic_sharpe(0.2, benchmark=0.1, days=101) == pytest.approx(expected)


def test_the_expected_maximum_is_what_the_best_of_so_many_reaches() -> None:
    drawn = np.random.default_rng(1).normal(0, 0.1, size=(20_000, 50)).max(axis=1).mean()
    assert expected_maximum_sharpe(variance=0.01, trials=50) == pytest.approx(drawn, rel=0.02)
    assert expected_maximum_sharpe(variance=0.01, trials=1) == 0.0


def test_trials_that_repeat_each_other_count_once() -> None:
    once = noise(500, 1, seed=1)
    assert independent_trials(np.repeat(once, 8, axis=1)) == pytest.approx(1.0)
    assert independent_trials(noise(4000, 8, seed=2)) == pytest.approx(8, rel=0.02)
    # two pairs of equals: mean correlation of the six pairs 2 / 6: 1/3 + 2/3 * 4 = 3
    pairs = np.array([[1.0, 1, 1, 1], [1, 1, -1, -1], [-1, -1, 1, 1], [-1, -1, -1, -1]])
    assert independent_trials(pairs) == pytest.approx(3.0)
    assert independent_trials(np.ones((5, 3))) == 1.0


def test_the_ratio_of_the_chosen_trial_is_deflated_by_all_of_them() -> None:
    performance = noise(400, 20, seed=3)
    ratios = performance.mean(axis=0) / performance.std(axis=0)
    result = deflated_sharpe(performance, chosen=7)
    assert result.sharpe == pytest.approx(ratios[7])
    assert result.trials == independent_trials(performance)
    assert result.luck == expected_maximum_sharpe(
        variance=float(ratios.var(ddof=1)), trials=result.trials
    )
    assert result.days == 400
    alone = deflated_sharpe(performance[:, [7]], chosen=0)
    assert (alone.luck, alone.trials) == (0.0, 1.0)
    assert alone.probability > result.probability


def test_the_best_of_many_worthless_trials_is_rarely_taken_for_skill() -> None:
    deflated, plain = [], []
    for seed in range(60):
        performance = noise(500, 40, seed=seed)
        best = int(np.argmax(performance.mean(axis=0) / performance.std(axis=0)))
        deflated.append(deflated_sharpe(performance, chosen=best).probability > 0.95)
        plain.append(deflated_sharpe(performance[:, [best]], chosen=0).probability > 0.95)
    assert np.mean(deflated) <= 0.05
    assert np.mean(plain) > 0.7  # the control: forgetting the other 39 trials


def test_one_true_signal_among_them_is_taken_for_skill() -> None:
    assert deflated_sharpe(with_one_signal(800, 40, seed=5), chosen=3).probability > 0.95


# ---------------------------------------------------------------------------- overfitting


def test_the_splits_of_four_blocks_are_those_done_by_hand() -> None:
    performance = noise(18, 5, seed=1)  # four blocks of four days; the two oldest days are left out
    blocks = np.split(performance[2:], 4)
    logits, shown, kept = [], [], []
    for half in combinations(range(4), 2):
        inside = np.vstack([blocks[at] for at in half])
        outside = np.vstack([blocks[at] for at in range(4) if at not in half])
        in_sample, out_of_sample = (
            part.mean(axis=0) / part.std(axis=0) for part in (inside, outside)
        )
        best = np.argmax(in_sample)
        rank = stats.rankdata(out_of_sample)[best]
        shown.append(in_sample[best])
        kept.append(out_of_sample[best])
        logits.append(np.log((rank / 6) / (1 - rank / 6)))
    result = backtest_overfitting(performance, blocks=4)
    assert result.splits == 6
    np.testing.assert_allclose(result.logits, logits, rtol=1e-9)
    assert result.probability == np.mean(np.array(logits) <= 0)
    assert result.probability_of_loss == np.mean(np.array(kept) < 0)
    assert result.shown == pytest.approx(np.mean(shown))
    assert result.kept == pytest.approx(np.mean(kept))


def test_the_best_of_worthless_trials_is_anybody_afterwards() -> None:
    found = [
        backtest_overfitting(noise(320, 20, seed=seed), blocks=8).probability for seed in range(60)
    ]
    assert np.mean(found) == pytest.approx(0.5, abs=0.06)


def test_a_true_signal_stays_the_best_afterwards() -> None:
    result = backtest_overfitting(with_one_signal(800, 20, seed=2), blocks=10)
    assert result.probability < 0.05
    assert result.probability_of_loss < 0.05


def test_a_trial_that_lives_on_one_stretch_of_luck_disappoints() -> None:
    """Each trial earns in its own block what it loses in all others: the better, the worse."""
    performance = noise(160, 8, seed=4) / 10 - 0.01
    for trial in range(8):
        performance[trial * 20 : trial * 20 + 20, trial] += 0.05
    result = backtest_overfitting(performance, blocks=8)
    assert result.probability > 0.9
    assert result.probability_of_loss > 0.9
    assert result.kept < 0 < result.shown


def test_trials_that_are_all_alike_share_the_middle_rank() -> None:
    result = backtest_overfitting(np.repeat(noise(40, 1, seed=1), 3, axis=1), blocks=4)
    np.testing.assert_allclose(result.logits, 0.0, atol=1e-12)
    assert result.probability == 1.0  # no better than the median


def test_a_small_gain_on_a_large_mean_is_still_told_apart() -> None:
    performance = with_one_signal(400, 6, seed=3)
    np.testing.assert_allclose(
        backtest_overfitting(performance, blocks=8).logits,
        backtest_overfitting(performance[:, ::-1], blocks=8).logits,
    )


# ---------------------------------------------------------------------------- many tests


def test_the_corrections_are_those_of_the_papers_arithmetic() -> None:
    p_values = np.array([0.01, 0.04, 0.03, 0.20])
    # BH: 0.01 * 4, 0.03 * 4 / 2 and 0.04 * 4 / 3 (so 0.0533 for both), 0.2
    found = benjamini_hochberg(p_values)
    np.testing.assert_allclose(found.adjusted, [0.04, 0.16 / 3, 0.16 / 3, 0.2])
    np.testing.assert_array_equal(found.rejected, [True, False, False, False])
    # Holm: 0.01 * 4, 0.03 * 3, 0.04 * 2 (not below 0.09), 0.2
    strict = holm(p_values, level=0.1)
    np.testing.assert_allclose(strict.adjusted, [0.04, 0.09, 0.09, 0.2])
    np.testing.assert_array_equal(strict.rejected, [True, True, True, False])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_corrections_never_make_a_result_look_better(values: list[float]) -> None:
    p_values = np.array(values)
    discovery, family = benjamini_hochberg(p_values), holm(p_values)
    assert (discovery.adjusted >= p_values - 1e-12).all()
    assert (family.adjusted >= discovery.adjusted - 1e-12).all()
    assert not (family.rejected & ~discovery.rejected).any()


def test_the_corrections_are_those_of_statsmodels() -> None:
    p_values = np.random.default_rng(1).random(30) ** 4
    for ours, method in ((holm(p_values), "holm"), (benjamini_hochberg(p_values), "fdr_bh")):
        rejected, adjusted, _, _ = multipletests(p_values, alpha=0.05, method=method)
        np.testing.assert_array_equal(ours.rejected, rejected)
        np.testing.assert_allclose(ours.adjusted, adjusted)
        assert 0 < rejected.sum() < 30


def test_no_test_needs_no_correction() -> None:
    for correction in (holm, benjamini_hochberg):
        assert len(correction(np.array([])).adjusted) == 0


def test_what_has_no_answer_is_refused_by_name() -> None:
    performance = noise(20, 3, seed=1)
    with pytest.raises(NotMeasurable, match="even number"):
        backtest_overfitting(performance, blocks=5)
    with pytest.raises(NotMeasurable, match="two days"):
        backtest_overfitting(performance, blocks=16)
    with pytest.raises(NotMeasurable, match=r"2 trial\(s\)"):
        backtest_overfitting(performance[:, :1], blocks=4)
    with pytest.raises(NotMeasurable, match="trial 3 of 3"):
        deflated_sharpe(performance, chosen=3)
    with pytest.raises(NotMeasurable, match="same return every day"):
        deflated_sharpe(np.ones((5, 2)), chosen=0)
    with pytest.raises(NotMeasurable, match="a gap"):
        deflated_sharpe(np.array([[0.1], [np.nan]]), chosen=0)
    with pytest.raises(NotMeasurable, match="0 trials"):
        expected_maximum_sharpe(variance=1.0, trials=0)
    with pytest.raises(NotMeasurable, match="no standard error"):
        probabilistic_sharpe(0.1, benchmark=0.0, days=1)
    with pytest.raises(NotMeasurable, match="p-value"):
        holm(np.array([0.1, np.nan]))
