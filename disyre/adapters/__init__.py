"""What touches the world: each module wraps one library, none imports another (settings excepted)."""
