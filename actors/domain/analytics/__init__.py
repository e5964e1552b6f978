"""Analytics: what became of attempts over time, and the statistics of a table. Exact: integers of hundredths."""
