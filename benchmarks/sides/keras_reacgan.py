"""The training step of `reacgan` as evenhand takes it: both updates, the running average, images drawn from memory."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from benchmarks.sides.keras_ways import Clocks, Fit, noise, perturb
from benchmarks.turns import serve
from evenhand.config import Device
from evenhand.data.batches import batches
from evenhand.models.generators import reacgan
from evenhand.models.losses import d2d_cross_entropy, hinge_discriminator, hinge_generator
from evenhand.models.networks.conditional_norm import ConditionalBatchNormalization
from evenhand.models.networks.reacgan import ScalarGain, blocks_for
from evenhand.models.networks.spectral_norm import SpectralConv2D, SpectralDense
from evenhand.models.training.device import resolve

NAME = "reacgan"
CHECKED_IMAGES = 8
_KINDS = {
    "convolution": SpectralConv2D,
    "dense": SpectralDense,
    "conditional": ConditionalBatchNormalization,
    "norm": keras.layers.BatchNormalization,
    "gain": ScalarGain,
    "embedding": keras.layers.Embedding,
}


class Side:
    """Answers for the settings `size`, `channels`, `classes`, `batch`."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self._settings = settings
        self.clocks = Clocks(self._build, NAME)
        self._table = noise(settings["size"], settings["channels"], settings["classes"])

    def agree(self, path: str) -> dict[str, Any]:
        """Writes weights, inputs, outputs and losses; gives the number of parameters."""
        model = self._model()
        networks = model.generator, model.discriminator, model.proxies
        for network in networks:
            perturb(network.weights)
        np.savez(path, design=json.dumps(self._design(model)), **_arrays(model), **self._outputs(model))
        weights = [weight for network in networks for weight in network.trainable_weights]
        return {"parameters": int(sum(np.prod(weight.shape) for weight in weights))}

    def _model(self) -> reacgan.ReACGAN:
        return reacgan.build(reacgan.Options(), self._table, seed=0)

    def _build(self, device: Device) -> Fit:
        resolved = resolve(device, NAME)
        with resolved.scope():
            model = self._model()
            model.prepare(jit_compile=resolved.jit_compile, steps_per_execution=resolved.steps_per_execution)
        drawn = {"batch_size": self._settings["batch"] * model.batches_per_step, "sampling": "instance", "seed": 0}
        return model, lambda steps: batches(self._table, num_steps=steps, **drawn)

    def _design(self, model: reacgan.ReACGAN) -> dict[str, Any]:
        """What the other side must know to build the same networks and take the same step."""
        options, shape = model.options, self._table.image_shape
        blocks = blocks_for(shape, options.size)
        return {
            **options.model_dump(mode="json"),
            "image_shape": shape,
            "num_classes": model.num_classes,
            "generator_widths": [options.width * multiple for multiple in blocks.generator],
            "discriminator_widths": [options.width * multiple for multiple in blocks.discriminator],
            "halvings": blocks.halvings,
            "attention": blocks.attention,
        }

    def _outputs(self, model: reacgan.ReACGAN) -> dict[str, np.ndarray]:
        numbers = np.random.default_rng(2)
        latents = numbers.standard_normal((CHECKED_IMAGES, model.latent_size)).astype(np.float32)
        labels = (np.arange(CHECKED_IMAGES) % model.num_classes).astype(np.int32)
        images = self._table.images[:CHECKED_IMAGES].astype(np.float32) / 127.5 - 1.0
        drawn = model.generator([latents, labels], training=False)
        logits, embeddings = model.discriminator(images, training=False)
        options = model.options
        classification = d2d_cross_entropy(
            embeddings,
            model.proxies(np.arange(model.num_classes), training=False),
            labels,
            temperature=options.temperature,
            positive_margin=options.positive_margin,
            negative_margin=1.0 - options.positive_margin,
        )
        half = CHECKED_IMAGES // 2
        losses = [classification, hinge_discriminator(logits[:half], logits[half:]), hinge_generator(logits)]
        return {
            "latents": latents,
            "labels": labels,
            "images": images,
            "drawn": np.asarray(drawn),
            "logits": np.asarray(logits),
            "embeddings": np.asarray(embeddings),
            "losses": np.array([float(loss) for loss in losses]),
        }


def _arrays(model: reacgan.ReACGAN) -> dict[str, np.ndarray]:
    """The weights by network, kind and number of layer, in the order in which the layers were made."""
    arrays = {f"proxies {weight.name}": np.asarray(weight) for weight in model.proxies.weights}
    for name, network in (("generator", model.generator), ("discriminator", model.discriminator)):
        for kind, layer_class in _KINDS.items():
            layers = [layer for layer in network.layers if isinstance(layer, layer_class)]
            for number, layer in enumerate(_in_order(layers)):
                for part, weights in _parts(layer).items():
                    for weight in weights:
                        arrays[f"{name} {kind} {number} {part}{weight.name}"] = np.asarray(weight)
    return arrays


def _parts(layer: keras.layers.Layer) -> dict[str, list[keras.Variable]]:
    if isinstance(layer, ConditionalBatchNormalization):
        return {f"{part} ": getattr(layer, part).weights for part in ("gain", "bias", "normalization")}
    return {"": layer.weights}


def _in_order(layers: Sequence[keras.layers.Layer]) -> list[keras.layers.Layer]:
    """As they were made: Keras numbers the layers of a class, except those that were given a name of their own."""
    own = {"queries": 0, "keys": 1, "values": 2, "read": 3}
    number = re.compile(r"_(\d+)$")

    def place(layer: keras.layers.Layer) -> tuple[int, int]:
        if layer.name in own:
            return 1, own[layer.name]
        found = number.search(layer.name)
        return 0, int(found.group(1)) if found else 0

    return sorted(layers, key=place)


if __name__ == "__main__":
    side = Side(json.loads(sys.argv[1]))
    serve(
        {
            "agree": side.agree,
            "ways": side.clocks.described,
            "prepare": side.clocks.prepare,
            "seconds": side.clocks.seconds,
        }
    )
