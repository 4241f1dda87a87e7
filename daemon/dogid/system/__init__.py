"""The operating system: systemd, the journal, signals, memory, whole files; start reading at `sd_notify.py`."""
