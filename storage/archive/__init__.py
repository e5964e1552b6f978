"""The archive's files; and the records with the archive behind them."""
