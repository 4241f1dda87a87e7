"""The operating system: systemd, the journal, signals, the memory allocator; start reading at `sd_notify.py`."""
