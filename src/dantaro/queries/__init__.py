"""The read path, for the API and the command line: generations from the cache, else the database."""

from dantaro.queries.reader import Reader
from dantaro.queries.snapshot import DataAge, DataStatus, Snapshot, worst
from dantaro.queries.symbols import Catalogue, Resolution

__all__ = ["Catalogue", "DataAge", "DataStatus", "Reader", "Resolution", "Snapshot", "worst"]
