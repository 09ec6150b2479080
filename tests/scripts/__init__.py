"""The scripts that people and CI call."""
