"""systemd, the journal, signals and the memory allocator; start reading at `sd_notify.py`."""
