"""The shapes of what was measured: the whole record, and what an item carries of its class."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from dantaro.api.schemas.base import Aged, Body, Source, Time, Unavailable

MeasuredBy = Annotated[
    Literal["live", "backtest"],
    Field(
        description="`live`: from published generations alone; `backtest`: from recorded candles"
    ),
]
BeatsBaselines = Annotated[
    bool | None, Field(description="by more than chance; null where it cannot be said yet")
]
MeasuredOn = Annotated[
    Mapping[str, str],
    Field(
        description="by source: the ranked set (live) or the recording (backtest)",
        examples=[{"live": "all", "backtest": "binance_spot_1d"}],
    ),
]


class ClassMean(Body):
    """The mean outcome of one class, with its 95 % interval."""

    mean: Annotated[
        float | None, Field(description="return less the universe's mean, as a fraction")
    ]
    low: float | None
    high: float | None
    n: Annotated[int, Field(description="coins times days")]
    days: int


class HorizonRecord(Body):
    """What followed within one horizon."""

    beats_baselines: Annotated[
        bool | None, Field(description="whether `total_score` ranks better than every baseline")
    ]
    source: Annotated[
        Literal["live", "backtest"] | None,
        Field(description="which record that is from: the live one once it has 30 days"),
    ]
    excess_return: Annotated[
        Mapping[str, ClassMean], Field(description="of the item's strength class, by source")
    ]


class RecommendationRecord(Body):
    """How an item's class did, and whether the ranking beats its baselines."""

    beats_baselines: Annotated[
        bool | None, Field(description="at every horizon; null where it cannot be said of one")
    ]
    measured_on: MeasuredOn
    horizons: Annotated[Mapping[str, HorizonRecord], Field(description="`1d`, `3d`, `7d`")]


class LevelClassRecord(Body):
    """How one class of levels did in one source."""

    hold_rate: Annotated[float | None, Field(description="share of the touched that held")]
    hold_minus_placebo: Annotated[
        float | None, Field(description="that share less the one of random lines beside them")
    ]
    low: Annotated[float | None, Field(description="of `hold_minus_placebo`, 95 %")]
    high: float | None
    n: Annotated[int, Field(description="touches")]
    days: int
    beats_baselines: BeatsBaselines


class LevelRecord(Body):
    """How levels found by the same methods did."""

    beats_baselines: Annotated[
        bool | None,
        Field(description="whether levels of at least one of its methods beat placebos"),
    ]
    source: Annotated[
        Literal["live", "backtest"] | None,
        Field(description="which record that is from: the live one once it has 30 days"),
    ]
    horizon_days: int
    measured_on: MeasuredOn
    methods: Annotated[
        Mapping[str, Mapping[str, LevelClassRecord]], Field(description="by method, then by source")
    ]


class LevelsRecord(Body):
    """How the served levels did as a whole, and each band."""

    horizon_days: int
    measured_on: MeasuredOn
    overall: Annotated[
        Mapping[str, LevelClassRecord], Field(description="every served level, by source")
    ]
    sides: Annotated[
        Mapping[str, Mapping[str, LevelClassRecord]], Field(description="by side, then by source")
    ]
    bands: Annotated[
        Mapping[str, Mapping[str, LevelClassRecord]], Field(description="by band, then by source")
    ]


class RecordItem(Body):
    """One measured figure of one class."""

    subject: Annotated[Literal["recommendations", "levels"], Field(examples=["recommendations"])]
    measure: Annotated[str, Field(examples=["rank_ic", "excess_return", "hold_minus_placebo"])]
    horizon_days: int
    data: Annotated[str, Field(description="the ranked set (live) or the recording (backtest)")]
    group: Annotated[
        str,
        Field(
            description="`all`, `score`, `baseline`, `tier`, `strength`, `top`, `side`, `method`, `band`"
        ),
    ]
    name: Annotated[str, Field(description="the class within the group", examples=["STRONG_BUY"])]
    value: Annotated[float | None, Field(description="returns and rates are fractions")]
    low: Annotated[float | None, Field(description="lower bound of the 95 % interval")]
    high: float | None
    t_stat: float | None
    n: Annotated[int, Field(description="observations")]
    days: Annotated[int, Field(description="days they fall on")]
    measured_from: Time
    measured_until: Time
    beats_baselines: BeatsBaselines
    unavailable: Unavailable


class RecordSummary(Body):
    """What the figures of one subject, horizon and source say, in words made from them."""

    subject: Literal["recommendations", "levels"]
    horizon_days: int
    source: MeasuredBy
    data: str
    beats_baselines: BeatsBaselines
    text: str
    unavailable: Unavailable


class TrackRecordAnswer(Aged):
    """`GET /api/v1/track-record`: live and backtest records apart."""

    success: bool
    summary: list[RecordSummary]
    live: Annotated[list[RecordItem], Field(description="of `ranked_set`")]
    backtest: Annotated[list[RecordItem], Field(description="of every recording")]
    total: int
    ranked_set: Annotated[str, Field(description="whose live records are shown")]
    measured_at: Annotated[
        Time | None, Field(description="when the worker last made or confirmed the record")
    ]
    cache_timestamp: Time
    data_source: Source
    message: str | None
    unavailable: Unavailable
