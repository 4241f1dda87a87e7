"""Photos of whole archives, classified in batches into Parquet files; start reading at `batch.py`.

pyarrow is imported in this folder only, and Ray in its `ray_*` modules only; `commands/` imports them when asked to.
"""
