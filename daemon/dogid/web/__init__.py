"""The HTTP endpoint and the page for people; start reading at `app.py`."""
