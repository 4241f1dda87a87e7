"""The tests. Their tree mirrors the packages; a test's name is the promise it keeps."""
