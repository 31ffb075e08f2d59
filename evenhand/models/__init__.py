"""Generators, classifiers, strategies and how they are trained, without TFX."""
