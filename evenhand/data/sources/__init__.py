"""Where images come from; each module offers `open_source(config) -> ImageSet` and `fingerprint(config) -> str`."""
