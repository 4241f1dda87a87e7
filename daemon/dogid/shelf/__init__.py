"""Models by name: catalogue, downloads, the folder that keeps them, the active; start reading at `open_model.py`."""
