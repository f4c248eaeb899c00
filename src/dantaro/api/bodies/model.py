"""The models behind total scores and levels: where they come from, and how they did out of sample."""

from collections.abc import Mapping
from typing import Any

from dantaro.api.bodies.records import LEVELS, RECOMMENDATIONS
from dantaro.api.bodies.track_record import record_item
from dantaro.api.schemas.ranking import ModelDetails, TrainingDetails
from dantaro.api.schemas.track_record import RecordItem
from dantaro.api.times import rfc3339
from dantaro.market.results import RankedSetSummary
from dantaro.queries import Snapshot
from dantaro.queries.track_record import BACKTEST, Measured, View

NOT_RECORDED = "not_recorded"
"""The generation is of a version that did not keep it."""
NOT_FITTED = "not_fitted"
"""The model is a rule in the code."""


def ranking_model(snapshot: Snapshot, summary: RankedSetSummary) -> ModelDetails:
    """The model that made the totals of the set with this summary."""
    name, sha256 = summary.model or None, summary.model_sha256 or None
    recorded = _recorded(snapshot, "ranking")
    training = _training(recorded) if recorded.get("sha256") == sha256 else None
    views = _backtests(snapshot, RECOMMENDATIONS)
    unfitted = NOT_RECORDED if name is None else NOT_FITTED
    return ModelDetails(
        name=name,
        sha256=sha256,
        training=training,
        out_of_sample=[item for view in views for item in _items(view.of_total())],
        unavailable={
            **absent(NOT_RECORDED, name=name),
            **absent(unfitted, sha256=sha256),
            **absent(unfitted if sha256 is None else NOT_RECORDED, training=training),
        },
    )


def level_model(snapshot: Snapshot) -> ModelDetails | None:
    """The model behind the order of levels and `hold_probability`; None when there is none."""
    recorded = _recorded(snapshot, "level_model")
    if not recorded:
        return None
    name, sha256, training = recorded.get("name"), recorded.get("sha256"), _training(recorded)
    views = _backtests(snapshot, LEVELS)
    judged = ("brier_skill", "calibration_error")
    return ModelDetails(
        name=name,
        sha256=sha256,
        training=training,
        out_of_sample=[
            item
            for view in views
            for measure in judged
            for item in _items(view.of(measure, "all", "all"))
        ],
        unavailable=absent(NOT_RECORDED, name=name, sha256=sha256, training=training),
    )


def absent(reason: str, **values: object) -> dict[str, str]:
    """`reason` for each of the `values` that is None."""
    return {name: reason for name, value in values.items() if value is None}


def _recorded(snapshot: Snapshot, parameter: str) -> Mapping[str, Any]:
    """What the generation's parameters say of a model."""
    found = snapshot.manifest.parameters.get(parameter)
    return found if isinstance(found, Mapping) else {}


def _training(recorded: Mapping[str, Any]) -> TrainingDetails | None:
    fitted = recorded.get("training")
    if not isinstance(fitted, Mapping):
        return None
    return TrainingDetails(
        data=list(fitted["data"]),
        decisions_from=rfc3339(fitted["from_ms"]),
        decisions_until=rfc3339(fitted["until_ms"]),
        rows=fitted["rows"],
    )


def _backtests(snapshot: Snapshot, subject: str) -> list[View]:
    """The records of each recording, by the recording's name."""
    track = snapshot.track_record
    names = () if track is None else track.data_of(BACKTEST)
    return [View(track, subject, {BACKTEST: name}, 0) for name in names if track is not None]


def _items(measured: Measured) -> list[RecordItem]:
    return [record_item(row) for its in measured.values() for row in its.values()]
