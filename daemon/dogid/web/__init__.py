"""The HTTP endpoints and the web page; start reading at `app.py`."""
