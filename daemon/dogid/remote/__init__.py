"""Another daemon, read over HTTP; start reading at `results.py`."""
