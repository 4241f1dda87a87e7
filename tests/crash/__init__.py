"""Killing the daemon at any point, and what must hold afterwards."""
