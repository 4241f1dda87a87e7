"""Results as files for other programs; start reading where you need it."""
