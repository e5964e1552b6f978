"""The Python client: `palio_client` is a package that others install (`pip install ./scripts/client`); Palio's scripts import it from here."""
