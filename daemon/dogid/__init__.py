"""dogid: a daemon that classifies the photos of an inbox folder on the device itself."""

__version__ = "0.2.0"
