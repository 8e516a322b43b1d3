"""Alembic's entry: runs the versions on the connection that `gateway.database.migrate` hands over."""

from alembic import context

from gateway import tables

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=tables.Table.metadata,
    render_as_batch=connection.dialect.name == "sqlite",
)
with context.begin_transaction():
    context.run_migrations()
connection.commit()
