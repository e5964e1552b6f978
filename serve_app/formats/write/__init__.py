"""Results as files: pure writers, each over the same rows (`actors.domain.results.table`), a piece at a time."""
