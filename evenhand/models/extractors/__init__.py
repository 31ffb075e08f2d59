"""Feature extractors that synthetic images are scored on, one file each."""
