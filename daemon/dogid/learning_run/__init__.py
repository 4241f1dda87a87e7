"""A learning run: reviews from the ledger, a new model on the shelf, a report; start reading at `run.py`."""
