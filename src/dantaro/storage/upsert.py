"""INSERT ... ON CONFLICT, which both databases have and spell alike."""

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite

from dantaro.storage.engine import Store


def insert(store: Store, table: Table) -> sqlite.Insert:
    """An insert into `table` that has `on_conflict_do_nothing` and `on_conflict_do_update`."""
    if store.dialect == "sqlite":
        return sqlite.insert(table)
    # The two classes share these methods by name and meaning but no base that has them.
    return postgresql.insert(table)  # type: ignore[return-value]
