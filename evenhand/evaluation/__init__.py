"""Statistics on labels, probabilities and features: arrays in, dataclasses out."""
