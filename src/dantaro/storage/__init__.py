"""The store: SQLite or PostgreSQL, by URL alone.

`engine` opens it, `schema` brings it to this version, and each other module keeps one kind of thing:
facts, the market catalogue, candles with their coverage and gaps, generations, job runs with their
leases, workers, API keys. SQLAlchemy is the only port; every function takes the `Store` first.
All functions are synchronous; call them in a thread from asynchronous code.
"""
