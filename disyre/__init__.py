"""What every program here means by volume, job and restoration."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("disyre")
except PackageNotFoundError:  # a source tree that is on the path but not installed, as in the images
    __version__ = "0.1.0"

INTENDED_USE = "Research use only. Not a medical device, not FDA-cleared, not CE-marked; not for diagnosis."
"""Stands on every result."""
