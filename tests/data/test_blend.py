"""Batches of two tables: exact shares, the law of their labels, pools that balance."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy.stats import chisquare

from evenhand.config import Augmentation, Mixing
from evenhand.data.blend import Blend, Draws
from evenhand.data.image_table import ImageTable
from evenhand.data.sampling import undersampled
from evenhand.data.training_batches import training_batches
from evenhand.errors import UserError

REAL, SYNTHETIC = 0, 100


def table(counts, source: int = REAL, size: int = 4) -> ImageTable:
    """Every pixel of an image holds its source's number plus its label."""
    labels = np.repeat(np.arange(len(counts)), counts).astype(np.int32)
    images = np.broadcast_to((labels + source).astype(np.uint8)[:, None, None, None], (len(labels), size, size, 1))
    return ImageTable(images, labels, np.arange(len(labels)).astype(str), tuple("abcdefgh"[: len(counts)]))


def draws(share=0.5, *, real=(40, 10, 5), synthetic=(20, 20, 20), batch_size=16, weight=None, most=None, **settings):
    blend = Blend(share=share, weight=weight, most=most)
    arguments = {"batch_size": batch_size, "sampling": "instance", "seed": 0, **settings}
    return Draws(table(real), table(synthetic, SYNTHETIC), blend=blend, **arguments)


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 64), st.floats(0.01, 0.99), st.integers(0, 3), st.sampled_from(["instance", "balanced", "sqrt"]))
def test_every_batch_has_exactly_the_shares_asked_for(batch_size, share, step, sampling):
    expected = round(share * batch_size)
    if not 0 < expected < batch_size:
        with pytest.raises(UserError, match=r"training\.batch_size"):
            draws(share, batch_size=batch_size)
        return
    drawn = draws(share, batch_size=batch_size, sampling=sampling)
    rows, is_second = drawn(step)
    assert is_second.sum() == expected
    pixels = drawn.images(rows, is_second)[:, 0, 0, 0]
    assert (pixels >= SYNTHETIC).sum() == expected
    np.testing.assert_array_equal(pixels % SYNTHETIC, drawn.labels(rows, is_second))
    # Half of the batch, as a second replica would get it, has half of either, but for one image.
    assert abs(is_second[: batch_size // 2].sum() - expected / 2) <= 1


def test_the_order_is_a_function_of_seed_and_step():
    one, again, other = draws(), draws(), draws(seed=2)
    for step in (0, 7):
        np.testing.assert_array_equal(one(step)[0], again(step)[0])
    assert not np.array_equal(one(3)[0], other(3)[0])
    # The two streams are independent: equal tables are not drawn alike.
    twin = Draws(table([30] * 3), table([30] * 3), batch_size=32, sampling="balanced", seed=0, blend=Blend(share=0.5))
    rows, is_second = twin(0)
    assert not np.array_equal(rows[is_second], rows[~is_second])


@pytest.mark.parametrize("weight", [0.25, 1.0, 3.0])
@pytest.mark.parametrize("share", [0.25, 0.5])
def test_weights_make_the_loss_real_plus_lambda_synthetic(share, weight):
    drawn = draws(share, weight=weight)
    losses = np.random.default_rng(0).uniform(size=16)
    _, is_second = drawn(0)
    expected = losses[~is_second].mean() + weight * losses[is_second].mean()
    assert (losses * drawn.weights).mean() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"weight": 0.5},
        {"share": 0.25, "sampling": "balanced"},
        {"share": "balance"},
        {"share": "balance", "most": 1.0},
        {"share": 0.25, "mixing": Mixing(pairs="across", alpha=1.0)},
        {"share": 0.25, "mixing": Mixing(pairs="across", alpha=1.0, probability=0.5)},
        {"share": 0.25, "mixing": Mixing(pairs="any")},
    ],
)
def test_class_counts_are_the_law_of_what_the_loss_sees(settings):
    mixing = settings.pop("mixing", None)
    drawn = draws(**settings)
    law = drawn.class_counts(mixing)
    batches = training_batches(drawn, seed=0, num_steps=400, mixing=mixing).as_numpy_iterator()
    seen = sum(targets.sum(axis=0) for _, targets in batches)
    np.testing.assert_allclose(seen / seen.sum(), law / law.sum(), atol=0.02)


def test_a_pool_gives_each_class_what_it_lacks():
    drawn = draws("balance", batch_size=20)
    assert drawn.num_images == 120
    np.testing.assert_array_equal(drawn.class_counts(), [40, 40, 40])
    seen = [drawn(step) for step in range(6)]
    rows, is_second = (np.concatenate(part) for part in zip(*seen, strict=True))
    # One epoch: each real image once, none of the largest class's synthetic images, and the lowest seeds of the others,
    # all 20 of each, again from the start where more are lacking.
    np.testing.assert_array_equal(np.sort(rows[~is_second]), np.arange(55))
    expected = np.concatenate([np.arange(20, 40), np.arange(20, 30), np.arange(40, 60), np.arange(40, 55)])
    np.testing.assert_array_equal(np.sort(rows[is_second]), np.sort(expected))


def test_repeated_images_are_told(caplog):
    draws("balance", synthetic=(40, 40, 40))
    assert not caplog.records
    draws("balance", synthetic=(20, 29, 40))
    assert "b (29 of 30)" in caplog.text and "c (" not in caplog.text


def test_a_pool_can_be_bounded():
    np.testing.assert_array_equal(draws("balance", most=1.5).class_counts(), [40, 25, 12])
    # However large the bound, a class gets what it lacks.
    np.testing.assert_array_equal(draws("balance", most=1e300).class_counts(), [40, 40, 40])


def test_a_pool_of_two_equal_tables_repeats_images():
    real = table((4, 2, 1))
    drawn = Draws(real, real, batch_size=12, sampling="instance", seed=0, blend=Blend(share="balance"))
    rows, is_second = drawn(0)
    np.testing.assert_array_equal(np.sort(real.labels[rows]), np.repeat([0, 1, 2], 4))
    np.testing.assert_array_equal(np.sort(rows[is_second]), [4, 5, 6, 6, 6])


def test_without_a_second_table_batches_are_those_of_the_sampler():
    real = table((40, 10, 5))
    drawn = Draws(real, batch_size=11, sampling="instance", seed=0)
    rows = np.concatenate([drawn(step)[0] for step in range(5)])
    np.testing.assert_array_equal(np.sort(rows), np.arange(55))
    np.testing.assert_array_equal(drawn.class_counts(), [40, 10, 5])
    assert (drawn.weights == 1).all() and drawn.num_images == 55


def test_training_batches_go_on_from_any_step():
    settings = {"augmentation": Augmentation(rotation=20, shift=0.2), "mixing": Mixing(alpha=0.5), "seed": 3}
    whole = list(training_batches(draws(), num_steps=6, **settings).as_numpy_iterator())
    rest = list(training_batches(draws(), num_steps=2, first_step=4, **settings).as_numpy_iterator())
    for one, other in zip(whole[4:], rest, strict=True):
        for left, right in zip(one, other, strict=True):
            np.testing.assert_array_equal(left, right)


def test_undersampling_keeps_the_rarest_classs_number_of_each_without_repetition():
    images = table((40, 0, 10, 5))
    kept = undersampled(images, 0)
    assert len(set(kept.tolist())) == len(kept) == 15
    np.testing.assert_array_equal(np.bincount(images.labels[kept], minlength=4), [5, 0, 5, 5])
    assert kept.tolist() != undersampled(images, 1).tolist()
    # Every image is as likely to be kept as any other of its class.
    times = np.zeros(40)
    for seed in range(400):
        rows = undersampled(images, seed)
        times += np.bincount(rows[images.labels[rows] == 0], minlength=40)
    assert chisquare(times).pvalue > 0.001
    drawn = Draws(images, batch_size=15, sampling="undersample", seed=0)
    for epoch in range(3):
        np.testing.assert_array_equal(np.sort(drawn(epoch)[0]), kept)
    assert drawn.num_images == 15
    np.testing.assert_array_equal(drawn.class_counts(), [5, 0, 5, 5])


@pytest.mark.parametrize(
    "settings",
    [
        {"share": 0.0},
        {"share": 1.0},
        {"share": "balance", "weight": 1.0},
        {"share": "balance", "most": float("inf")},
        {"share": 0.5, "most": 1.0},
        {"weight": 0},
    ],
)
def test_impossible_blends_are_refused(settings):
    with pytest.raises(ValidationError):
        Blend(**settings)


def test_tables_must_fit():
    for other in (table((5, 5)), table((5, 5, 5), size=5)):
        with pytest.raises(UserError, match="other classes or another size"):
            Draws(table((5, 5, 5)), other, batch_size=4, sampling="instance", seed=0, blend=Blend())
    with pytest.raises(ValueError, match="without images"):
        Draws(table((5, 5)), table((0, 0)), batch_size=4, sampling="instance", seed=0, blend=Blend())
