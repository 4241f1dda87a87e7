"""What conversion and training reports share: confusion matrices, report.json; start reading where you need it."""
