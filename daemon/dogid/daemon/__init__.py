"""The daemon: what starts, supervises and stops its parts; start reading at `daemon.py`."""
