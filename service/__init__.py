"""The HTTP front end: takes scans in, hands results out."""
