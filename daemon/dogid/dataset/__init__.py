"""Labelled photos in one folder per label; start reading at `labelled_photos.py`."""
