"""The keys of a RESULT."""

FIELDS = {
    "id", "file", "status", "label", "score", "scores", "unsure", "sha256", "width", "height", "modified_at",
    "taken_at", "classified_at", "model", "timings_ms", "error", "reviewed", "present", "folder",
}  # fmt: skip
