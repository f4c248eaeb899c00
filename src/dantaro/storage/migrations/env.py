"""What Alembic runs around the migrations: the caller's connection and transaction."""

from alembic import context

from dantaro.storage.tables import metadata

connection = context.config.attributes["connection"]
# The caller's transaction is used as it is, on SQLite too: its DDL is transactional, Alembic only
# assumes otherwise because of drivers that commit behind one's back (ours does not; see engine).
context.configure(
    connection=connection,
    target_metadata=metadata,
    transactional_ddl=True,
    render_as_batch=connection.dialect.name == "sqlite",
)
with context.begin_transaction():
    context.run_migrations()
