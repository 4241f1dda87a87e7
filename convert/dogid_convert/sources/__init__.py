"""Reading the user's model, in any form, into one float model; start reading at `float_model.py`."""
