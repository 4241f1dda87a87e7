"""The models of a state folder: which is active, what is kept, what is listed."""
