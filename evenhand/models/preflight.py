"""What can be known to be wrong with the models of a config before anything is trained."""

from __future__ import annotations

import os

from evenhand import registry
from evenhand.config import RunConfig, parse_options
from evenhand.errors import UserError
from evenhand.models import extractor_choice, outside_inputs
from evenhand.models.filter_chain import check_filters
from evenhand.models.training.warm_up import check_steps


def check_models(config: RunConfig) -> None:
    """Validates options of generator, filters, extractor and classifier and looks for their files, building nothing.

    Raises:
      UserError: naming the field that is wrong.
    """
    generator = registry.load("models.generators", config.generator.name)
    options = parse_options(generator.Options, config.generator.options, "generator.options")
    if hasattr(generator, "AUTOENCODER"):
        check_steps(config.generator, getattr(options, "warm_up_steps", 0))
    if getattr(generator, "NEEDS_KEYPOINTS", False) and config.data.keypoints is None:
        raise UserError(
            "data.keypoints", f"is null, and {config.generator.name} draws from poses", "give a model or a folder"
        )
    # Reads what the options name, and so tells that it is not there.
    outside_inputs.of_generator(config.generator)
    check_filters(config)
    extractor_choice.fingerprint(config.evaluation.extractor, "evaluation.extractor")
    classifier = registry.load("models.classifiers", config.classifier.name)
    parse_options(classifier.Options, config.classifier.options, "classifier.options")
    weights = config.classifier.weights
    if weights not in (None, "imagenet") and not os.path.isfile(str(weights)):
        raise UserError(
            "classifier.weights", f"there is no file {weights}", "use null, imagenet or a local weights file"
        )
