"""The commands that need TensorFlow, one module each; start reading at `convert.py`."""
