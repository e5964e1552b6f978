"""What Alembic runs for every command: revisions on the connection given to it, within the transaction of the caller."""

from __future__ import annotations

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
