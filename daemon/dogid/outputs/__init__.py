"""Results passed on to other systems, by rules; start reading at `output.py`."""
