"""The training loops and what they share: devices, checkpoints, callbacks."""
