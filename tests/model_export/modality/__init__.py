"""Tests of model_export.modality."""
