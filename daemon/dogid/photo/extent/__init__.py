"""Where a photo's own data end, and whether all of it is there, by format; start reading at `extent.py`."""
