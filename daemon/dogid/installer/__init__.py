"""Installing and removing the systemd service; start reading at `install.py`."""
