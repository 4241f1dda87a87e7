"""One conversion from graph to gated model, and its reports; start reading at `convert.py`."""
