"""One Gaussian of latents for each class, estimated from encoded training images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evenhand.data.image_table import ImageTable

RIDGE = 1e-4
"""Added to the diagonal of every covariance, so that it has a Cholesky factor."""

_BATCH = 256

Encode = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""Images, float32[n, h, w, c] in [-1, 1], to latents, float32[n, d]."""


@dataclass(frozen=True)
class Moments:
    """Count, mean and scatter of vectors, which can be merged without keeping the vectors.

    Attributes:
      count: of vectors.
      mean: float64[d]; zeros for none.
      scatter: float64[d, d], the sum of the outer products of the deviations from the mean.
    """

    count: int
    mean: NDArray[np.float64]
    scatter: NDArray[np.float64]

    @classmethod
    def none(cls, size: int) -> Moments:
        """The moments of no vector at all."""
        return cls(0, np.zeros(size), np.zeros((size, size)))

    @classmethod
    def of(cls, vectors: NDArray[np.floating]) -> Moments:
        """The moments of vectors, float[n, d] with n >= 1."""
        values = np.asarray(vectors, np.float64)
        mean = values.mean(axis=0)
        return cls(len(values), mean, (values - mean).T @ (values - mean))

    def __add__(self, other: Moments) -> Moments:
        """The moments of both together (Chan et al., Updating Formulae, 1979, equation 2.1)."""
        count = self.count + other.count
        if not count:
            return self
        apart = other.mean - self.mean
        scatter = self.scatter + other.scatter + np.outer(apart, apart) * (self.count * other.count / count)
        return Moments(count, self.mean + apart * (other.count / count), scatter)


def class_moments(encode: Encode, images: ImageTable, latent_size: int) -> list[Moments]:
    """Encodes all images, 256 at a time, and keeps nothing but the moments of each class.

    Args:
      encode: gives latents of `latent_size` numbers.
      images: all of which are encoded.
      latent_size: d.

    Returns:
      One for each class, in the order of the labels.
    """
    moments = []
    for label in range(len(images.class_names)):
        rows = np.flatnonzero(images.labels == label)
        total = Moments.none(latent_size)
        for start in range(0, len(rows), _BATCH):
            pixels = images.images[rows[start : start + _BATCH]].astype(np.float32) / 127.5 - 1.0
            total = total + Moments.of(encode(pixels))
        moments.append(total)
    return moments


def gaussians(moments: list[Moments]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Means and Cholesky factors of each class's latents, with covariances shrunk to what the classes share.

    The covariance of a class of n_c images is (1 - l) S_c + l S_within + 0.0001 I with l = d / (d + n_c), where S_c is
    its sample covariance and S_within the pooled one, sum of scatters / (images - classes). S_c alone has rank
    n_c - 1 at most, and there is none of a single image, where l = 1. A class without images has the mean and the
    covariance of all. Where no class has two images, the covariance of all stands in for S_within; for one single
    image, the ridge alone is left.

    Args:
      moments: of each class.

    Returns:
      float32[k, d] means and float32[k, d, d] lower triangular factors, computed in float64.
    """
    size = len(moments[0].mean)
    everything = sum(moments, Moments.none(size))
    overall = everything.scatter / max(everything.count - 1, 1)
    present = [each for each in moments if each.count]
    freedom = everything.count - len(present)
    within = sum((each.scatter for each in present), np.zeros((size, size))) / freedom if freedom else overall
    means, factors = [], []
    for each in moments:
        if each.count > 1:
            share = size / (size + each.count)
            covariance = (1.0 - share) * each.scatter / (each.count - 1) + share * within
        else:
            covariance = within if each.count else overall
        means.append(each.mean if each.count else everything.mean)
        factors.append(np.linalg.cholesky(covariance + RIDGE * np.eye(size)))
    return np.stack(means).astype(np.float32), np.stack(factors).astype(np.float32)
