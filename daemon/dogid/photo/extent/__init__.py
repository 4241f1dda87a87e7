"""Where a photo's own data end, and whether all of it is there: one module for each format, without decoding."""
