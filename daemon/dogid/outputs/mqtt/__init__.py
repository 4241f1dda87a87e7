"""Results, events and state to an MQTT broker, also for Home Assistant; start reading at `output.py`."""
