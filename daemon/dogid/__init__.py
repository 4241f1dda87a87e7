"""dogid: a daemon that classifies the photos of an inbox folder on the device itself."""

__version__ = "0.1.0"
