"""Synthetic images as tf.Examples: a shard holds whole seed blocks of one class, so any worker writes the same."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from evenhand import progress
from evenhand.data import decode, records
from evenhand.models.generator_artifact import Sampler, load_sampler
from evenhand.models.sample_generator import BLOCK, sample_generator

SHARD_IMAGES = 16 * BLOCK


@dataclass(frozen=True)
class SyntheticShard:
    """One file of synthetic images.

    Attributes:
      plan: names the plan that it is part of; a worker loads the generator once for each.
      generator: folder of the Generator artifact.
      label: class of the images.
      class_name: its name.
      first_seed: seed of the first image, a multiple of `BLOCK`; the others follow one by one.
      count: images in the file.
      path: the file.
    """

    plan: str
    generator: str
    label: int
    class_name: str
    first_seed: int
    count: int
    path: str


def plan_shards(generator: str, class_names: Sequence[str], counts: Sequence[int], folder: str) -> list[SyntheticShard]:
    """Divides `counts[c]` images of each class, seeds 0 to counts[c] - 1, into files below `folder`/Split-train."""
    pieces = [
        (label, first, min(SHARD_IMAGES, count - first))
        for label, count in enumerate(counts)
        for first in range(0, count, SHARD_IMAGES)
    ]
    plan = uuid.uuid4().hex
    return [
        SyntheticShard(
            plan=plan,
            generator=generator,
            label=label,
            class_name=class_names[label],
            first_seed=first,
            count=count,
            path=f"{folder}/Split-train/{records.shard_name(index, len(pieces))}",
        )
        for index, (label, first, count) in enumerate(pieces)
    ]


@lru_cache(maxsize=1)
def _sampler(plan: str, generator: str) -> Sampler:
    # One load per worker process and plan: loading a SavedModel costs a second, drawing a block milliseconds. A run
    # into a folder that was emptied has another generator under the same path.
    return load_sampler(generator)


def write_synthetic_shard(shard: SyntheticShard) -> str:
    """Draws and writes one shard; returns its path."""
    sampler = _sampler(shard.plan, shard.generator)
    images = sample_generator(sampler, label=shard.label, first_seed=shard.first_seed, count=shard.count)
    records.write_shard(
        shard.path,
        (
            records.encode_example(
                decode.encode_png(pixels, synthetic=True),
                image_shape=pixels.shape,
                image_id=f"synthetic/{sampler.name}/{shard.class_name}/{shard.first_seed + offset}",
                label=shard.label,
                class_name=shard.class_name,
                split="train",
                source="synthetic",
                seed=shard.first_seed + offset,
                generator_digest=sampler.card.weights_sha256,
            )
            for offset, pixels in enumerate(images)
        ),
    )
    progress.advance(f"draw {shard.class_name}", shard.first_seed + shard.count, None, unit="image")
    return shard.path
