"""Records on MySQL: shards, each a primary and its replicas."""
