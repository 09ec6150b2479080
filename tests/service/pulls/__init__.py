"""Series that are fetched from an archive."""
