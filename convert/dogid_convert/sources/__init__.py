"""Reading models as people have them into one float model; start reading at `float_model.py`."""
