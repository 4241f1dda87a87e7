"""The watched folder: which files count, what is there now, what wakes the daemon."""
