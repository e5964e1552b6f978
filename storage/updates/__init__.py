"""Live updates from owners to gateways: an embedded broker, or Redis pub/sub."""
