"""A daemon that is used steadily for a long time: nothing is lost, nothing wrong, and nothing grows."""
