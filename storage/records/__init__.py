"""The durable records: tournaments, participants, outbox, snapshots, offsets."""
