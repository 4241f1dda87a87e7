"""Answering stored photos again by another model, at idle priority; start reading at `replay.py`."""
