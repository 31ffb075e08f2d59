"""Losses of classifiers, one file each; a loss says how much each class counts, and knows no Keras."""
