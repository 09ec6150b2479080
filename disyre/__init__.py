"""What every program here means by volume, job and restoration."""

__version__ = "0.1.0"

INTENDED_USE = "Research use only. Not a medical device, not FDA-cleared, not CE-marked; not for diagnosis."
"""Stands on every result."""
