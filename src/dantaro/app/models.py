"""The fitted models that the worker analyses with: the shipped ones, or the operator's own."""

from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import TypeVar

from dantaro.analysis.level_model import LevelModel
from dantaro.analysis.models import RankingModel, parse_ranking
from dantaro.errors import ConfigurationError, ModelInvalid

_Model = TypeVar("_Model")

_SHIPPED = resources.files("dantaro") / "models"


def load_ranking(path: Path | None) -> RankingModel:
    """The ranking model in the file `path`, or the shipped one.

    Raises:
        ConfigurationError: the file cannot be read.
        ModelInvalid: it is not a whole, unaltered model for the features of this version.
    """
    return _parsed(path, "ranking", "DANTARO_RANKING_MODEL", parse_ranking)


def load_levels(path: Path | None) -> LevelModel:
    """The levels model in the file `path`, or the shipped one.

    Raises:
        ConfigurationError: the file cannot be read.
        ModelInvalid: it is not a whole, unaltered model for the features of this version.
    """
    return _parsed(path, "levels", "DANTARO_LEVELS_MODEL", LevelModel.parse)


def _parsed(path: Path | None, kind: str, setting: str, parse: Callable[[bytes], _Model]) -> _Model:
    if path is None:
        return parse((_SHIPPED / f"{kind}.json").read_bytes())
    try:
        body = path.read_bytes()
    except OSError as error:
        raise ConfigurationError(
            f"{setting}: {path} cannot be read ({error.strerror}); name a file of `dantaro fit`, or "
            f"leave it empty for the {kind} model that is shipped"
        ) from error
    try:
        return parse(body)
    except ModelInvalid as error:
        raise ModelInvalid(f"{setting}: {path}: {error}") from error
