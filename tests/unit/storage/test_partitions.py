"""Which partitions hold which candles."""

from datetime import UTC, datetime

from dantaro.market.timeframes import DAILY, HOURLY, parse_timeframe
from dantaro.storage.partitions import partitions_of


def ms(year: int, month: int, day: int, hour: int = 0) -> int:
    return round(datetime(year, month, day, hour, tzinfo=UTC).timestamp() * 1000)


def test_hourly_candles_are_kept_by_month() -> None:
    found = partitions_of(HOURLY, first_ms=ms(2023, 11, 30, 23), last_ms=ms(2024, 1, 1))
    assert [partition.name for partition in found] == [
        "candles_1h_2023_11",
        "candles_1h_2023_12",
        "candles_1h_2024_01",
    ]
    assert [partition.end_ms for partition in found[:-1]] == [
        partition.start_ms for partition in found[1:]
    ]
    assert found[0].start_ms == ms(2023, 11, 1)
    assert found[-1].end_ms == ms(2024, 2, 1)


def test_daily_candles_are_kept_by_year() -> None:
    found = partitions_of(DAILY, first_ms=ms(2022, 12, 31), last_ms=ms(2023, 1, 1))
    assert found == (
        ("candles_1d_2022", ms(2022, 1, 1), ms(2023, 1, 1)),
        ("candles_1d_2023", ms(2023, 1, 1), ms(2024, 1, 1)),
    )


def test_one_moment_is_in_one_partition() -> None:
    at_ms = ms(2024, 2, 29)
    (partition,) = partitions_of(parse_timeframe("1m"), first_ms=at_ms, last_ms=at_ms)
    assert partition == ("candles_1m_2024_02", ms(2024, 2, 1), ms(2024, 3, 1))
