"""Payouts: a signed webhook, and a file of them where there is none."""
