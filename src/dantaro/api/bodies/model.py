"""The model behind the total scores: where it comes from, and how it did out of sample."""

from collections.abc import Mapping
from typing import Any

from dantaro.api.bodies.records import RECOMMENDATIONS
from dantaro.api.bodies.track_record import record_item
from dantaro.api.schemas.ranking import ModelDetails, TrainingDetails
from dantaro.api.times import rfc3339
from dantaro.market.results import RankedSetSummary
from dantaro.queries import Snapshot
from dantaro.queries.track_record import BACKTEST

NOT_RECORDED = "not_recorded"
"""The generation is of a version that did not keep it."""
NOT_FITTED = "not_fitted"
"""The model is a rule in the code."""


def model_details(snapshot: Snapshot, summary: RankedSetSummary) -> ModelDetails:
    """The model that made the totals of the set with this summary."""
    name, sha256 = summary.model or None, summary.model_sha256 or None
    training = _training(snapshot.manifest.parameters, summary.model_sha256)
    unfitted = NOT_RECORDED if name is None else NOT_FITTED
    unfound = unfitted if sha256 is None else NOT_RECORDED
    track = snapshot.track_record
    view = None if track is None else track.view(RECOMMENDATIONS, ())
    measured = {} if view is None else view.of("rank_ic", "score", "total")
    return ModelDetails(
        name=name,
        sha256=sha256,
        training=training,
        out_of_sample=[record_item(by_source[BACKTEST]) for by_source in measured.values()],
        unavailable={
            **absent(NOT_RECORDED, name=name),
            **absent(unfitted, sha256=sha256),
            **absent(unfound, training=training),
        },
    )


def absent(reason: str, **values: object) -> dict[str, str]:
    """`reason` for each of the `values` that is None."""
    return {name: reason for name, value in values.items() if value is None}


def _training(parameters: Mapping[str, Any], sha256: str) -> TrainingDetails | None:
    """What the generation's parameters say of the fit of this model's file."""
    model = parameters.get("ranking")
    if not sha256 or not isinstance(model, Mapping) or model.get("sha256") != sha256:
        return None
    fitted = model.get("training")
    if not isinstance(fitted, Mapping):
        return None
    return TrainingDetails(
        data=list(fitted["data"]),
        decisions_from=rfc3339(fitted["from_ms"]),
        decisions_until=rfc3339(fitted["until_ms"]),
        rows=fitted["rows"],
    )
