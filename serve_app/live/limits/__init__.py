"""What live connections are held to: how many, how fast, how slow."""
