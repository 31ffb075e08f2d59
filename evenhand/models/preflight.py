"""What can be known to be wrong with the models of a config before anything is trained."""

from __future__ import annotations

import os

from evenhand import registry
from evenhand.config import Device, RunConfig, parse_options
from evenhand.data.blend import num_second
from evenhand.errors import UserError
from evenhand.models import extractor_choice, outside_inputs
from evenhand.models.arms import strategy_phases
from evenhand.models.filter_chain import check_filters
from evenhand.models.training.warm_up import check_steps


def check_run(config: RunConfig) -> None:
    """`check_models`, and whether this machine has the devices that are asked for.

    A graph for a cluster is compiled where there may be none of its devices, and needs the former alone.

    Raises:
      UserError: naming the field that is wrong.
    """
    from evenhand.models.training.device import check_batch_size, resolve

    check_models(config)
    device = resolve(config.device, config.classifier.name)
    check_batch_size(config.training.batch_size, device, "training.batch_size")
    if _draws_images(config) and _learns_in_every_step(config.generator.name):
        device = resolve(config.device, config.generator.name)
        check_batch_size(config.generator.batch_size, device, "generator.batch_size")


def check_models(config: RunConfig) -> None:
    """Validates options of generator, filters, extractor and classifier and looks for their files, building nothing.

    Looks also whether batches are large enough for the strategies, and nodes can be distributed as is asked for.

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
    if hasattr(classifier, "check_weights"):
        classifier.check_weights(weights)
    _check_shares(config)
    _check_distribution(config.device)


def what_needs_validation(config: RunConfig) -> tuple[str, str]:
    """The field for which a search needs a validation image, and what to do else than to add some."""
    return ("tuning", "set it to null") if config.strategies else ("strategies", "name the strategies")


def _draws_images(config: RunConfig) -> bool:
    """Whether the run may train its generator, which a search that chooses the strategies does, too."""
    phases = [phase for strategy in config.strategies for phase in strategy_phases(strategy)]
    return not config.strategies or any(phase.uses_synthetic for phase in phases)


def _learns_in_every_step(generator: str) -> bool:
    """Whether it is known, with nothing built, that no update of a generator rests in some steps.

    One of which some do trains on a single device, whatever its batches. Of evenhand's own these are those with a
    warm-up; a module of the user's own is asked when it is trained.
    """
    is_own = generator in registry.names("models.generators")
    return is_own and not hasattr(registry.load("models.generators", generator), "AUTOENCODER")


def _check_shares(config: RunConfig) -> None:
    """Looks whether a batch holds both shares of every phase that trains on real and synthetic images at once."""
    for strategy in config.strategies:
        shares = [phase.blend.share for phase in strategy_phases(strategy) if phase.blend is not None]
        for share in shares:
            if share == "balance":
                continue
            try:
                num_second(config.training.batch_size, share)
            except UserError as error:
                option = f"strategies.{strategy.name}.options.synthetic_share"
                otherwise = f", or bring {option} nearer to 0.5" if "synthetic_share" in strategy.options else ""
                raise UserError(
                    error.where, f"{error.problem}, as {strategy.name} does", error.remedy + otherwise
                ) from error


def _check_distribution(device: Device) -> None:
    """Refuses what no node of a pipeline can do, wherever it runs."""
    from evenhand.models.training.device import check_steps_per_execution

    if device.distribution == "multi_worker":
        raise UserError(
            "device.distribution",
            "should be auto, none, mirrored or tpu, not multi_worker: a node of a pipeline runs on one machine",
            "use auto, or train by a script of your own on each machine (docs/configuration.md)",
        )
    if device.distribution == "mirrored":
        check_steps_per_execution(device)
