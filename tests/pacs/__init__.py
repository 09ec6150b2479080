"""Against a real archive."""
