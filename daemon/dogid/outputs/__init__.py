"""Results passed on to other systems; start reading at `output`, which says what every kind of output does."""
