"""The gateway: raw ASGI and a fast path on uvicorn."""
