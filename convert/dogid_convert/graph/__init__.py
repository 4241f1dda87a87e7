"""Finding and changing the parts of a TensorFlow graph; start reading at `network.py`."""
