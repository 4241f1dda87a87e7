"""Judging a model on labelled photos, as the daemon would classify them; start reading at `judge.py`."""
