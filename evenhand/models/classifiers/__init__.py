"""Image classifiers, one file each."""
