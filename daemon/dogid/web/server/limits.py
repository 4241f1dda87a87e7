"""How much the server takes on at once."""

THREADS = 6
"""Requests that are answered at the same time; more would only wait for each other on a small machine."""

BODY_ALLOWANCE = 10_000
"""Bytes that a form puts around a photo."""

LARGE_BODY = 65_536
"""Bytes; larger bodies wait on disk, and only a few at a time may be on their way."""
