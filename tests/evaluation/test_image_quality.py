"""Image quality against scipy, the prdc package and plain definitions."""

from __future__ import annotations

import contextlib
import io
import tracemalloc

import numpy as np
import pytest
from prdc import compute_prdc
from scipy import linalg

from evenhand.evaluation import image_quality
from evenhand.evaluation.image_quality import frechet_distance, inception_score, kernel_distance, prdc


def features(seed: int, num: int, width: int, shift: float = 0.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(num, width)) @ np.random.default_rng(7).normal(size=(width, width)) + shift


@pytest.mark.parametrize(("num_real", "num_synthetic", "width"), [(300, 200, 8), (64, 300, 32)])
def test_frechet_distance_agrees_with_the_matrix_root(num_real: int, num_synthetic: int, width: int) -> None:
    x, y = features(1, num_real, width), features(2, num_synthetic, width, 0.5)
    s, t = np.cov(x, rowvar=False), np.cov(y, rowvar=False)
    root = linalg.sqrtm(s @ t).real
    expected = np.sum((x.mean(0) - y.mean(0)) ** 2) + np.trace(s + t - 2 * root)
    assert frechet_distance(x, y) == pytest.approx(expected, rel=1e-6)


def test_frechet_distance_of_features_that_lie_in_a_plane_counts_no_rounding() -> None:
    # 400 images of rank 3 in 40 features: 37 eigenvalues of either covariance are rounding alone.
    plane = np.random.default_rng(3).normal(size=(3, 40))
    x, y = (np.random.default_rng(seed).normal(size=(400, 3)) for seed in (1, 2))
    assert frechet_distance(x @ plane, x @ plane) == pytest.approx(0.0, abs=1e-9)
    orthonormal, _ = np.linalg.qr(plane.T)
    inside = frechet_distance(x @ plane @ orthonormal, y @ plane @ orthonormal)
    assert frechet_distance(x @ plane, y @ plane) == pytest.approx(inside, rel=1e-9)
    assert frechet_distance(np.ones((9, 2)), np.full((9, 2), 3.0)) == pytest.approx(8.0)


@pytest.mark.parametrize("num", [20, 500])
def test_frechet_distance_in_parts_is_that_of_the_whole(num: int, monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = features(1, num, 30), features(2, num, 30, 0.5)
    whole = frechet_distance(x, y)
    monkeypatch.setattr(image_quality, "_PART_VALUES", 700)
    assert frechet_distance(x, y) == pytest.approx(whole, rel=1e-9)


def test_float32_features_score_as_the_same_numbers_in_float64() -> None:
    x, y = features(1, 200, 8).astype(np.float32), features(2, 200, 8, 0.5).astype(np.float32)
    wide = x.astype(np.float64), y.astype(np.float64)
    assert frechet_distance(x, y) == pytest.approx(frechet_distance(*wide), rel=1e-9)
    assert kernel_distance(x, y, subset_size=50) == pytest.approx(kernel_distance(*wide, subset_size=50), rel=1e-9)
    assert prdc(x, y) == prdc(*wide)


def test_frechet_distance_of_worked_gaussians() -> None:
    # One feature: means 0 and 3, variances (n-1) 2 and 8: 9 + 2 + 8 - 2 sqrt(16) = 11.
    assert frechet_distance([[-1.0], [1.0]], [[1.0], [5.0]]) == pytest.approx(11.0)


def test_frechet_distance_of_fewer_images_than_features() -> None:
    x = features(1, 10, 50)
    assert frechet_distance(x, x) == pytest.approx(0.0, abs=1e-8)
    moved = x.copy()
    moved[:, 0] += 2
    assert frechet_distance(x, moved) == pytest.approx(4.0)


def test_kernel_distance_is_the_unbiased_squared_mmd() -> None:
    x, y = features(1, 30, 4), features(2, 30, 4, 0.3)
    kernel = lambda a, b: (a @ b / 4 + 1) ** 3  # noqa: E731 - the equation
    pairs = [(i, j) for i in range(30) for j in range(30)]
    within = [kernel(x[i], x[j]) + kernel(y[i], y[j]) for i, j in pairs if i != j]
    between = [kernel(x[i], y[j]) for i, j in pairs]
    expected = np.mean(within) - 2 * np.mean(between)
    assert kernel_distance(x, y, num_subsets=3, subset_size=30, seed=0) == pytest.approx(expected)


def test_kernel_distance_is_centred_on_zero_for_equal_laws_and_repeats_by_seed() -> None:
    rng = np.random.default_rng(0)
    values = [
        kernel_distance(rng.normal(size=(40, 3)), rng.normal(size=(40, 3)), num_subsets=1, subset_size=40, seed=0)
        for _ in range(300)
    ]
    assert abs(np.mean(values)) < 3 * np.std(values) / np.sqrt(300)
    x, y = features(1, 60, 3), features(2, 60, 3)
    settings = {"num_subsets": 5, "subset_size": 20}
    assert kernel_distance(x, y, seed=4, **settings) == kernel_distance(x, y, seed=4, **settings)
    assert kernel_distance(x, y, seed=4, **settings) != kernel_distance(x, y, seed=5, **settings)


def test_kernel_distance_names_the_size_it_can_draw() -> None:
    with pytest.raises(ValueError, match=r"\[2, 10\]"):
        kernel_distance(features(1, 10, 2), features(2, 20, 2), num_subsets=1, subset_size=11)


def test_inception_score_of_worked_rows() -> None:
    certain = np.tile(np.eye(4), (5, 1))
    assert inception_score(certain, num_splits=1) == pytest.approx((4.0, 0.0))
    assert inception_score(np.full((12, 4), 0.25), num_splits=3) == pytest.approx((1.0, 0.0))
    # Two parts: one of all classes, one of a single class.
    mean, std = inception_score(np.vstack([np.eye(4), np.eye(4)[[0] * 4]]), num_splits=2)
    assert (mean, std) == pytest.approx((2.5, 1.5))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("chunk", [8_000_000, 700])
def test_prdc_agrees_with_the_prdc_package(seed: int, chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_quality, "_CHUNK_VALUES", chunk)
    monkeypatch.setattr(image_quality, "_PART_VALUES", chunk)
    x, y = features(seed, 150, 6, 100.0), features(seed + 10, 120, 6, 100.4)
    with contextlib.redirect_stdout(io.StringIO()):
        expected = compute_prdc(x, y, nearest_k=5)
    assert prdc(x, y, k=5) == pytest.approx(expected, abs=1e-9)


def test_prdc_of_points_on_a_line() -> None:
    # Radii of the real points (k = 1): 1, 1, 2; the first synthetic point lies within two of them, the others in none.
    values = prdc([[0.0], [1.0], [3.0]], [[0.5], [10.0], [12.0]], k=1)
    assert values == pytest.approx({"precision": 1 / 3, "recall": 3 / 3, "density": 2 / 3, "coverage": 2 / 3})


def test_features_that_do_not_fit_are_refused() -> None:
    good = features(1, 10, 3)
    for bad in (good[:, :2], good[:1], np.full((10, 3), np.nan), good[0]):
        with pytest.raises(ValueError, match="expected features|at least two|finite"):
            frechet_distance(good, bad)
    with pytest.raises(ValueError, match=r"k must be in \[1, 10\)"):
        prdc(good, good, k=10)


@pytest.mark.parametrize("name", ["frechet_distance", "kernel_distance", "prdc"])
def test_memory_does_not_grow_with_the_images(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # Even the fewer images make more than two parts, of 781 each.
    monkeypatch.setattr(image_quality, "_CHUNK_VALUES", 200_000)
    monkeypatch.setattr(image_quality, "_PART_VALUES", 50_000)
    more = {"subset_size": 100, "num_subsets": 3} if name == "kernel_distance" else {}

    def peak(num: int) -> int:
        x, y = features(1, num, 64).astype(np.float32), features(2, num, 64).astype(np.float32)
        tracemalloc.start()
        getattr(image_quality, name)(x, y, **more)
        held = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return held

    # A radius, a norm and a few marks of each image are all that may come with more of them: 8 bytes each.
    assert peak(4800) - peak(1600) < 3200 * 8 * 8, "the features alone would take 512 bytes an image"


def test_the_inputs_are_never_copied_whole() -> None:
    # One side in float64 would take 4 MB.
    x, y = features(1, 4000, 128).astype(np.float32), features(2, 4000, 128).astype(np.float32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(image_quality, "_CHUNK_VALUES", 40_000)
        patch.setattr(image_quality, "_PART_VALUES", 40_000)
        for measure in (frechet_distance, lambda *sides: kernel_distance(*sides, subset_size=100), prdc):
            tracemalloc.start()
            measure(x, y)
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            assert peak < 2.5e6, measure
