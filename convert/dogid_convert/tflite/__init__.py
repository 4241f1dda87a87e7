"""Making, reading, changing, packing and running `.tflite` files; start reading at `archive.py`."""
