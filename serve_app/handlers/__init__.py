"""The calls of the contract, once for both entrypoints."""
