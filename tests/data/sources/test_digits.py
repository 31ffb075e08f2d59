"""The embedded digits."""

from __future__ import annotations

import numpy as np
from sklearn.datasets import load_digits

from evenhand.config import Data
from evenhand.data.load import open_images


def test_digits_are_scikit_learns_scaled_to_8_bits():
    images, original = open_images(Data()), load_digits()
    assert len(images) == 1797 and images.class_names == tuple("0123456789")
    np.testing.assert_array_equal(images.labels, original.target)
    np.testing.assert_allclose(images.read(5), original.images[5] / 16 * 255, atol=0.5)
    assert images.read(5).dtype == np.uint8
    assert images.identify(5) == "digits/0005"
