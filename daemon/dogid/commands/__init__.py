"""The commands of `dogid`, one module each with `add_arguments` and `run`; start reading at `run.py`."""
