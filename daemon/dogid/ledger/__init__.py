"""The daemon's database: photos, results, histories; start reading at `ledger.py`."""
