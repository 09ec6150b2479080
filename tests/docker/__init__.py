"""Tests of the images and the composition that need no container engine."""
