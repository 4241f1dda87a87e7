"""Access to the server: tokens, sessions, host names, origins; start reading at `middleware.py`."""
