"""A file system in memory, for files that only processes die with."""

from pathlib import Path

MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
"""Its folder, for tempfile's `dir`; None where there is none. Small ledgers take a fraction of the time there."""
