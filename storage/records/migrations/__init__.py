"""The durable store's schema, revision by revision (Alembic). `storage/records/sql/migrate.py` runs them.

A revision says its tables in full and imports nothing of ours: it must go on making what it made when it was written. Every
statement can run again, since MySQL keeps what it had done of a revision that was cut off.
"""
