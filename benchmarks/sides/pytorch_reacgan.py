"""The training step of `reacgan` in PyTorch: the same losses, augmentation, optimizers and running average as ours."""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.sides.pytorch_reacgan_networks import Design, Discriminator, Generator, Proxies
from benchmarks.sides.pytorch_ways import WAYS, Clocks, Step, Way
from benchmarks.turns import serve

IMAGES_IN_MEMORY = 4096
_SHIFT, _CUTOUT = 0.125, 0.5
_EPSILON = 1e-6


class Side:
    """Answers for the settings `size`, `channels`, `classes`, `batch`."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self._settings = settings
        self.clocks = Clocks(self._build)
        self._design: Design = {}

    def agree(self, path: str) -> dict[str, float]:
        """Parameters, and the largest difference of outputs and losses, with what the other side wrote."""
        arrays = dict(np.load(path))
        self._design = json.loads(str(arrays.pop("design")))
        assert self._design["augmentation"] == ["translation", "cutout"] and self._design["discriminator_steps"] == 1
        generator, discriminator, proxies = networks = self._networks()
        for network in networks:
            network.load(arrays)
            network.eval()
        latents, images = (torch.from_numpy(arrays[name].copy()) for name in ("latents", "images"))
        labels = torch.from_numpy(arrays["labels"]).long()
        with torch.no_grad():
            logits, embeddings = discriminator(images.permute(0, 3, 1, 2))
            losses = [
                data_to_data(embeddings, proxies(), labels, self._design),
                hinge(*logits.chunk(2)),
                -logits.mean(),
            ]
            outputs = {
                "drawn": generator(latents, labels).permute(0, 2, 3, 1),
                "logits": logits,
                "embeddings": embeddings,
                "losses": torch.stack(losses),
            }
        return {
            "parameters": sum(parameter.numel() for network in networks for parameter in network.parameters()),
            "difference": max(float(np.abs(value.numpy() - arrays[name]).max()) for name, value in outputs.items()),
        }

    def _networks(self) -> tuple[Generator, Discriminator, Proxies]:
        torch.manual_seed(0)
        return Generator(self._design), Discriminator(self._design), Proxies(self._design)

    def _build(self, way: Way) -> Step:
        training = Training(self._networks(), self._design, way)
        size, channels, batch = (self._settings[name] for name in ("size", "channels", "batch"))
        images = torch.randint(256, (IMAGES_IN_MEMORY, channels, size, size), dtype=torch.uint8)
        labels = torch.randint(self._settings["classes"], (IMAGES_IN_MEMORY,))

        def step() -> None:
            rows = torch.randint(IMAGES_IN_MEMORY, (batch,))
            real = (images[rows].float() / 127.5 - 1.0).contiguous(memory_format=way.memory_format)
            training.step(real, labels[rows])

        return step


class Training:
    """Both updates of a step, and the running average of the generator."""

    def __init__(self, networks: tuple[Generator, Discriminator, Proxies], design: Design, way: Way) -> None:
        generator, discriminator, self._proxies = networks
        self._design, self._way = design, way
        self._average = [tensor.detach().clone() for tensor in _floats(generator)]
        self._followed = _floats(generator)
        self._judges = [*discriminator.parameters(), *self._proxies.parameters()]
        self._draw, self._judge = way.of(generator), way.of(discriminator)
        betas = (design["beta_1"], 0.999)
        self._improve_generator = torch.optim.Adam(
            generator.parameters(), design["generator_learning_rate"], betas, _EPSILON, fused=True
        )
        self._improve_discriminator = torch.optim.Adam(
            self._judges, design["discriminator_learning_rate"], betas, _EPSILON, fused=True
        )
        self._latent_size = design["chunk_size"] * len(design["generator_widths"])

    def step(self, real: Tensor, labels: Tensor) -> None:
        """On float32[n, c, h, w] in [-1, 1] and int64[n]."""
        design, weight = self._design, self._design["classification_weight"]
        latents = torch.randn(len(labels), self._latent_size)
        with self._way.precision():
            with torch.no_grad():
                synthetic = self._draw(latents, labels)
            logits, embeddings = self._judge(augment(torch.cat([real, synthetic])))
            classification = data_to_data(embeddings.chunk(2)[0], self._proxies(), labels, design)
            loss = hinge(*logits.chunk(2)) + weight * classification
        self._improve_discriminator.zero_grad(set_to_none=True)
        loss.backward()
        self._improve_discriminator.step()

        # The discriminator's own gradients are not needed in the generator's turn.
        for parameter in self._judges:
            parameter.requires_grad_(False)
        with self._way.precision():
            logits, embeddings = self._judge(augment(self._draw(torch.randn_like(latents), labels)))
            loss = weight * data_to_data(embeddings, self._proxies(), labels, design) - logits.mean()
        self._improve_generator.zero_grad(set_to_none=True)
        loss.backward()
        self._improve_generator.step()
        for parameter in self._judges:
            parameter.requires_grad_(True)
        with torch.no_grad():
            torch._foreach_lerp_(self._average, self._followed, 1.0 - design["average_decay"])


def _floats(network: nn.Module) -> list[Tensor]:
    return [tensor.detach() for tensor in network.state_dict(keep_vars=True).values() if tensor.is_floating_point()]


def hinge(real: Tensor, synthetic: Tensor) -> Tensor:
    """The discriminator's hinge loss."""
    return F.relu(1.0 - real).mean() + F.relu(1.0 + synthetic).mean()


def data_to_data(embeddings: Tensor, proxies: Tensor, labels: Tensor, design: Design) -> Tensor:
    """Data-to-data cross-entropy (ReACGAN, equation 8)."""
    margin, temperature = design["positive_margin"], design["temperature"]
    features, anchors = F.normalize(embeddings.float(), dim=1), F.normalize(proxies.float()[labels], dim=1)
    pull = F.relu((margin - (features * anchors).sum(dim=1)) / temperature)
    push = F.relu((features @ features.T - (1.0 - margin)) / temperature)
    push = push.masked_fill(labels[:, None] == labels[None, :], -1e9)
    return (pull + torch.logsumexp(torch.cat([-pull[:, None], push], dim=1), dim=1)).mean()


def augment(images: Tensor) -> Tensor:
    """`translation` and `cutout` of `evenhand.models.training.differentiable_augmentation`."""
    number, _, height, width = images.shape
    rows, columns = (_shifts(number, side, images.dtype) for side in (height, width))
    moved = rows[:, None] @ images @ columns[:, None].transpose(2, 3)
    kept = 1.0 - _covered(number, height)[:, None, :, None] * _covered(number, width)[:, None, None, :]
    return moved * kept.to(images.dtype)


def _shifts(number: int, side: int, dtype: torch.dtype) -> Tensor:
    """[n, side, side]: row i takes pixel i - shift, or the edge; matrix products have the quicker gradient."""
    shifts = torch.round((2 * torch.rand(number) - 1) * _SHIFT * side).long()
    sources = (torch.arange(side)[None, :] - shifts[:, None]).clamp(0, side - 1)
    return F.one_hot(sources, side).to(dtype)


def _covered(number: int, side: int) -> Tensor:
    length = int(side * _CUTOUT + 0.5)
    first = torch.floor(torch.rand(number) * (side + 1 - length % 2)) - length // 2
    place = torch.arange(side)[None, :] - first[:, None]
    return ((place >= 0) & (place < length)).float()


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
