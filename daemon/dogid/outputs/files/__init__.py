"""Outputs that write files: lines appended, sidecars, photos in folders by label; start reading where you need it."""
