"""The classifier `cnn` in PyTorch: the same layers, loss and optimizer as `evenhand.models.classifiers.cnn`."""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.sides.pytorch_ways import WAYS, Clocks, Step, Way
from benchmarks.turns import serve

IMAGES_IN_MEMORY = 4096


class CNN(nn.Module):
    """float32[n, c, h, w] in 0..255 -> float32[n, num_classes] logits."""

    def __init__(self, size: int, channels: int, num_classes: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, 32, 3, padding=1)
        self.norm = nn.BatchNorm2d(32, eps=1e-5, momentum=0.1)
        self.second = nn.Conv2d(32, 32, 3, padding=1)
        self.third = nn.Conv2d(32, 48, 3, padding=1)
        self.fourth = nn.Conv2d(48, 64, 3, padding=1)
        self.hidden = nn.Linear((size // 4) ** 2 * 64, 128)
        self.logits = nn.Linear(128, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        x = images / 127.5 - 1.0
        x = self.norm(F.relu(self.first(x)))
        x = F.max_pool2d(F.relu(self.second(x)), 2)
        x = F.relu(self.third(x))
        x = F.max_pool2d(F.relu(self.fourth(x)), 2)
        return self.logits(F.relu(self.hidden(torch.flatten(x, 1))))

    def load(self, arrays: dict[str, np.ndarray]) -> None:
        """Takes Keras' weights; the hidden layer reads its map by channel, row, column, not by row, column, channel."""
        convolutions = (self.first, self.second, self.third, self.fourth)
        for number, layer in enumerate(convolutions):
            _copy(layer.weight, arrays[f"convolution {number} kernel"].transpose(3, 2, 0, 1))
            _copy(layer.bias, arrays[f"convolution {number} bias"])
        for name, tensor in (
            ("gamma", self.norm.weight),
            ("beta", self.norm.bias),
            ("moving_mean", self.norm.running_mean),
            ("moving_variance", self.norm.running_var),
        ):
            _copy(tensor, arrays[f"norm {name}"])
        kernel = arrays["dense 0 kernel"]
        side = round((len(kernel) // 64) ** 0.5)
        by_channel = kernel.reshape(side, side, 64, -1).transpose(3, 2, 0, 1)
        _copy(self.hidden.weight, by_channel.reshape(kernel.shape[1], -1))
        _copy(self.hidden.bias, arrays["dense 0 bias"])
        _copy(self.logits.weight, arrays["dense 1 kernel"].T)
        _copy(self.logits.bias, arrays["dense 1 bias"])


def _copy(tensor: Tensor, array: np.ndarray) -> None:
    with torch.no_grad():
        tensor.copy_(torch.from_numpy(np.array(array, order="C")))


class Side:
    """Answers for the settings `size`, `channels`, `classes`, `batch`."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self._settings = settings
        self.clocks = Clocks(self._build)

    def agree(self, path: str) -> dict[str, float]:
        """Parameters, and the largest difference of outputs, with the weights and images that the other side wrote."""
        network, arrays = self._network(), dict(np.load(path))
        network.load(arrays)
        network.eval()
        with torch.no_grad():
            outputs = network(torch.from_numpy(arrays["images"].transpose(0, 3, 1, 2).copy())).numpy()
        return {
            "parameters": sum(parameter.numel() for parameter in network.parameters()),
            "difference": float(np.abs(outputs - arrays["outputs"]).max()),
        }

    def _network(self) -> CNN:
        return CNN(self._settings["size"], self._settings["channels"], self._settings["classes"])

    def _build(self, way: Way) -> Step:
        torch.manual_seed(0)
        size, batch = self._settings["size"], self._settings["batch"]
        images = torch.rand(IMAGES_IN_MEMORY, self._settings["channels"], size, size) * 255
        labels = torch.randint(self._settings["classes"], (IMAGES_IN_MEMORY,))
        network = self._network()
        optimizer = torch.optim.Adam(network.parameters(), lr=1e-3, fused=True)
        forward = way.of(network)

        def step() -> None:
            rows = torch.randint(IMAGES_IN_MEMORY, (batch,))
            optimizer.zero_grad(set_to_none=True)
            with way.precision():
                logits = forward(images[rows].contiguous(memory_format=way.memory_format))
            F.cross_entropy(logits.float(), labels[rows]).backward()
            optimizer.step()

        return step


if __name__ == "__main__":
    side = Side(json.loads(sys.argv[1]))
    serve(
        {
            "agree": side.agree,
            "ways": lambda: list(WAYS),
            "prepare": side.clocks.prepare,
            "seconds": side.clocks.seconds,
        }
    )
