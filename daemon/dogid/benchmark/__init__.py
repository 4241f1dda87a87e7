"""What `dogid bench` measures; start reading at `measures.py`."""
