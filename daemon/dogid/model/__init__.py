"""TFLite models: reading, checking and running them; start reading at `classifier.py`."""
