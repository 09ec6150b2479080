"""One test body over all implementations of a protocol."""
