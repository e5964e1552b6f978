"""Files of results as rows: pure readers, each a row at a time, and what a row says as a score or a join."""
