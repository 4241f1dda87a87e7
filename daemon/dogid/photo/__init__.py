"""From the bytes of a file to pixels, or to the reason why not; start reading at `decode.py`."""
