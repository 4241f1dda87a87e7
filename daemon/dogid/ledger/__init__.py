"""What dogid remembers: an SQLite database beside the inbox."""
