"""`dantaro keys`: making, listing, replacing and ending API keys."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime

from rich.console import Console
from rich.table import Table

from dantaro.cli.store import opened_store
from dantaro.clock import real_now_ms
from dantaro.errors import ConfigurationError
from dantaro.market.timeframes import DAY_MS
from dantaro.settings import load_settings
from dantaro.storage.keys import (
    KeyRecord,
    NewKey,
    Scope,
    create_key,
    list_keys,
    revoke_key,
    rotate_key,
)

DEFAULT_SCOPES = ("read",)


def create(
    *,
    name: str,
    scopes: Sequence[str],
    days: int | None,
    limit_per_minute: int | None,
    url_token: bool,
    as_json: bool,
) -> None:
    """Make a key and print it, this once.

    Raises:
        ConfigurationError: a scope is unknown, or the key would be good for nothing.
    """
    known = [scope.value for scope in Scope]
    for scope in scopes:
        if scope not in known:
            raise ConfigurationError(
                f"--scope {scope} is not known: choose from {', '.join(known)}"
            )
    with opened_store(load_settings()) as store:
        made = create_key(
            store,
            name=name,
            scopes=tuple(scopes) or DEFAULT_SCOPES,
            expires_at_ms=None if days is None else real_now_ms() + days * DAY_MS,
            url_token=url_token,
            limit_per_minute=limit_per_minute,
        )
    _print_new(made, as_json=as_json)


def rotate(key_id: str, *, overlap_hours: float, as_json: bool) -> None:
    """Make a successor of a key and print it; the old one ends after the overlap."""
    with opened_store(load_settings()) as store:
        made = rotate_key(store, key_id, overlap_seconds=overlap_hours * 3600)
    _print_new(made, as_json=as_json)


def revoke(key_id: str) -> None:
    """End a key."""
    with opened_store(load_settings()) as store:
        revoke_key(store, key_id)
    Console(soft_wrap=True).print(f"Key {key_id} is revoked.", markup=False)


def show(*, as_json: bool) -> None:
    """List all keys, ended ones too."""
    with opened_store(load_settings()) as store:
        records = list_keys(store)
    if as_json:
        Console(soft_wrap=True).print_json(json.dumps([_row(record) for record in records]))
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("id", "name", "scopes", "limit", "expires", "state"):
        table.add_column(column, overflow="fold")
    for record in records:
        row = _row(record)
        state = row["state"]
        table.add_row(
            record.id,
            record.name,
            ",".join(sorted(record.scopes)) + (" (url token)" if record.url_token else ""),
            "" if record.limit_per_minute is None else f"{record.limit_per_minute}/min",
            str(row["expires_at"] or "never"),
            str(state),
            style="" if state in ("active", "ending") else "dim",
        )
    Console().print(table)


def _print_new(made: NewKey, *, as_json: bool) -> None:
    screen = Console(soft_wrap=True, highlight=False)
    if as_json:
        screen.print_json(json.dumps({"key": made.plain, **_row(made.record)}))
        return
    screen.print(f"API key: {made.plain}", markup=False)
    screen.print("It is not shown again; the database keeps its hash only.", style="dim")


def _row(record: KeyRecord) -> dict[str, object]:
    return {
        "id": record.id,
        "name": record.name,
        "scopes": sorted(record.scopes),
        "url_token": record.url_token,
        "limit_per_minute": record.limit_per_minute,
        "created_at": _time(record.created_at_ms),
        "expires_at": _time(record.expires_at_ms),
        "revoked_at": _time(record.revoked_at_ms),
        "state": _state(record),
    }


def _state(record: KeyRecord) -> str:
    now_ms = real_now_ms()
    if record.is_active(real_ms=now_ms):
        return "active" if record.revoked_at_ms is None else "ending"
    revoked = record.revoked_at_ms
    return "revoked" if revoked is not None and revoked <= now_ms else "expired"


def _time(at_ms: int | None) -> str | None:
    if at_ms is None:
        return None
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
