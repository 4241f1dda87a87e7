"""Who may ask: tokens, sessions, host names, origins; start reading at `middleware.py`."""
