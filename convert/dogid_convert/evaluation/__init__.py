"""Accuracy, agreement and their intervals; start reading at `metrics.py`."""
