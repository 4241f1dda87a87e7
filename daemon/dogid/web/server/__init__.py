"""Accepting connections, with limits and deadlines; start reading at `listener.py`."""
