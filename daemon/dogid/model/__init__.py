"""The TensorFlow Lite model: its file, its labels, its interpreter, its answers."""
