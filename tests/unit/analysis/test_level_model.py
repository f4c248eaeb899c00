"""The levels model: worth by place and side, plain coefficients, and files that are what they say."""

import json
from pathlib import Path

import numpy as np
import pytest

from analysis_worlds import MIDNIGHT_MS, a_panel, candles
from dantaro.analysis.level_candidates import PLACES
from dantaro.analysis.level_features import FEATURES, market_features, zone_features
from dantaro.analysis.level_model import LevelModel
from dantaro.analysis.model_files import Training
from dantaro.app.models import load_levels
from dantaro.errors import ConfigurationError, ModelInvalid
from dantaro.market.timeframes import HOUR_MS, HOURLY

SWING, VWAP = (PLACES.index(name) for name in ("swing_low", "vwap"))


def a_model() -> LevelModel:
    worth = np.zeros((2, len(PLACES)))
    worth[0, SWING], worth[0, VWAP], worth[1, VWAP] = 0.01, 0.02, -0.03
    return LevelModel(
        worth,
        0.5,
        np.array([10.0, 0.25, -0.5]),
        np.array([0.2, 0.6, 0.8]),
        np.array([0.3, 0.5, 0.9]),
        training=Training(("walks",), 1, 2, 3),
    )


def test_a_zone_is_worth_the_sum_of_what_lies_in_it_on_its_side() -> None:
    places = np.array([1 << SWING, 1 << SWING | 1 << VWAP, 1 << VWAP, 0])
    above = np.array([False, False, True, True])
    assert a_model().zone_worth(places, above).tolist() == pytest.approx([0.01, 0.03, -0.03, 0.0])


def test_the_chance_is_the_logistic_function_and_then_the_map() -> None:
    features = np.array([[0.02, 1.0, 0.9], [0.0, 0.0, 5.0]])
    # 0.5 + 0.2 + 0.25 - 0.45 = 0.5, and 0.5 - 2.5 = -2
    raw = [1 / (1 + np.exp(-0.5)), 1 / (1 + np.exp(2.0))]
    assert a_model().raw_probability(features).tolist() == pytest.approx(raw)
    # 0.6225 lies between the knots 0.6 and 0.8; 0.1192 lies below the first
    mapped = [0.5 + (raw[0] - 0.6) / 0.2 * 0.4, 0.3]
    assert a_model().hold_probability(features).tolist() == pytest.approx(mapped)


def test_a_file_gives_the_model_back() -> None:
    model = a_model()
    body = model.to_bytes(tried=[{"place": "vwap", "side": "support"}])
    again = LevelModel.parse(body)
    assert again.worth.tolist() == model.worth.tolist()
    assert again.coefficients.tolist() == model.coefficients.tolist()
    assert (again.intercept, again.training) == (model.intercept, model.training)
    assert len(again.sha256) == 64
    assert again.to_bytes(tried=[{"place": "vwap", "side": "support"}]) == body


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"form": {}}, "sha256 does not fit"),
        ({"kind": "ranking"}, "of kind 'ranking'"),
        ({"schema": 9}, "schema 9"),
    ],
)
def test_an_altered_file_is_refused(change: dict[str, object], says: str) -> None:
    content = json.loads(a_model().to_bytes()) | change
    with pytest.raises(ModelInvalid, match=says):
        LevelModel.parse(json.dumps(content).encode())


def test_a_model_for_other_features_or_places_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    body = a_model().to_bytes()
    with monkeypatch.context() as patched:
        patched.setattr("dantaro.analysis.level_model.FEATURES", (*FEATURES, "moon"))
        with pytest.raises(ModelInvalid, match=r"other features .*this version has .*moon"):
            LevelModel.parse(body)
    monkeypatch.setattr("dantaro.analysis.level_model.PLACES", PLACES[:-1])
    with pytest.raises(ModelInvalid, match="other places"):
        LevelModel.parse(body)


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("coefficients", np.array([1.0]), "3 finite numbers"),
        ("stated", np.array([0.2, 0.2, 0.8]), "does not ascend"),
        ("observed", np.array([0.3, 0.5, 1.9]), "does not ascend"),
    ],
)
def test_numbers_that_cannot_be_are_refused(field: str, value: np.ndarray, says: str) -> None:
    model = a_model()
    object.__setattr__(model, field, value)
    with pytest.raises(ModelInvalid, match=says):
        LevelModel.parse(model.to_bytes())


def test_the_shipped_model_is_whole_and_has_a_record_of_later_days() -> None:
    model = load_levels(None)
    assert (model.worth != 0).any()
    assert model.training.until_ms > model.training.from_ms
    whole = {(one.measure, one.group) for one in model.records}
    assert {("hold_minus_placebo", "all"), ("hold_rate", "method"), ("brier_skill", "all")} <= whole
    assert all(one.from_ms >= model.training.until_ms for one in model.records)


def test_a_file_of_the_operator_that_is_missing_or_torn_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"DANTARO_LEVELS_MODEL: .*cannot be read"):
        load_levels(tmp_path / "none.json")
    torn = tmp_path / "torn.json"
    torn.write_bytes(a_model().to_bytes()[:-20])
    with pytest.raises(ModelInvalid, match="DANTARO_LEVELS_MODEL"):
        load_levels(torn)


def test_the_features_of_a_market_by_hand() -> None:
    closes = [100.0, 102.0] * 100
    end_ms = MIDNIGHT_MS + 7 * HOUR_MS
    panel = a_panel(
        {"okx:A/USDT": candles(closes, timeframe=HOURLY, end_ms=end_ms)},
        timeframe=HOURLY,
        candles=200,
    )
    # every candle of the week goes from one to the other: a range of 2; an ATR of 8; a close of 102
    (found,) = market_features(panel, np.array([8.0]))
    assert found.tolist() == pytest.approx([np.log(0.25), np.log(8.0 / 102.0)])
    zones = zone_features(np.array([0.01, 0.02]), found)
    assert zones.shape == (2, len(FEATURES))
    assert zones[:, 0].tolist() == [0.01, 0.02]
    assert zones[1, 1:].tolist() == found.tolist()


def test_the_unit_of_price_changes_no_feature() -> None:
    end_ms = MIDNIGHT_MS + 7 * HOUR_MS
    found = []
    for unit in (1.0, 1e-7):
        series = candles(
            [unit * close for close in (10.0, 11.0, 12.0)] * 70, timeframe=HOURLY, end_ms=end_ms
        )
        panel = a_panel({"okx:A/USDT": series}, timeframe=HOURLY, candles=210)
        found.append(market_features(panel, np.array([unit * 2.0]))[0].tolist())
    assert found[0] == pytest.approx(found[1])
