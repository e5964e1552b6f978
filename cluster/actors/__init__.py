"""The Ray actors, and the ways to find and call them."""
