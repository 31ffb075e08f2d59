"""Remedies against imbalance, one file each; a strategy is a list of phases."""
