"""The sub-commands, a module each: `add_arguments` declares the flags, `run` does the work."""
