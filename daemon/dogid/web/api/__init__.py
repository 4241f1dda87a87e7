"""The JSON interface, one module for each group of endpoints; start reading at `endpoint.py`."""
