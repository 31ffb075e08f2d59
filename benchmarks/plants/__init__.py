"""Generators whose worth is known beforehand, one file each; named by their dotted path, as a user's own would be."""
