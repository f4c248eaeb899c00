"""What levels have proven to be worth, and how likely one is to hold: a fitted model as plain numbers.

**Worth.** For each side and each place (`level_candidates.PLACES`): by how much more often than other
lines of the same market, moment and side a zone with such a line in it held, as a fraction. A place has a
worth only if it was significant after allowing for all that were tried; a zone's worth is their sum.

**Hold probability**, of a level that price enters within its life: a logistic regression on
`level_features.FEATURES`, then a monotone map (isotonic regression: Zadrozny and Elkan, Transforming
classifier scores into accurate multiclass probability estimates, 2002) fitted on later candles than the
regression, as knots between which it is linear.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dantaro.analysis.level_candidates import PLACES
from dantaro.analysis.level_features import FEATURES
from dantaro.analysis.model_files import ModelFile, Training, read_model, write_model
from dantaro.analysis.panel import BoolArray, FloatArray, IntArray
from dantaro.analysis.zones import place_flags
from dantaro.errors import ModelInvalid
from dantaro.market.results import Record

KIND = "levels"


@dataclass(frozen=True, slots=True, eq=False)
class LevelModel:
    """A fitted model; equal when its file is.

    Attributes:
        worth: float64[2, places], below the price (supports) and above it (resistances).
        intercept, coefficients: of the regression, float64[features] on the log-odds scale.
        stated, observed: float64[K], the knots of the monotone map, both ascending within [0, 1].
        records: what was measured of it on candles that were not used to fit it.
    """

    worth: FloatArray
    intercept: float
    coefficients: FloatArray
    stated: FloatArray
    observed: FloatArray
    name: str = "levels"
    training: Training = field(default_factory=lambda: Training((), 0, 0, 0))
    records: tuple[Record, ...] = ()
    sha256: str = ""

    @staticmethod
    def parse(body: bytes) -> "LevelModel":
        """The model in a file's bytes.

        Raises:
            ModelInvalid: it is torn, altered, of another schema or kind, or made for other features or
                places than these; the message says which.
        """
        return _of_file(read_model(body, kind=KIND))

    def to_bytes(self, *, tried: Sequence[Mapping[str, object]] = ()) -> bytes:
        """The model as a file, with a fresh hash; `tried` is the ledger of every place on every side."""
        return write_model(
            KIND,
            self.name,
            features=FEATURES,
            training=self.training,
            records=self.records,
            parts={
                "places": list(PLACES),
                "tried": [dict(row) for row in tried],
                "form": {
                    "worth": {
                        "support": self.worth[0].tolist(),
                        "resistance": self.worth[1].tolist(),
                    },
                    "intercept": self.intercept,
                    "coefficients": self.coefficients.tolist(),
                    "stated": self.stated.tolist(),
                    "observed": self.observed.tolist(),
                },
            },
        )

    def zone_worth(self, places: IntArray, above: BoolArray) -> FloatArray:
        """float64[Z]: the worth of zones with the bits `places`, which lie `above` the price or below."""
        flags = place_flags(places)
        worth: FloatArray = np.where(above, flags @ self.worth[1], flags @ self.worth[0])
        return worth

    def raw_probability(self, features: FloatArray) -> FloatArray:
        """float64[Z] before the monotone map, from features float64[Z, features]."""
        odds = np.clip(self.intercept + features @ self.coefficients, -30.0, 30.0)
        probability: FloatArray = 1.0 / (1.0 + np.exp(-odds))
        return probability

    def hold_probability(self, features: FloatArray) -> FloatArray:
        """float64[Z] in [0, 1]: the chance that a zone holds if price enters it."""
        return np.interp(self.raw_probability(features), self.stated, self.observed)


def _of_file(file: ModelFile) -> LevelModel:
    for what, found, needed in (
        ("features", file.features, FEATURES),
        ("places", tuple(file.content.get("places", ())), PLACES),
    ):
        if found != needed:
            raise ModelInvalid(
                f"the levels model was fitted for other {what} ({', '.join(map(str, found))}); this "
                f"version has {', '.join(needed)}: fit it again with `dantaro fit`, or leave the setting "
                "empty for the model that is shipped"
            )
    try:
        form = file.content["form"]
        sides = [form["worth"][side] for side in ("support", "resistance")]
        model = LevelModel(
            worth=np.array([_numbers(side, len(PLACES)) for side in sides]),
            intercept=float(form["intercept"]),
            coefficients=_numbers(form["coefficients"], len(FEATURES)),
            stated=_numbers(form["stated"], len(form["observed"])),
            observed=_numbers(form["observed"], len(form["stated"])),
            name=file.name,
            training=file.training,
            records=file.records,
            sha256=file.sha256,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ModelInvalid(f"the levels model cannot be read: {error!r}") from error
    _check_knots(model)
    return model


def _check_knots(model: LevelModel) -> None:
    ascending = (np.diff(model.stated) > 0).all() and (np.diff(model.observed) >= 0).all()
    within = all(((knots >= 0) & (knots <= 1)).all() for knots in (model.stated, model.observed))
    if not (model.stated.size and ascending and within):
        raise ModelInvalid(
            "the levels model's calibration does not ascend within 0..1: fit it again with `dantaro fit`"
        )


def _numbers(values: Sequence[Any], count: int) -> FloatArray:
    numbers = np.array(values, dtype=np.float64)
    if numbers.shape != (count,) or not np.isfinite(numbers).all():
        raise ValueError(f"{count} finite numbers are needed, not {values!r:.80}")
    return numbers
