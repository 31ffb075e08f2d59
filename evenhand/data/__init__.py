"""Image data without TFX: sources, duplicates, splits, imbalance profiles, records, batches."""
