"""The markets of each exchange, and the latest ticker of each."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, Select, select, update

from dantaro.market.markets import Market, Ticker
from dantaro.storage.engine import Store
from dantaro.storage.tables import markets as markets_table
from dantaro.storage.tables import tickers as tickers_table
from dantaro.storage.upsert import insert


@dataclass(frozen=True, slots=True)
class StoredMarket:
    """A market with its number in this store; `*_seen_ms` are when a market list held it."""

    id: int
    market: Market
    first_seen_ms: int
    last_seen_ms: int


def save_markets(store: Store, exchange: str, markets: Sequence[Market], *, at_ms: int) -> None:
    """Keep the complete market list of one exchange; a market that is not in it is no longer listed.

    Raises:
        ValueError: the list is empty (that would delist everything) or of another exchange.
    """
    if not markets or any(market.exchange != exchange for market in markets):
        raise ValueError(f"markets must be the complete, non-empty list of {exchange}")
    table = markets_table
    statement = insert(store, table)
    statement = statement.on_conflict_do_update(
        index_elements=[table.c.exchange, table.c.symbol],
        set_={
            name: statement.excluded[name]
            for name in ("base", "quote", "venue_symbol", "flags", "listed", "last_seen_ms")
        },
    )
    rows = {market.symbol: _market_values(market, at_ms) for market in markets}
    with store.writing() as connection:
        known = select(table.c.symbol).where(table.c.exchange == exchange, table.c.listed)
        gone = sorted(set(connection.scalars(known)) - rows.keys())
        # Always in one order, so that two writers cannot wait for each other.
        connection.execute(statement, [rows[symbol] for symbol in sorted(rows)])
        for symbol in gone:
            its_row = (table.c.exchange == exchange) & (table.c.symbol == symbol)
            connection.execute(update(table).where(its_row).values(listed=False))


def stored_markets(store: Store, *, exchange: str | None = None) -> tuple[StoredMarket, ...]:
    """All markets ever seen (of one exchange), ordered by exchange and symbol."""
    table = markets_table
    with store.reading() as connection:
        rows = connection.execute(_of(select(table), table.c.exchange, exchange)).all()
    return tuple(sorted(map(_stored_market, rows), key=lambda stored: stored.market))


def save_tickers(store: Store, tickers: Sequence[Ticker], *, collected_at_ms: int) -> None:
    """Keep the latest ticker of each market; one older than the kept one is ignored.

    `collected_at_ms` is when the exchange gave them, on the clock of the data. Their own times do not
    tell that: the last trade of a quiet market is old although nothing newer can be known.
    """
    newest = {
        (ticker.exchange, ticker.symbol): _ticker_values(ticker, collected_at_ms)
        for ticker in sorted(tickers, key=lambda ticker: ticker.at_ms)
    }
    if not newest:
        return
    table = tickers_table
    statement = insert(store, table)
    statement = statement.on_conflict_do_update(
        index_elements=[table.c.exchange, table.c.symbol],
        set_={
            name: statement.excluded[name]
            for name in ("price", "change_24h", "turnover_24h", "at_ms", "collected_at_ms")
        },
        where=table.c.at_ms <= statement.excluded.at_ms,
    )
    with store.writing() as connection:
        connection.execute(statement, [newest[key] for key in sorted(newest)])


def latest_tickers(
    store: Store, *, exchange: str | None = None, collected_since_ms: int | None = None
) -> tuple[Ticker, ...]:
    """The latest ticker of every market (of one exchange), ordered by exchange and symbol; with
    `collected_since_ms` only those that the exchange gave at that moment or later.
    """
    table = tickers_table
    statement = _of(select(table), table.c.exchange, exchange)
    if collected_since_ms is not None:
        statement = statement.where(table.c.collected_at_ms >= collected_since_ms)
    with store.reading() as connection:
        rows = connection.execute(statement).all()
    return tuple(
        Ticker(row.exchange, row.symbol, row.price, row.change_24h, row.turnover_24h, row.at_ms)
        for row in sorted(rows, key=lambda row: (row.exchange, row.symbol))
    )


def _of(statement: Select[Any], column: Any, value: str | None) -> Select[Any]:
    return statement if value is None else statement.where(column == value)


def _market_values(market: Market, at_ms: int) -> Mapping[str, object]:
    return {
        "exchange": market.exchange,
        "symbol": market.symbol,
        "base": market.base,
        "quote": market.quote,
        "venue_symbol": market.venue_symbol,
        "flags": json.dumps(market.flags),
        "listed": market.listed,
        "first_seen_ms": at_ms,
        "last_seen_ms": at_ms,
    }


def _ticker_values(ticker: Ticker, collected_at_ms: int) -> Mapping[str, object]:
    return {
        "exchange": ticker.exchange,
        "symbol": ticker.symbol,
        "price": ticker.price,
        "change_24h": ticker.change_24h,
        "turnover_24h": ticker.turnover_24h,
        "at_ms": ticker.at_ms,
        "collected_at_ms": collected_at_ms,
    }


def _stored_market(row: Row[Any]) -> StoredMarket:
    market = Market(
        exchange=row.exchange,
        symbol=row.symbol,
        base=row.base,
        quote=row.quote,
        venue_symbol=row.venue_symbol,
        flags=tuple(json.loads(row.flags)),
        listed=bool(row.listed),
    )
    return StoredMarket(row.id, market, row.first_seen_ms, row.last_seen_ms)
