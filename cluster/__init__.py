"""Settings, the Ray wraps, the directory over named actors, and the composition root."""
