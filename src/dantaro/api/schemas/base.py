"""The shapes of every answer; field names and types of version 1 stay, fields are only added.

A value that could not be computed is null, and `unavailable` names the field and the reason. Times are
RFC 3339 in UTC.
"""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from dantaro.market.markets import Origin
from dantaro.queries import DataStatus

Time = Annotated[
    str, Field(json_schema_extra={"format": "date-time"}, examples=["2026-01-01T00:00:00Z"])
]
Unit = Annotated[float, Field(ge=0, le=1)]
Source = Literal["cache", "database"]
Unavailable = Annotated[
    Mapping[str, str], Field(description="each field that is null, and the reason for it")
]


class Body(BaseModel):
    """Base of every answer: exactly the fields that are declared."""

    # Built when the first answer of the kind is made: the start takes a fifth less, and some never are.
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class Aged(Body):
    """The age of the data behind an answer; all null while nothing is published."""

    data_as_of: Annotated[
        Time | None, Field(description="close time of the newest closed candle behind the answer")
    ]
    stale_after: Annotated[Time | None, Field(description="when that counts as stale")]
    data_status: DataStatus
    data_origin: Origin | None
    generation: int | None
    data_note: Annotated[
        str | None,
        Field(
            description="what is amiss: the database or exchanges cannot be reached, no worker is heard, "
            "prices are old"
        ),
    ]
