"""The measurements of `dogid bench`; start reading at `measures.py`."""
