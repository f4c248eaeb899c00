"""`dantaro config`: the effective settings, and the pages that are made from their declarations."""

import json

from rich.console import Console
from rich.table import Table

from dantaro.logs import mask
from dantaro.settings import DECLARATIONS, Effective, read_settings
from dantaro.settings.documents import configuration_page, env_example, written
from dantaro.venues.exchange_ids import require_known

__all__ = ["configuration_page", "env_example", "show_settings"]


def show_settings(*, as_json: bool) -> None:
    """Print every effective setting with its source; passwords are masked.

    Raises:
        ConfigurationError: a setting is not valid, or an exchange is unknown.
    """
    effective = read_settings()
    require_known(effective.settings.exchanges)
    if as_json:
        Console(soft_wrap=True).print_json(json.dumps(_rows(effective)))
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("setting", no_wrap=True)
    table.add_column("value", overflow="fold")
    table.add_column("from", overflow="fold")
    for row in _rows(effective):
        style = "dim" if row["source"] == "default" else ""
        table.add_row(row["setting"], row["value"], row["source"], style=style)
    Console().print(table)


def _rows(effective: Effective) -> list[dict[str, str]]:
    return [
        {
            "setting": item.variable,
            "value": mask(written(getattr(effective.settings, name))),
            "source": effective.sources[name],
            "allowed": item.kind.allowed,
            "description": item.description,
        }
        for name, item in DECLARATIONS.items()
    ]
