"""Live sockets: the hub's fan-out and the protocol `palio.v1`."""
