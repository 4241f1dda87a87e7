"""From a pending photo to its outcome: dispatching, workers, retries; start reading at `pipeline.py`."""
