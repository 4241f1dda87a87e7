"""Labelled folders of photos and their versions; start reading at `dataset.py`."""
