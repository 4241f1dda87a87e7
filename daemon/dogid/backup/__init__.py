"""Backups of a state folder in one file: writing, checking, restoring; start reading at `archive.py`."""
