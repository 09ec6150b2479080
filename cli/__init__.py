"""The `disyre` command: starts programs, holds no logic."""
