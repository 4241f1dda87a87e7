"""Stored photos answered by another model."""
