"""The search for strategies: which to try, in which order, for how long, and which to drop."""
