"""Tournament owners, ingest and director: plain classes whose effects go through ports."""
