"""The classifier `cnn` as evenhand trains it: images drawn from memory by `training_batches`, the shared step."""

from __future__ import annotations

import json
import sys
from typing import Any

import keras
import numpy as np

from benchmarks.sides.keras_ways import Clocks, Fit, noise, perturb
from benchmarks.turns import serve
from evenhand.config import Classifier, Device
from evenhand.data.blend import Draws
from evenhand.data.training_batches import training_batches
from evenhand.models.training.classification import SharedClassifier, build_network

NAME = "cnn"
CHECKED_IMAGES = 8


class Side:
    """Answers for the settings `size`, `channels`, `classes`, `batch`."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self._settings = settings
        self.clocks = Clocks(self._build, NAME)

    def agree(self, path: str) -> dict[str, float]:
        """Writes weights, images and the network's outputs; gives the number of parameters."""
        size, channels, classes = (self._settings[name] for name in ("size", "channels", "classes"))
        network = build_network(Classifier(name=NAME), (size, size, channels), classes, seed=0)
        perturb(network.weights)
        images = noise(size, channels, classes).images[:CHECKED_IMAGES].astype(np.float32)
        outputs = np.asarray(network(images, training=False))
        np.savez(path, images=images, outputs=outputs, **_arrays(network))
        return {"parameters": int(sum(np.prod(weight.shape) for weight in network.trainable_weights))}

    def _build(self, device: Device) -> Fit:
        size, channels, classes = (self._settings[name] for name in ("size", "channels", "classes"))
        shared = SharedClassifier(Classifier(name=NAME), (size, size, channels), classes, device, looks_every=None)
        shared.rate.set(1e-3, warm_up=0, steps=10**6)
        table = noise(size, channels, classes)
        draws = Draws(table, None, batch_size=self._settings["batch"], sampling="instance", seed=0)
        return shared.model, lambda steps: training_batches(draws, seed=0, num_steps=steps)


def _arrays(network: keras.Model) -> dict[str, np.ndarray]:
    """The weights by kind and number of layer."""
    kinds = {
        "convolution {}": keras.layers.Conv2D,
        "dense {}": keras.layers.Dense,
        "norm": keras.layers.BatchNormalization,
    }
    return {
        f"{name.format(number)} {weight.name}": np.asarray(weight)
        for name, kind in kinds.items()
        for number, layer in enumerate(layer for layer in network.layers if isinstance(layer, kind))
        for weight in layer.weights
    }


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
