"""The search for an int8 model that agrees; start reading at `int8_search.py`."""
