"""Parts that all reports use: confusion matrices, figures, report.json; start reading where you need it."""
