"""What `dogid bench` measures. Imported by that command only."""
