"""Figures: run by hand, printed, never asserted on time."""
