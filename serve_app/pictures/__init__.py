"""Pictures of a tournament: its report drawn as SVG or PNG."""
