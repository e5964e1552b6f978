"""The life of a tournament: its status as time and commands move it, and the windows of those who take part."""
