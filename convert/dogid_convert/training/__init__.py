"""Retraining a classifier on labelled photos; start reading at `retrain.py`."""
