"""The Serve deployments of both entrypoints."""
