"""What all parts need: progress, Ctrl-C, free memory; start reading where you need it."""
