"""The long forms of what pushes the daemon to its limits: `make push`, or `python -m tests.push PART...`."""
