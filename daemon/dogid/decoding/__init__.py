"""Decoding within limits: a budget of memory, and processes that may be ended; start reading at `decoder.py`."""
