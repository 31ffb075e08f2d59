"""What a generator depends on besides config and training images: the user's code, and files that its options name."""

from __future__ import annotations

from evenhand import registry
from evenhand.config import Generator, digest, parse_options


def fingerprint(config: Generator) -> str | None:
    """A digest of it, for the cache key of the node that trains; None where there is nothing of the kind.

    A generator that reads files offers `fingerprint(options) -> str` beside `Options` and `build`.

    Args:
      config: name and options of the generator.

    Raises:
      UserError: if the generator, an option or a file is not there.
    """
    module = registry.load("models.generators", config.name)
    parts = [registry.code_digest("models.generators", config.name)]
    if hasattr(module, "fingerprint"):
        parts.append(module.fingerprint(parse_options(module.Options, config.options, "generator.options")))
    return digest(repr(parts)) if any(parts) else None
