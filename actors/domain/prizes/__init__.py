"""Prizes, decided without effects: rules, who gets what of a final table, and the ledger of what is owed, paid and taken back."""
