"""What `dogid service install` and `uninstall` do; start reading at `install.py`."""
