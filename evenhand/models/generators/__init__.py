"""Conditional image generators, one file each."""
