"""Filters of synthetic images, one file each: `Options` and `keep(candidates, options) -> Decision`."""
