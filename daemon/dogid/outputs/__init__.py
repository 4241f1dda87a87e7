"""Results passed on to other systems; start reading with `output`."""
