"""One file a revision; the file of revision N makes schema N from schema N - 1."""
