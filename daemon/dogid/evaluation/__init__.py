"""How good a model is on labelled photos: metrics, intervals, confusion matrices; start reading at `metrics.py`."""
