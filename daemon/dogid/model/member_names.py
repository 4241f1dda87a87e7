"""Names of what is in the zip that is appended to a model file, and that others than its reader need."""

TRAINING_EMBEDDINGS = "training_embeddings.npz"
"""See `training_embeddings`."""
