"""Analytics: from the attempts and snapshots in the records to the metric series."""
