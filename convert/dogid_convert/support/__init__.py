"""What all parts need: atomic files, progress, Ctrl-C, free memory; start reading where you need it."""
