"""Learning a new last layer from what people said about photos; start reading at `learn.py`."""
