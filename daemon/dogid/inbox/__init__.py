"""The watched folder: which files count, reading them safely, kernel events; start reading at `scan.py`."""
