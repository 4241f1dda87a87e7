"""Models by name: the catalogue, downloads, and the folder that keeps them; start reading at `open_model.py`."""
