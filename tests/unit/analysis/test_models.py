"""Models by hand, against the library that fits them, and what is refused."""

import copy
import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from dantaro.analysis import models
from dantaro.analysis.features import NAMES, SCORED
from dantaro.analysis.model_files import Training
from dantaro.analysis.models import (
    EQUAL_WEIGHTS,
    Linear,
    RankingModel,
    Tree,
    Trees,
    parse_ranking,
)
from dantaro.analysis.panel import FloatArray
from dantaro.errors import ModelInvalid
from dantaro.market.results import Record

TRAINING = Training(("binance_spot_1d",), 1_600_000_000_000, 1_700_000_000_000, 12_345)
RECORD = Record(
    source="backtest",
    subject="recommendations",
    measure="rank_ic",
    horizon_days=1,
    data="binance_spot_1d",
    group="score",
    name="total",
    value=0.16,
    low=0.15,
    high=0.17,
    t_stat=21.5,
    n=10_000,
    days=300,
    from_ms=1,
    until_ms=2,
    beats_baselines=True,
    missing={"x": "why"},
)

# Three leaves: feature 0 <= 0.5 divides leaf 0 from leaves 1 and 2, feature 1 <= 0.25 those two.
FIRST = Tree(
    feature=(0, 1),
    threshold=(0.5, 0.25),
    begin=(0, 1),
    split=(1, 2),
    end=(3, 3),
    value=(0.2, 0.4, 0.8),
    cover=(50.0, 30.0, 20.0),
)
# Three leaves: feature 1 <= 0.75 divides leaves 0 and 1 from leaf 2, feature 0 <= 0.125 those two.
SECOND = Tree(
    feature=(1, 0),
    threshold=(0.75, 0.125),
    begin=(0, 0),
    split=(2, 1),
    end=(3, 2),
    value=(-0.1, 0.1, 0.3),
    cover=(10.0, 60.0, 30.0),
)
LEAF = Tree((), (), (), (), (), (0.5,), (7.0,))


def leaf_by_walking(tree: Tree, ranks: FloatArray) -> int:
    """The leaf in which a row ends, by asking one question after the other."""
    begin, end = 0, len(tree.value)
    splits = {
        (b, e): (f, t, s)
        for f, t, b, s, e in zip(
            tree.feature, tree.threshold, tree.begin, tree.split, tree.end, strict=True
        )
    }
    while end - begin > 1:
        feature, threshold, split = splits[begin, end]
        begin, end = (begin, split) if ranks[feature] <= threshold else (split, end)
    return begin


def random_tree(rng: np.random.Generator, leaves: int, features: int) -> Tree:
    splits: list[tuple[int, float, int, int, int]] = []

    def divide(begin: int, end: int) -> None:
        if end - begin > 1:
            split = int(rng.integers(begin + 1, end))
            threshold = round(float(rng.random()), 2)  # coarse, so that some are shared
            splits.append((int(rng.integers(features)), threshold, begin, split, end))
            divide(begin, split)
            divide(split, end)

    divide(0, leaves)
    feature, threshold, begin, split, end = (
        (tuple(part) for part in zip(*rng.permutation(splits).tolist(), strict=True))
        if splits
        else ((),) * 5
    )
    return Tree(
        feature=tuple(map(int, feature)),
        threshold=threshold,
        begin=tuple(map(int, begin)),
        split=tuple(map(int, split)),
        end=tuple(map(int, end)),
        value=tuple(rng.normal(0, 0.1, leaves).tolist()),
        cover=tuple(rng.integers(1, 1000, leaves).astype(float).tolist()),
    )


def random_trees(seed: int, *, trees: int = 40, features: int = 6) -> Trees:
    rng = np.random.default_rng(seed)
    return Trees(
        [
            random_tree(rng, int(rng.integers(1, models.MOST_LEAVES + 1)), features)
            for _ in range(trees)
        ],
        features=features,
    )


def random_ranks(seed: int, rows: int, features: int = 6) -> FloatArray:
    """Ranks of which many lie on a threshold."""
    ranks: FloatArray = np.random.default_rng(seed).random((rows, features)).round(2)
    return ranks


# Linear.


def test_a_linear_model_adds_weighted_ranks_to_its_base() -> None:
    model = Linear(0.5, np.array([0.6, -0.2]))
    ranks = np.array([[1.0, 0.0], [0.5, 0.5], [0.25, 0.75]])
    np.testing.assert_allclose(
        model.contributions(ranks), [[0.3, 0.1], [0.0, 0.0], [-0.15, -0.05]], rtol=1e-15
    )
    np.testing.assert_allclose(model.estimates(ranks), [0.9, 0.5, 0.3], rtol=1e-15)
    np.testing.assert_allclose(model.importance(), [0.75, 0.25], rtol=1e-15)


def test_equal_weights_are_the_mean_of_the_seven_ranks() -> None:
    ranks = {feature.name: np.array([place / 10, 0.5]) for place, feature in enumerate(SCORED)}
    estimates = EQUAL_WEIGHTS.form.estimates(EQUAL_WEIGHTS.matrix(ranks))
    assert estimates == pytest.approx([(0 + 1 + 2 + 3 + 4 + 5 + 6) / 70, 0.5])
    assert EQUAL_WEIGHTS.features == tuple(feature.name for feature in SCORED)
    assert (EQUAL_WEIGHTS.sha256, EQUAL_WEIGHTS.training, EQUAL_WEIGHTS.records) == ("", None, ())


# Trees.


@pytest.mark.parametrize(
    ("ranks", "leaves"),
    [
        ([0.1, 0.1], (0, 0)),
        ([0.5, 0.9], (0, 2)),  # on a threshold: left
        ([0.51, 0.25], (1, 1)),
        ([0.9, 0.26], (2, 1)),
        ([0.125, 0.75], (0, 0)),
        ([0.126, 0.75], (0, 1)),
        ([0.9, 0.76], (2, 2)),
    ],
)
def test_two_trees_by_hand(ranks: list[float], leaves: tuple[int, int]) -> None:
    both = Trees([FIRST, SECOND], features=2)
    expected = FIRST.value[leaves[0]] + SECOND.value[leaves[1]]
    assert both.estimates(np.array([ranks])) == pytest.approx([expected], rel=1e-15)
    assert [leaf_by_walking(tree, np.array(ranks)) for tree in (FIRST, SECOND)] == list(leaves)


def test_contributions_are_the_steps_of_the_expected_value() -> None:
    both = Trees([FIRST, SECOND], features=2)
    # first: 0.2 and 0.4 and 0.8 by 50, 30, 20: the base 0.38; right of its first split 28 / 50 = 0.56
    # second: -0.1 and 0.1 and 0.3 by 10, 60, 30: the base 0.14; left of its first split 5 / 70
    assert both.base == pytest.approx(0.38 + 0.14, rel=1e-15)
    (contributions,) = both.contributions(np.array([[0.9, 0.2]]))  # leaves 1 and 1
    by_feature_0 = (0.56 - 0.38) + (0.1 - 5 / 70)
    by_feature_1 = (0.4 - 0.56) + (5 / 70 - 0.14)
    assert contributions == pytest.approx([by_feature_0, by_feature_1], rel=1e-13)
    assert both.base + contributions.sum() == pytest.approx(0.4 + 0.1, rel=1e-15)


def test_the_importance_is_the_mean_size_of_contributions_as_shares() -> None:
    one = Trees([FIRST], features=3)
    # feature 0: 0.18 down for 50 of 100 rows, 0.18 up for 50; feature 1: 0.16 down for 30, 0.24 up for 20
    sizes = np.array([0.18, 0.3 * 0.16 + 0.2 * 0.24, 0.0])
    assert one.importance() == pytest.approx(sizes / sizes.sum(), rel=1e-13)


def test_a_tree_of_one_leaf_is_a_constant() -> None:
    one = Trees([LEAF], features=2)
    ranks = random_ranks(0, 3, 2)
    assert one.base == 0.5
    assert one.estimates(ranks).tolist() == [0.5] * 3
    assert one.contributions(ranks).tolist() == [[0.0, 0.0]] * 3
    assert one.importance().tolist() == [0.0, 0.0]
    assert Linear(0.5, np.zeros(2)).importance().tolist() == [0.0, 0.0]


def test_no_tree_at_all_expects_nothing() -> None:
    none = Trees([], features=2)
    assert none.estimates(random_ranks(0, 3, 2)).tolist() == [0.0] * 3
    assert none.importance().tolist() == [0.0, 0.0]


@pytest.mark.parametrize("seed", range(5))
def test_bit_vectors_end_where_walking_ends(seed: int) -> None:
    trees, ranks = random_trees(seed), random_ranks(seed, 200)
    walked = [sum(tree.value[leaf_by_walking(tree, row)] for tree in trees.trees) for row in ranks]
    np.testing.assert_allclose(trees.estimates(ranks), walked, rtol=0, atol=1e-13)


@pytest.mark.parametrize("seed", range(5))
def test_contributions_sum_to_what_the_estimate_adds_to_the_base(seed: int) -> None:
    trees, ranks = random_trees(seed), random_ranks(seed, 700)
    added = trees.contributions(ranks).sum(axis=1)
    np.testing.assert_allclose(added, trees.estimates(ranks) - trees.base, rtol=0, atol=1e-12)
    assert trees.importance().sum() == pytest.approx(1.0, rel=1e-14)


@pytest.mark.parametrize("form", [random_trees(1), Linear(0.5, np.linspace(-1, 1, 6))])
def test_neither_the_order_nor_the_number_of_rows_changes_a_bit(form: Trees | Linear) -> None:
    ranks = random_ranks(2, 513)  # one more than a block
    estimates, contributions = form.estimates(ranks), form.contributions(ranks)
    order = np.random.default_rng(3).permutation(513)
    np.testing.assert_array_equal(form.estimates(ranks[order]), estimates[order])
    np.testing.assert_array_equal(form.contributions(ranks[order]), contributions[order])
    for row in (0, 511, 512):
        assert form.estimates(ranks[row : row + 1])[0] == estimates[row]
        np.testing.assert_array_equal(
            form.contributions(ranks[row : row + 1])[0], contributions[row]
        )
    assert form.estimates(ranks[:0]).shape == (0,)
    assert form.contributions(ranks[:0]).shape == (0, 6)


@pytest.mark.parametrize(
    ("leaves", "objective"), [(4, "regression"), (32, "regression"), (8, "lambdarank")]
)
def test_estimates_are_those_of_the_library_that_fitted_the_trees(
    leaves: int, objective: str
) -> None:
    lightgbm = pytest.importorskip("lightgbm")
    engines = pytest.importorskip("dantaro.research.engines")
    rng = np.random.default_rng(4)
    days, markets = 100, 30
    ranks = (rng.permuted(np.tile(np.arange(markets), (days * 6, 1)), axis=1) + 0.5) / markets
    ranks = ranks.reshape(days, 6, markets).transpose(0, 2, 1).reshape(-1, 6)
    outcome = ranks[:, 0] * ranks[:, 1] - 0.5 * ranks[:, 2] + rng.normal(0, 0.2, len(ranks))
    label = outcome if objective == "regression" else np.digitize(outcome, [0.0, 0.2, 0.4])
    booster = lightgbm.train(
        {
            "objective": objective,
            "num_leaves": leaves,
            "num_threads": 1,
            "deterministic": True,
            "verbosity": -1,
            "min_data_in_leaf": 20,
        },
        lightgbm.Dataset(ranks, label, group=[markets] * days),
        num_boost_round=20,
    )
    trees = engines.trees_of(booster, features=6)
    # also ranks that were never seen, and those of the thresholds themselves
    thresholds = np.array([t for tree in trees.trees for t in tree.threshold])
    for rows in (ranks, rng.random((500, 6)), rng.choice(thresholds, (500, 6))):
        np.testing.assert_allclose(trees.estimates(rows), booster.predict(rows), rtol=0, atol=1e-12)


def whole_tree() -> dict[str, list[Any]]:
    form: Any = Trees([FIRST], features=2).to_json()
    tree: dict[str, list[Any]] = form["trees"][0]
    return copy.deepcopy(tree)


def tree_with(**parts: tuple[Any, ...]) -> Tree:
    return replace(FIRST, **parts)


@pytest.mark.parametrize(
    ("tree", "why"),
    [
        (tree_with(value=(), cover=()), "a tree of 0 leaves"),
        (tree_with(value=(0.0, 0.1), cover=(1.0, 1.0)), "2 leaves with .2. splits"),
        (tree_with(cover=(1.0, 1.0)), "a tree of 3 leaves"),
        (tree_with(feature=(0,)), "3 leaves with .1, 2. splits"),
        (tree_with(threshold=(0.5,)), "3 leaves with"),
        (tree_with(begin=(0,)), "3 leaves with"),
        (tree_with(split=(1,)), "3 leaves with"),
        (tree_with(end=(3,)), "3 leaves with"),
        (
            Tree(
                (0,) * 32,
                (0.5,) * 32,
                tuple(range(32)),
                tuple(range(1, 33)),
                (33,) * 32,
                (0.0,) * 33,
                (1.0,) * 33,
            ),
            "a tree of 33 leaves",
        ),
        (tree_with(feature=(0, 2)), "a feature that the model does not have"),
        (tree_with(feature=(-1, 0)), "a feature that the model does not have"),
        (tree_with(cover=(0.0, 1.0, 1.0)), "a leaf without training rows"),
        (tree_with(cover=(-5.0, 1.0, 1.0)), "a leaf without training rows"),
        (tree_with(value=(0.0, float("nan"), 1.0)), "not finite"),
        (tree_with(threshold=(float("inf"), 0.5)), "not finite"),
        (tree_with(cover=(float("nan"), 1.0, 1.0)), "not finite"),
        (tree_with(begin=(0, 0)), "the leaves 0 to 3 are not a branch"),  # the root twice
        (tree_with(split=(1, 1)), "the leaves 1 to 3 are not a branch"),  # divides nothing
        (tree_with(split=(1, 3)), "the leaves 1 to 3 are not a branch"),
        (tree_with(begin=(1, 1)), "the leaves 1 to 3 are not a branch"),  # no root
        (tree_with(begin=(0, 2), split=(1, 3), end=(3, 4)), "are not a branch"),
    ],
)
def test_what_is_no_tree_is_refused(tree: Tree, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Trees([FIRST, tree], features=2)


def test_the_largest_tree_uses_every_bit() -> None:
    leaves = models.MOST_LEAVES
    chain = Tree(
        feature=(0,) * (leaves - 1),
        threshold=tuple((at + 1) / leaves for at in range(leaves - 1)),
        begin=tuple(range(leaves - 1)),
        split=tuple(range(1, leaves)),
        end=(leaves,) * (leaves - 1),
        value=tuple(float(at) for at in range(leaves)),
        cover=(1.0,) * leaves,
    )
    ranks = (np.arange(leaves)[:, None] + 0.5) / leaves
    assert Trees([chain], features=1).estimates(ranks).tolist() == list(chain.value)


# Missing ranks.


def test_a_missing_rank_counts_as_the_middle_one() -> None:
    model = RankingModel("two", ("max_7d", "range_7d"), Linear(0.5, np.array([1.0, 2.0])))
    ranks = {
        "range_7d": np.array([0.9, np.nan]),
        "reversal_1d": np.array([0.0, 0.0]),
        "max_7d": np.array([np.nan, 0.25]),
    }
    assert model.matrix(ranks).tolist() == [[0.5, 0.9], [0.25, 0.5]]
    assert model.form.estimates(model.matrix(ranks)) == pytest.approx([1.3, 0.25])


# Files.


def a_model(form: Linear | Trees | None = None) -> RankingModel:
    return RankingModel("tried", NAMES[:6], form or random_trees(8))


@pytest.mark.parametrize(
    "form", [random_trees(8), Linear(0.1, np.random.default_rng(1).normal(size=6))]
)
def test_a_file_reads_back_to_the_last_bit(form: Linear | Trees) -> None:
    body = a_model(form).to_file(
        TRAINING, [RECORD, replace(RECORD, value=None, low=None, high=None)]
    )
    read = parse_ranking(body)
    assert (read.name, read.features, read.training) == ("tried", NAMES[:6], TRAINING)
    assert read.records == (RECORD, replace(RECORD, value=None, low=None, high=None))
    assert len(read.sha256) == 64
    ranks = random_ranks(9, 600)
    np.testing.assert_array_equal(read.form.estimates(ranks), form.estimates(ranks))
    np.testing.assert_array_equal(read.form.contributions(ranks), form.contributions(ranks))
    assert read.form.base == form.base
    assert read.to_file(TRAINING, read.records) == body


def rewritten(change: Callable[[dict[str, Any]], None]) -> bytes:
    """A file with `change` made and a hash that fits."""
    content = json.loads(a_model().to_file(TRAINING, [RECORD]))
    change(content)
    written = {name: value for name, value in content.items() if name != "sha256"}
    plain = json.dumps(written, sort_keys=True, separators=(",", ":"))
    return json.dumps({**written, "sha256": hashlib.sha256(plain.encode()).hexdigest()}).encode()


def test_an_unknown_feature_is_refused_by_name_with_the_remedy() -> None:
    def rename(content: dict[str, Any]) -> None:
        content["features"][2] = "moon_phase"

    with pytest.raises(ModelInvalid, match=r"'tried'.*moon_phase.*dantaro fit"):
        parse_ranking(rewritten(rename))


@pytest.mark.parametrize(
    ("form", "why"),
    [
        ({"type": "oracle"}, "unknown form 'oracle'"),
        ({}, "type"),
        ([], "cannot be read"),
        ({"type": "linear", "base": 0.5, "weights": [1.0]}, "1 weights for 6 features"),
        ({"type": "linear", "weights": [1.0] * 6}, "base"),
        ({"type": "linear", "base": None, "weights": [1.0] * 6}, "cannot be read"),
        ({"type": "linear", "base": 0.5, "weights": [None] * 6}, "not finite"),
        ({"type": "linear", "base": "inf", "weights": [1.0] * 6}, "not finite"),
        ({"type": "trees"}, "trees"),
        ({"type": "trees", "trees": [{}]}, "feature"),
        ({"type": "trees", "trees": [{**whole_tree(), "feature": [0, 6]}]}, "does not have"),
        ({"type": "trees", "trees": [{**whole_tree(), "value": ["a", 1, 2]}]}, "cannot be read"),
        ({"type": "trees", "trees": [{**whole_tree(), "begin": [0, 0]}]}, "not a branch"),
    ],
)
def test_a_form_that_is_not_understood_is_refused(form: object, why: str) -> None:
    def put(content: dict[str, Any]) -> None:
        content["form"] = form

    with pytest.raises(ModelInvalid, match=f"'tried'.*{why}"):
        parse_ranking(rewritten(put))


def test_a_file_without_its_form_is_refused() -> None:
    with pytest.raises(ModelInvalid, match=r"'tried' cannot be read.*form"):
        parse_ranking(rewritten(lambda content: content.pop("form")))
