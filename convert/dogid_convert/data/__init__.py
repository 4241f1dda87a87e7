"""Versions of the training photos, and what changed between two; start reading at `manifest.py`."""
