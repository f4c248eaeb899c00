"""The model behind the total score: from the ranks of a market's features to what it is expected to do.

A model's *estimate* is the mean rank, in (0, 1), that a market's forward return is expected to have in
its ranked set; the total score is the rank of the estimate itself. An estimate is a base value plus one
contribution of each feature, so that every total can be traced.

Two forms:

* *linear*: base + sum of weight * (rank - 0.5). Seven equal weights are the default: nothing fitted.
* *trees*: a sum of regression trees on the ranks. Evaluated with a bit vector of reachable leaves per
  tree (QuickScorer: Lucchese et al., SIGIR 2015): each feature's value removes the leaves that its false
  conditions cut off, and the first leaf left over is the exit. A feature's contribution is the sum of the
  steps that the expected value takes at its splits on the way to the leaf (Saabas 2014).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from dantaro.analysis.features import NAMES, SCORED
from dantaro.analysis.model_files import ModelFile, Training, read_model, write_model
from dantaro.analysis.panel import FloatArray, IntArray
from dantaro.errors import ModelInvalid
from dantaro.market.results import Record

KIND = "ranking"
MOST_LEAVES = 32
NEUTRAL = 0.5
_BLOCK = 512

_T = TypeVar("_T")


class Form(Protocol):
    """How a model gets from ranks float64[n, F] to estimates."""

    @property
    def base(self) -> float:
        """The estimate before any feature is known."""

    def contributions(self, ranks: FloatArray) -> FloatArray:
        """float64[n, F]: what each feature adds to `base`."""

    def estimates(self, ranks: FloatArray) -> FloatArray:
        """float64[n]: base plus contributions."""

    def importance(self) -> FloatArray:
        """float64[F]: each feature's share in what the model says; they sum to one, or are all zero in a
        model that expects the same of every market.
        """

    def to_json(self) -> Mapping[str, object]: ...


@dataclass(frozen=True, slots=True, eq=False)
class Linear:
    """`base` + sum of `weights` * (rank - 0.5); `weights` float64[F]."""

    base: float
    weights: FloatArray

    def contributions(self, ranks: FloatArray) -> FloatArray:
        found: FloatArray = (ranks - 0.5) * self.weights
        return found

    def estimates(self, ranks: FloatArray) -> FloatArray:
        found: FloatArray = self.base + self.contributions(ranks).sum(axis=1)
        return found

    def importance(self) -> FloatArray:
        return _shares(np.abs(self.weights))

    def to_json(self) -> Mapping[str, object]:
        return {"type": "linear", "base": self.base, "weights": self.weights.tolist()}


@dataclass(frozen=True, slots=True)
class Tree:
    """One tree. Its leaves are numbered from left to right; `value` is what each adds to the estimate and
    `cover` its share of the training rows. Split i asks `rank[feature[i]] <= threshold[i]` and divides the
    leaves `begin[i]` to `end[i]` (half open) at `split[i]`: yes leads left.
    """

    feature: tuple[int, ...]
    threshold: tuple[float, ...]
    begin: tuple[int, ...]
    split: tuple[int, ...]
    end: tuple[int, ...]
    value: tuple[float, ...]
    cover: tuple[float, ...]


class Trees:
    """A sum of trees over F features."""

    def __init__(self, trees: Sequence[Tree], *, features: int) -> None:
        self.trees = tuple(trees)
        for tree in self.trees:
            _check(tree, features)
        self._leaves = max((len(tree.value) for tree in self.trees), default=1)
        self._value = np.zeros((len(self.trees), self._leaves))
        self._steps = np.zeros((len(self.trees), self._leaves, features))
        for at, tree in enumerate(self.trees):
            self._value[at, : len(tree.value)] = tree.value
            self._steps[at, : len(tree.value)] = _steps(tree, features)
        self.base = float(sum(_expected(tree, 0, len(tree.value)) for tree in self.trees))
        self._tables = [_table(self.trees, feature) for feature in range(features)]

    def estimates(self, ranks: FloatArray) -> FloatArray:
        found = np.empty(len(ranks))
        every = np.arange(len(self.trees))
        for begin in range(0, len(ranks), _BLOCK):
            part = slice(begin, begin + _BLOCK)
            found[part] = self._value[every, self._exits(ranks[part])].sum(axis=1)
        return found

    def contributions(self, ranks: FloatArray) -> FloatArray:
        found = np.zeros(ranks.shape)
        for begin in range(0, len(ranks), _BLOCK):
            part = slice(begin, begin + _BLOCK)
            for steps, exits in zip(self._steps, self._exits(ranks[part]).T, strict=True):
                found[part] += steps[exits]
        return found

    def importance(self) -> FloatArray:
        """The mean absolute contribution over the training rows, as shares."""
        size = np.zeros(self._steps.shape[2])
        for tree, steps in zip(self.trees, self._steps, strict=True):
            cover = np.array(tree.cover)
            size += cover @ np.abs(steps[: cover.size]) / cover.sum()
        return _shares(size)

    def to_json(self) -> Mapping[str, object]:
        names = ("feature", "threshold", "begin", "split", "end", "value", "cover")
        return {
            "type": "trees",
            "trees": [{name: list(getattr(tree, name)) for name in names} for tree in self.trees],
        }

    def _exits(self, ranks: FloatArray) -> IntArray:
        """int64[n, T]: the leaf of each tree in which each row ends."""
        left = np.full((len(ranks), len(self.trees)), np.uint32(0xFFFFFFFF))
        for feature, (thresholds, masks) in enumerate(self._tables):
            if thresholds.size:
                left &= masks[np.searchsorted(thresholds, ranks[:, feature], side="left")]
        lowest = left & (~left + np.uint32(1))
        exits: IntArray = np.bitwise_count(lowest - np.uint32(1)).astype(np.int64)
        return exits


@dataclass(frozen=True, slots=True, eq=False)
class RankingModel:
    """A form with its features and where it comes from; `sha256` is that of its file, "" for none."""

    name: str
    features: tuple[str, ...]
    form: Form
    training: Training | None = None
    records: tuple[Record, ...] = ()
    sha256: str = ""

    def matrix(self, ranks: Mapping[str, FloatArray]) -> FloatArray:
        """float64[n, F]: the ranks of the model's features; a rank that is missing is the middle one."""
        columns = np.stack([ranks[name] for name in self.features], axis=1)
        return np.where(np.isnan(columns), NEUTRAL, columns)

    def to_file(self, training: Training, records: Sequence[Record]) -> bytes:
        return write_model(
            KIND,
            self.name,
            features=self.features,
            training=training,
            records=records,
            parts={"form": self.form.to_json()},
        )


EQUAL_WEIGHTS = RankingModel(
    name="equal weights",
    features=tuple(feature.name for feature in SCORED),
    form=Linear(0.5, np.full(len(SCORED), 1.0 / len(SCORED))),
)
"""The mean of the ranks behind the four scores: what is used while nothing is fitted."""


def parse_ranking(body: bytes) -> RankingModel:
    """The ranking model in a file.

    Raises:
        ModelInvalid: the file is not whole, or asks for a feature that `features` does not have.
    """
    found = read_model(body, kind=KIND)
    unknown = [name for name in found.features if name not in NAMES]
    if unknown:
        raise ModelInvalid(
            f"the ranking model {found.name!r} was fitted on features that this version does not have: "
            f"{', '.join(unknown)}; fit a new one with `dantaro fit`"
        )
    try:
        form = _form(found)
    except (KeyError, TypeError, ValueError) as error:
        raise ModelInvalid(f"the ranking model {found.name!r} cannot be read: {error!r}") from error
    return RankingModel(
        found.name, found.features, form, found.training, found.records, found.sha256
    )


def _form(found: ModelFile) -> Form:
    content: Mapping[str, Any] = found.content["form"]
    if content["type"] == "linear":
        weights = np.array(content["weights"], dtype=np.float64)
        if weights.shape != (len(found.features),):
            raise ValueError(f"{weights.size} weights for {len(found.features)} features")
        base = float(content["base"])
        if not np.isfinite([base, *weights]).all():
            raise ValueError("a weight that is not finite")
        return Linear(base, weights)
    if content["type"] != "trees":
        raise ValueError(f"unknown form {content['type']!r}")
    trees = [
        Tree(
            feature=_all(int, tree["feature"]),
            threshold=_all(float, tree["threshold"]),
            begin=_all(int, tree["begin"]),
            split=_all(int, tree["split"]),
            end=_all(int, tree["end"]),
            value=_all(float, tree["value"]),
            cover=_all(float, tree["cover"]),
        )
        for tree in content["trees"]
    ]
    return Trees(trees, features=len(found.features))


def _all(kind: Callable[[Any], _T], values: Sequence[Any]) -> tuple[_T, ...]:
    return tuple(kind(value) for value in values)


def _check(tree: Tree, features: int) -> None:
    """Refuse what is no tree, so that no row can end nowhere."""
    leaves = len(tree.value)
    lengths = {
        len(part) for part in (tree.feature, tree.threshold, tree.begin, tree.split, tree.end)
    }
    if not 1 <= leaves <= MOST_LEAVES or lengths != {leaves - 1} or len(tree.cover) != leaves:
        raise ValueError(f"a tree of {leaves} leaves with {sorted(lengths)} splits")
    if any(not 0 <= feature < features for feature in tree.feature):
        raise ValueError("a split on a feature that the model does not have")
    if not np.isfinite([*tree.threshold, *tree.value, *tree.cover]).all():
        raise ValueError("a number in a tree that is not finite")
    if min(tree.cover) <= 0:
        raise ValueError("a leaf without training rows")
    spans = {(0, leaves)}
    for begin, split, end in sorted(
        zip(tree.begin, tree.split, tree.end, strict=True), key=lambda span: span[0] - span[2]
    ):
        if (begin, end) not in spans or not begin < split < end:
            raise ValueError(f"the leaves {begin} to {end} are not a branch")
        spans -= {(begin, end)}  # once divided, it is no longer a leaf to divide
        spans |= {(begin, split), (split, end)}


def _shares(sizes: FloatArray) -> FloatArray:
    total = float(sizes.sum())
    return sizes / total if total > 0 else np.zeros(sizes.shape)


def _expected(tree: Tree, begin: int, end: int) -> float:
    cover = np.array(tree.cover[begin:end])
    return float(cover @ np.array(tree.value[begin:end]) / cover.sum())


def _steps(tree: Tree, features: int) -> FloatArray:
    """float64[leaves, F]: what each feature's splits add on the way to each leaf."""
    steps = np.zeros((len(tree.value), features))
    for feature, begin, split, end in zip(
        tree.feature, tree.begin, tree.split, tree.end, strict=True
    ):
        here = _expected(tree, begin, end)
        steps[begin:split, feature] += _expected(tree, begin, split) - here
        steps[split:end, feature] += _expected(tree, split, end) - here
    return steps


def _table(trees: Sequence[Tree], feature: int) -> tuple[FloatArray, npt.NDArray[np.uint32]]:
    """The feature's thresholds [K], ascending, and for 0 to K of them exceeded the leaves left over in
    each tree, uint32[K + 1, T].
    """
    splits = sorted(
        (threshold, at, begin, split)
        for at, tree in enumerate(trees)
        for name, threshold, begin, split in zip(
            tree.feature, tree.threshold, tree.begin, tree.split, strict=True
        )
        if name == feature
    )
    thresholds = np.unique([threshold for threshold, *_ in splits])
    masks = np.full((thresholds.size + 1, len(trees)), np.uint32(0xFFFFFFFF))
    for threshold, at, begin, split in splits:
        exceeded = int(np.searchsorted(thresholds, threshold)) + 1
        cut_off = ((1 << split) - 1) ^ ((1 << begin) - 1)
        masks[exceeded:, at] &= np.uint32(0xFFFFFFFF ^ cut_off)
    return thresholds, masks
