"""Planted copies of every kind are found, fresh real images hardly ever, and exact copies never slip through."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from scipy import stats
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA

from evenhand.data.decode import to_pixels
from evenhand.evaluation import alignment, neighbours
from evenhand.evaluation.alignment import nearest_pixels
from evenhand.evaluation.copies import audit_copies, exact_copies, score_threshold
from evenhand.evaluation.embedded import Embedded
from evenhand.evaluation.neighbours import nearest_features

FALSE_ALARMS = 0.01
RARE = (5, 5, 5)


@cache
def digits() -> tuple[Embedded, Embedded, Embedded]:
    """Training images with a long tail (three classes of five), held-out ones and fresh ones, of 32 pixels a side."""
    data = load_digits()
    images = np.rint(data.images * (255 / 16)).astype(np.uint8)
    pixels = np.stack([to_pixels(image, 32, 1) for image in images])
    features = PCA(20, random_state=0).fit_transform(data.data).astype(np.float32)
    everything = Embedded(pixels, features, data.target.astype(np.int32), np.arange(len(pixels)).astype(str))
    order = np.random.default_rng(0).permutation(len(pixels))
    train: list[int] = []
    for label, count in enumerate((100, 80, 60, 40, 30, 20, 10, *RARE)):
        train += order[data.target[order] == label][:count].tolist()
    rest = np.setdiff1d(order, train, assume_unique=True)
    return everything.rows(np.asarray(train)), everything.rows(rest[:600]), everything.rows(rest[600:])


def planted(originals: Embedded, change: Callable[[NDArray[np.uint8]], NDArray[np.uint8]]) -> Embedded:
    pixels = np.stack([change(image) for image in originals.pixels])
    ids = np.char.add("copy-", originals.ids)
    # Features that say nothing, so that the pixels alone must find the copy.
    features = np.random.default_rng(1).normal(0, 1e3, originals.features.shape).astype(np.float32)
    return Embedded(pixels, features, originals.labels, ids)


def moved(by: tuple[int, int]) -> Callable[[NDArray[np.uint8]], NDArray[np.uint8]]:
    def change(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        height, width, _ = image.shape
        wide = np.pad(image, ((2, 2), (2, 2), (0, 0)), mode="edge")
        return wide[2 + by[0] : 2 + by[0] + height, 2 + by[1] : 2 + by[1] + width]

    return change


def recompressed(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    buffer = io.BytesIO()
    Image.fromarray(image[:, :, 0]).save(buffer, "JPEG", quality=60)
    return np.asarray(Image.open(buffer))[:, :, None]


def noisy(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    noise = np.random.default_rng(int(image.sum())).normal(0, 6, image.shape)
    return np.clip(np.rint(image + noise), 0, 255).astype(np.uint8)


KINDS = {
    "exact": lambda image: image,
    "mirrored": lambda image: image[:, ::-1],
    "moved by one": moved((0, 1)),
    "moved by two": moved((-2, 1)),
    "mirrored and moved": lambda image: moved((2, -2))(image[:, ::-1]),
    "recompressed": recompressed,
    "noisy": noisy,
}


@pytest.mark.parametrize("kind", KINDS)
def test_planted_copies_are_found_with_their_originals(kind: str) -> None:
    train, held_out, _ = digits()
    audit = audit_copies(planted(train, KINDS[kind]), train, held_out, false_alarms=FALSE_ALARMS)
    assert audit.reference == "held-out" and audit.num_references == 600
    assert audit.share >= 0.99
    assert tuple(audit.class_copies[-3:]) == RARE
    right = [pair.synthetic_id == f"copy-{pair.real_id}" for pair in audit.pairs]
    assert np.mean(right) >= 0.99


def test_copies_are_found_without_held_out_images_too() -> None:
    train, held_out, _ = digits()
    audit = audit_copies(planted(train, noisy), train, held_out.rows(np.arange(30)))
    assert audit.reference == "leave-one-out" and audit.num_references == len(train)
    assert audit.share >= 0.99 and tuple(audit.class_copies[-3:]) == RARE


@pytest.mark.parametrize("num_held_out", [600, 0])
def test_fresh_real_images_are_hardly_ever_flagged(num_held_out: int) -> None:
    train, held_out, fresh = digits()
    audit = audit_copies(fresh, train, held_out.rows(np.arange(num_held_out)), false_alarms=FALSE_ALARMS)
    most = stats.binom.ppf(0.999, len(fresh), FALSE_ALARMS)
    assert len(fresh) > 800 and audit.flagged.sum() <= most
    rare = np.isin(fresh.labels, [7, 8, 9])
    assert audit.flagged[rare].sum() <= stats.binom.ppf(0.999, rare.sum(), FALSE_ALARMS)


def test_the_feature_space_finds_what_pixels_cannot() -> None:
    train, held_out, _ = digits()
    inverted = planted(train, lambda image: 255 - image)
    assert audit_copies(inverted, train, held_out).share < 0.05
    known = Embedded(inverted.pixels, train.features, inverted.labels, inverted.ids)
    audit = audit_copies(known, train, held_out)
    assert audit.share == 1.0
    assert {pair.space for pair in audit.pairs} <= {"features", "pixels"}
    assert sum(pair.space == "features" for pair in audit.pairs) >= 0.95 * len(audit.pairs)


def test_averages_of_many_images_are_no_copies() -> None:
    # A blurred mean is near to everything, nearer than real images are to each other, but to nothing in particular.
    train, held_out, _ = digits()
    dense = np.flatnonzero(train.labels == 0)
    rng = np.random.default_rng(0)
    means = np.stack([train.pixels[rng.choice(dense, 8, replace=False)].mean(axis=0) for _ in range(50)])
    blurred = Embedded(
        np.rint(means).astype(np.uint8),
        rng.normal(0, 1e3, (50, 20)).astype(np.float32),
        np.zeros(50, np.int32),
        np.arange(50).astype(str),
    )
    assert audit_copies(blurred, train, held_out).share <= 0.04


def test_shares_are_told_by_the_class_that_an_image_was_made_for() -> None:
    train, held_out, fresh = digits()
    copies = train.rows(np.flatnonzero(train.labels == 3)[:10])
    mixed = Embedded(
        np.concatenate([copies.pixels, fresh.pixels[:40]]),
        np.concatenate([copies.features, fresh.features[:40]]),
        np.concatenate([np.full(10, 4), np.full(40, 6)]),
        np.concatenate([copies.ids, fresh.ids[:40]]),
    )
    audit = audit_copies(mixed, train, held_out)
    assert list(audit.class_counts) == [0, 0, 0, 0, 10, 0, 40, 0, 0, 0]
    assert audit.class_copies[4] == 10 and audit.class_copies[6] <= 3
    assert audit.share == audit.flagged.mean() == len(audit.pairs) / 50
    assert audit.pairs[0].score == 0.0 and audit.pairs[0].label == 4


@given(st.integers(0, 2**31), st.integers(9, 20), st.booleans(), st.tuples(st.integers(-1, 1), st.integers(-1, 1)))
def test_a_moved_mirrored_copy_is_at_distance_zero(seed: int, size: int, mirror: bool, by: tuple[int, int]) -> None:
    rng = np.random.default_rng(seed)
    references = rng.integers(0, 256, (7, size, size, 3)).astype(np.uint8)
    seen = moved(by)(references[4])
    rows, distances = nearest_pixels((seen[:, ::-1] if mirror else seen)[None], references, 3)
    assert rows[0, 0] == 4 and distances[0, 0] == 0.0
    assert distances[0, 1] > 10


def test_the_pixel_distance_is_the_root_mean_square_of_the_best_view() -> None:
    rng = np.random.default_rng(0)
    one, other = rng.integers(0, 256, (2, 1, 16, 16, 1)).astype(np.uint8)
    views = [
        side[0, 0 + y : 12 + y, 0 + x : 12 + x] for side in (one, one[:, :, ::-1]) for y in range(5) for x in range(5)
    ]
    expected = min(np.sqrt(np.mean((view.astype(float) - other[0, 2:14, 2:14]) ** 2)) for view in views)
    assert nearest_pixels(one, other, 1)[1][0, 0] == pytest.approx(expected, rel=1e-5)


def test_large_images_are_compared_at_32_cells_a_side() -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (6, 68, 68, 1)).astype(np.uint8)
    rows, distances = nearest_pixels(images[:, :, ::-1], images, 2)
    assert list(rows[:, 0]) == list(range(6)) and np.all(distances[:, 0] < 1e-2)
    averaged = images[:, 2:66, 2:66].reshape(6, 32, 2, 32, 2).mean(axis=(2, 4))
    pair = images[[0, 0]].copy()
    pair[1] = 255 - pair[0]
    seen = nearest_pixels(pair[:1], pair[1:], 1)[1][0, 0]
    assert seen <= np.sqrt(np.mean((2 * averaged[0] - 255) ** 2)) + 1e-3


def test_chunks_do_not_change_neighbours(monkeypatch: pytest.MonkeyPatch) -> None:
    train, held_out, _ = digits()
    queries = held_out.rows(np.arange(40))
    whole = nearest_pixels(queries.pixels, train.pixels, 4), nearest_features(queries.features, train.features, 4)
    monkeypatch.setattr(neighbours, "CHUNK_VALUES", 60_000)
    parts = nearest_pixels(queries.pixels, train.pixels, 4), nearest_features(queries.features, train.features, 4)
    for one, other in zip(whole, parts, strict=True):
        np.testing.assert_array_equal(one[0], other[0])
        np.testing.assert_allclose(one[1], other[1], atol=1e-3)


def test_nearest_features_agree_with_scipy_and_leave_themselves_out() -> None:
    from scipy.spatial import cKDTree

    points = np.random.default_rng(0).normal(100, 1, (80, 4)).astype(np.float32)
    distances, rows = cKDTree(points).query(points, 4)
    found = nearest_features(points, points, 3, own_rows=np.arange(80))
    np.testing.assert_array_equal(found[0], rows[:, 1:])
    np.testing.assert_allclose(found[1], distances[:, 1:], rtol=1e-4)


@given(st.lists(st.floats(0.01, 10), min_size=99, max_size=300), st.floats(0.01, 0.2))
def test_the_threshold_lets_no_more_fall_below_than_allowed(scores: list[float], rate: float) -> None:
    values = np.asarray(scores)
    threshold = score_threshold(values, rate)
    # Rank r of n + 1 exchangeable images: a fresh one is at or below it with probability r / (n + 1).
    assert (values < threshold).sum() + 1 <= rate * (len(values) + 1)


def test_of_few_images_the_threshold_stays_below_them_all() -> None:
    scores = np.exp(np.random.default_rng(0).normal(0, 0.2, 20))
    threshold = score_threshold(scores, 0.005)
    logs = np.log(scores)
    limit = logs.mean() - stats.t.ppf(0.995, 19) * logs.std(ddof=1) * np.sqrt(21 / 20)
    assert threshold == pytest.approx(np.exp(limit)) and threshold < scores.min()
    assert score_threshold(np.asarray([1.0, 2.0]), 0.01) == 0.0


def test_exact_copies_are_named_and_near_ones_are_not() -> None:
    _, held_out, fresh = digits()
    mixed = np.concatenate([fresh.pixels[:5], held_out.pixels[[7, 9]], held_out.pixels[[7]]])
    mixed[7, 0, 0] ^= 1
    assert exact_copies(mixed, held_out.pixels) == [(5, 7), (6, 9)]
    assert exact_copies(mixed, held_out.pixels[:0]) == []


def test_what_cannot_be_audited_is_refused() -> None:
    train, held_out, _ = digits()
    with pytest.raises(ValueError, match="three training images"):
        audit_copies(held_out, train.rows(np.arange(2)), held_out)
    with pytest.raises(ValueError, match="false_alarms"):
        audit_copies(held_out, train, held_out, false_alarms=0.7)
    with pytest.raises(ValueError, match="one shape"):
        nearest_pixels(train.pixels, train.pixels[:, :30], 1)
    with pytest.raises(ValueError, match="equally many rows"):
        Embedded(train.pixels, train.features, train.labels[:3], train.ids)


def test_no_images_give_no_copies() -> None:
    train, held_out, _ = digits()
    audit = audit_copies(held_out.rows(np.arange(0)), train, held_out)
    assert audit.share == 0.0 and audit.pairs == ()


def test_a_coarse_look_keeps_every_original_among_the_candidates() -> None:
    train, _, _ = digits()
    seen = planted(train, moved((1, -1))).pixels
    candidates = alignment._candidates(seen, train.pixels, None)
    assert np.mean([row in found for row, found in enumerate(candidates)]) == 1.0
