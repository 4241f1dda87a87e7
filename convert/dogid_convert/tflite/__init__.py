"""Making, reading, changing and running `.tflite` files; start reading at `flatbuffer_edit.py`."""
