"""The two entrypoints: `api` (FastAPI) and `gateway` (raw ASGI and the live hub) over one set of handlers."""
