"""Photos in folders by label, made and taken back; start reading at `sorter.py`."""
