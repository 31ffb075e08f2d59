"""Drawing in aligned blocks: any division of the work gives the same bytes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from evenhand.errors import UserError
from evenhand.models.sample_generator import BLOCK, plan, sample_generator

seen: list[tuple[int, int]] = []


def sampler(labels: NDArray[np.int32], seeds: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Images whose first pixel is the label and whose others spell the seed; one pixel tells the size of the call."""
    seen.append((len(labels), int(seeds[0])))
    pixels = np.stack([labels, seeds % 256, seeds // 256, np.full_like(seeds, len(seeds))], axis=-1)
    return pixels.reshape(-1, 2, 2, 1).astype(np.uint8)


def test_images_of_the_seeds_asked_for() -> None:
    images = sample_generator(sampler, label=3, first_seed=60, count=10)
    assert images.shape == (10, 2, 2, 1)
    assert images.dtype == np.uint8
    np.testing.assert_array_equal(images[:, 0, 0, 0], 3)
    np.testing.assert_array_equal(images[:, 0, 1, 0], np.arange(60, 70))


def test_only_whole_aligned_blocks_are_drawn() -> None:
    seen.clear()
    sample_generator(sampler, label=0, first_seed=60, count=10)
    assert seen == [(64, 0), (64, 64)]


@settings(max_examples=50)
@given(st.integers(0, 300), st.integers(0, 200), st.integers(0, 200))
def test_any_division_gives_the_same_bytes(first: int, one: int, two: int) -> None:
    whole = sample_generator(sampler, label=1, first_seed=first, count=one + two)
    parts = [
        sample_generator(sampler, label=1, first_seed=first, count=one),
        sample_generator(sampler, label=1, first_seed=first + one, count=two),
    ]
    np.testing.assert_array_equal(whole, np.concatenate(parts))


def test_no_images() -> None:
    assert sample_generator(sampler, label=0, count=0).shape == (0, 2, 2, 1)
    assert sample_generator(sampler, label=0, first_seed=BLOCK, count=0).shape == (0, 2, 2, 1)


@pytest.mark.parametrize(("first", "count"), [(-1, 2), (0, -1)])
def test_negative_numbers_are_refused(first: int, count: int) -> None:
    with pytest.raises(ValueError, match="may not be negative"):
        sample_generator(sampler, label=0, first_seed=first, count=count)


def test_plan_a_number_for_every_class() -> None:
    assert plan(1000, [90, 5, 3]) == [1000, 1000, 1000]


def test_plan_balance_fills_up_to_the_largest_class() -> None:
    assert plan("balance", [90, 5, 3]) == [0, 85, 87]
    with pytest.raises(UserError, match="nothing to draw"):
        plan("balance", [7, 7])
