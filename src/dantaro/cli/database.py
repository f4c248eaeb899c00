"""`dantaro migrate`."""

from rich.console import Console

from dantaro.cli.store import opened_store
from dantaro.settings import load_settings
from dantaro.storage.schema import downgrade, migrate


def run_migration(*, down: str | None) -> None:
    """Migrate to this version's schema, or back to the revision `down`."""
    with opened_store(load_settings(), existing=False) as store:
        if down is None:
            migrate(store)
            done = "has this version's schema"
        else:
            downgrade(store, down)
            done = f"is back at revision {down}"
        Console(soft_wrap=True).print(f"The database {store.url_display} {done}.", markup=False)
