"""What trainings depend on besides config and images: the user's code, and files that are named. For cache keys."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from evenhand import registry
from evenhand.config import Classifier, Generator, Strategy, digest, parse_options
from evenhand.data.fingerprint import of_files


def of_generator(config: Generator) -> str | None:
    """A digest of what a generator depends on; None where there is nothing of the kind.

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
    return _digest(parts)


def of_classifier(config: Classifier, losses: Iterable[str] = ()) -> str | None:
    """A digest of what a classifier's training depends on; None where there is nothing of the kind.

    Args:
      config: name and weights of the classifier.
      losses: names of the losses it is trained with.
    """
    weights = config.weights
    return _digest(
        [
            registry.code_digest("models.classifiers", config.name),
            *(registry.code_digest("models.classifier_losses", loss) for loss in losses),
            of_files([("weights", weights)]) if weights is not None and Path(weights).is_file() else None,
        ]
    )


def of_classical(config: Strategy) -> str | None:
    """A digest of the code of a strategy that scikit-learn fits; None for those that come with evenhand."""
    return _digest([registry.code_digest("models.strategies", config.name)])


def _digest(parts: list[str | None]) -> str | None:
    return digest(repr(parts)) if any(parts) else None
