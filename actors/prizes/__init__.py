"""Prizes after the end: the ledger follows the table (settler), what is approved is paid (payer). Effects only through ports."""
