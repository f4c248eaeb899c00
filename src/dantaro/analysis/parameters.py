"""The analysis' own parameters, with their defaults; recorded with every generation."""

from dataclasses import asdict, dataclass, fields

from dantaro.analysis.level_model import LevelModel
from dantaro.analysis.models import EQUAL_WEIGHTS, RankingModel


@dataclass(frozen=True, slots=True)
class Parameters:
    """What can be chosen about the analysis.

    Attributes:
        universe_size: markets per exchange and quote currency, by 24-hour turnover.
        quotes: quote currencies that are ranked.
        max_ticker_age_seconds: a ticker collected longer ago is not served as a price; three rounds.
        hourly_candles, daily_candles: how many candles back the panels reach.
        min_turnover_usd: least median daily turnover of thirty days, in US dollars.
        max_quiet_share: largest share of candles without a trade.
        max_silence_hours: a market without a trade for longer, on a living venue, is stale.
        peg_distance, peg_volatility: a coin within this fraction of one dollar, whose daily log
            returns have a smaller standard deviation than this, is a stablecoin.
        opening_jump: an opening price this many times away from the close before it is no trade's
            doing (redenomination, ticker reuse).
        step_jump: the same for a move inside one candle.
        identity_ratio: prices of one ticker, in one currency, further apart than this many times
            belong to different coins.
        levels_per_side: support and resistance zones served per market and side, at most.
        level_life_days: how long a level stays valid without new evidence.
        ranking: the model behind the total score.
        level_model: what levels have proven to be worth; None serves them without it.
    """

    universe_size: int = 200
    quotes: tuple[str, ...] = ("KRW", "USDT")
    max_ticker_age_seconds: int = 180
    hourly_candles: int = 2160
    daily_candles: int = 400
    min_turnover_usd: float = 50_000.0
    max_quiet_share: float = 0.5
    max_silence_hours: int = 24
    peg_distance: float = 0.03
    peg_volatility: float = 0.0075
    opening_jump: float = 3.0
    step_jump: float = 8.0
    identity_ratio: float = 1.5
    levels_per_side: int = 12
    level_life_days: int = 7
    ranking: RankingModel = EQUAL_WEIGHTS
    level_model: LevelModel | None = None

    def to_json(self) -> dict[str, object]:
        """Every parameter as plain JSON values; a model by its name, its file's hash, and what it was
        fitted on (None for one that was not fitted).
        """
        return {item.name: _plain(getattr(self, item.name)) for item in fields(self)}


def _plain(value: object) -> object:
    if isinstance(value, RankingModel | LevelModel):
        fitted = value.training
        training = None if fitted is None else {**asdict(fitted), "data": list(fitted.data)}
        return {"name": value.name, "sha256": value.sha256, "training": training}
    return list(value) if isinstance(value, tuple) else value
