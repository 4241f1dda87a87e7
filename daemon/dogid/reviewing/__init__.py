"""Which photos are worth a person's look next; start reading at `review_order.py`."""
