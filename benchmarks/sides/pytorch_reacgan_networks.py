"""The networks of `reacgan` in PyTorch: those of `evenhand.models.networks.reacgan`, layer by layer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

Arrays = dict[str, np.ndarray]
Design = dict[str, Any]

_NORM = {"eps": 1e-4, "momentum": 0.1}


def convolution(inputs: int, outputs: int, kernel: int, *, bias: bool = True) -> nn.Module:
    """A spectrally normalised convolution that keeps height and width."""
    layer = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=bias)
    return spectral_norm(_orthogonal(layer), eps=1e-6)


def dense(inputs: int, outputs: int, *, bias: bool = True) -> nn.Module:
    """A spectrally normalised dense layer."""
    return spectral_norm(_orthogonal(nn.Linear(inputs, outputs, bias=bias)), eps=1e-6)


def _orthogonal(layer: nn.Module) -> nn.Module:
    nn.init.orthogonal_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


class ConditionalNorm(nn.Module):
    """Batch normalisation whose gain and bias are read from a condition."""

    def __init__(self, channels: int, condition: int) -> None:
        super().__init__()
        self.normalization = nn.BatchNorm2d(channels, affine=False, **_NORM)
        self.gain, self.bias = (dense(condition, channels, bias=False) for _ in range(2))

    def forward(self, images: Tensor, condition: Tensor) -> Tensor:
        gain, bias = (layer(condition)[:, :, None, None] for layer in (self.gain, self.bias))
        return (1.0 + gain) * self.normalization(images) + bias


class Attention(nn.Module):
    """Self-attention with pooled keys and values."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        narrow, middle = max(channels // 8, 1), max(channels // 2, 1)
        self.queries = convolution(channels, narrow, 1, bias=False)
        self.keys = convolution(channels, narrow, 1, bias=False)
        self.values = convolution(channels, middle, 1, bias=False)
        self.read = convolution(middle, channels, 1, bias=False)
        self.gain = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        queries = self.queries(x).flatten(2)
        keys, values = (F.max_pool2d(layer(x), 2, ceil_mode=True).flatten(2) for layer in (self.keys, self.values))
        weights = torch.softmax(torch.bmm(queries.transpose(1, 2), keys).float(), dim=-1).to(values.dtype)
        read = torch.bmm(values, weights.transpose(1, 2)).view(len(x), -1, *x.shape[2:])
        return x + self.gain * self.read(read)


class Rise(nn.Module):
    """A block of the generator."""

    def __init__(self, inputs: int, outputs: int, condition: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList([ConditionalNorm(inputs, condition), ConditionalNorm(outputs, condition)])
        self.convolutions = nn.ModuleList(
            [convolution(inputs, outputs, 3), convolution(outputs, outputs, 3), convolution(inputs, outputs, 1)]
        )

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        first, second, shortcut = self.convolutions
        y = first(F.interpolate(F.relu(self.norms[0](x, condition)), scale_factor=2))
        y = second(F.relu(self.norms[1](y, condition)))
        return y + F.interpolate(shortcut(x), scale_factor=2)


class Fall(nn.Module):
    """A block of the discriminator."""

    def __init__(self, inputs: int, outputs: int, *, is_first: bool, halves: bool) -> None:
        super().__init__()
        self.is_first, self.halves = is_first, halves
        layers = [convolution(inputs, outputs, 3), convolution(outputs, outputs, 3)]
        if halves or inputs != outputs:
            layers.append(convolution(inputs, outputs, 1))
        self.convolutions = nn.ModuleList(layers)

    def forward(self, x: Tensor) -> Tensor:
        first, second, *shortcut = self.convolutions
        y = second(F.relu(first(x if self.is_first else F.relu(x))))
        if not shortcut:
            return x + y
        if self.halves:
            x, y = (F.avg_pool2d(part, 2, ceil_mode=True, count_include_pad=False) for part in (x, y))
        return y + shortcut[0](x)


class Generator(nn.Module):
    """(float32[n, latent], int64[n]) -> float32[n, c, h, w] in [-1, 1]."""

    def __init__(self, design: Design) -> None:
        super().__init__()
        height, width, channels = design["image_shape"]
        first, *widths = design["generator_widths"]
        self._size, self._chunk = (height, width), design["chunk_size"]
        self._start = (first, *(-(-side // 2 ** len(widths)) for side in (height, width)))
        condition = design["class_size"] + design["chunk_size"]
        self.classes = nn.Embedding(design["num_classes"], design["class_size"])
        self.first = dense(design["chunk_size"], int(np.prod(self._start)))
        self.blocks = nn.ModuleList(
            Rise(inputs, outputs, condition) for inputs, outputs in zip([first, *widths], widths, strict=False)
        )
        self._attention_after = design["attention"][0]
        self.attention = Attention(widths[self._attention_after - 1])
        self.norm = nn.BatchNorm2d(widths[-1], **_NORM)
        self.last = convolution(widths[-1], channels, 3)

    def forward(self, latents: Tensor, labels: Tensor) -> Tensor:
        classes = self.classes(labels)
        first, *chunks = latents.split(self._chunk, dim=1)
        channels, height, width = self._start
        # The map's numbers stand in the order of rows, columns, channels, as in Keras.
        x = self.first(first).view(-1, height, width, channels).permute(0, 3, 1, 2)
        for number, (block, chunk) in enumerate(zip(self.blocks, chunks, strict=True), start=1):
            x = block(x, torch.cat([classes, chunk], dim=1))
            if number == self._attention_after:
                x = self.attention(x)
        pixels = torch.tanh(self.last(F.relu(self.norm(x))).float())
        return pixels[:, :, : self._size[0], : self._size[1]]

    def load(self, arrays: Arrays) -> None:
        """Takes Keras' weights."""
        convolutions = [layer for block in self.blocks for layer in block.convolutions]
        _load_convolutions("generator", [*convolutions, self.last, *_mixes(self.attention)], arrays)
        _load_dense("generator dense 0", self.first, arrays)
        for number, norm in enumerate(norm for block in self.blocks for norm in block.norms):
            name = f"generator conditional {number}"
            _load_dense(f"{name} gain", norm.gain, arrays)
            _load_dense(f"{name} bias", norm.bias, arrays)
            _load_statistics(f"{name} normalization", norm.normalization, arrays)
        _copy(self.norm.weight, arrays["generator norm 0 gamma"])
        _copy(self.norm.bias, arrays["generator norm 0 beta"])
        _load_statistics("generator norm 0", self.norm, arrays)
        _copy(self.attention.gain, arrays["generator gain 0 gain"])
        _copy(self.classes.weight, arrays["generator embedding 0 embeddings"])


class Discriminator(nn.Module):
    """float32[n, c, h, w] -> (logits float32[n], embeddings float32[n, d])."""

    def __init__(self, design: Design) -> None:
        super().__init__()
        widths = design["discriminator_widths"]
        self._attention_after = design["attention"][1]
        self.blocks = nn.ModuleList(
            Fall(inputs, outputs, is_first=number == 1, halves=number <= design["halvings"])
            for number, (inputs, outputs) in enumerate(
                zip([design["image_shape"][-1], *widths], widths, strict=False), start=1
            )
        )
        self.attention = Attention(widths[self._attention_after - 1])
        self.logit = dense(widths[-1], 1)
        self.embedding = dense(widths[-1], design["embedding_size"])

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        for number, block in enumerate(self.blocks, start=1):
            x = block(x)
            if number == self._attention_after:
                x = self.attention(x)
        features = F.relu(x.float()).sum(dim=(2, 3))
        return self.logit(features)[:, 0].float(), self.embedding(features).float()

    def load(self, arrays: Arrays) -> None:
        """Takes Keras' weights."""
        convolutions = [layer for block in self.blocks for layer in block.convolutions]
        _load_convolutions("discriminator", [*convolutions, *_mixes(self.attention)], arrays)
        _load_dense("discriminator dense 0", self.logit, arrays)
        _load_dense("discriminator dense 1", self.embedding, arrays)
        _copy(self.attention.gain, arrays["discriminator gain 0 gain"])


class Proxies(nn.Module):
    """A spectrally normalised table of vectors, one a class."""

    def __init__(self, design: Design) -> None:
        super().__init__()
        table = nn.Embedding(design["num_classes"], design["embedding_size"])
        nn.init.orthogonal_(table.weight)
        self.table = spectral_norm(table, eps=1e-6, dim=1)

    def forward(self) -> Tensor:
        return self.table.weight

    def load(self, arrays: Arrays) -> None:
        """Takes Keras' weights."""
        _load_spectral(self.table, arrays["proxies kernel"], arrays["proxies u"])


def _mixes(attention: Attention) -> Iterator[nn.Module]:
    return iter((attention.queries, attention.keys, attention.values, attention.read))


def _copy(tensor: Tensor, array: np.ndarray) -> None:
    with torch.no_grad():
        tensor.copy_(torch.from_numpy(np.array(array, order="C")))


def _load_convolutions(network: str, layers: list[nn.Module], arrays: Arrays) -> None:
    for number, layer in enumerate(layers):
        name = f"{network} convolution {number}"
        _load_spectral(layer, arrays[f"{name} kernel"].transpose(3, 2, 0, 1), arrays[f"{name} u"])
        if layer.bias is not None:
            _copy(layer.bias, arrays[f"{name} bias"])


def _load_dense(name: str, layer: nn.Module, arrays: Arrays) -> None:
    _load_spectral(layer, arrays[f"{name} kernel"].T, arrays[f"{name} u"])
    if layer.bias is not None:
        _copy(layer.bias, arrays[f"{name} bias"])


def _load_statistics(name: str, layer: nn.BatchNorm2d, arrays: Arrays) -> None:
    _copy(layer.running_mean, arrays[f"{name} moving_mean"])
    _copy(layer.running_var, arrays[f"{name} moving_variance"])


def _load_spectral(layer: nn.Module, weight: np.ndarray, u: np.ndarray) -> None:
    """Sets a weight and u; v is what u gives, as Keras' layer has it at inference."""
    _copy(layer.parametrizations.weight.original, weight)
    norm = layer.parametrizations.weight[0]
    matrix = weight.T if norm.dim == 1 else weight.reshape(len(weight), -1)
    u = u[:, 0] / np.linalg.norm(u)
    v = u @ matrix
    _copy(norm._u, u)
    _copy(norm._v, v / np.linalg.norm(v))
