"""`scripts/palio import`: files into tournaments, row by row, each row counted once however often the file is imported."""
