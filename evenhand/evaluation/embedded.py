"""Images with their features, as the measures of synthetic images read them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Embedded:
    """Images by row, and what an extractor makes of them.

    Attributes:
      pixels: uint8[n, h, w, c], perhaps memory-mapped.
      features: float32[n, d].
      labels: int[n], classes from 0.
      ids: str[n], the images' ids.

    Raises:
      ValueError: if the arrays do not have equally many rows, or other axes than these.
    """

    pixels: NDArray[np.uint8]
    features: NDArray[np.float32]
    labels: NDArray[np.integer]
    ids: NDArray[np.str_]

    def __post_init__(self) -> None:
        if self.pixels.ndim != 4 or self.features.ndim != 2:
            raise ValueError(
                f"expected pixels [n, h, w, c] and features [n, d], not {self.pixels.shape} and {self.features.shape}"
            )
        rows = {len(self.pixels), len(self.features), len(self.labels), len(self.ids)}
        if len(rows) > 1:
            raise ValueError(f"pixels, features, labels and ids must have equally many rows, not {sorted(rows)}")

    def __len__(self) -> int:
        return len(self.labels)

    def rows(self, chosen: NDArray[np.integer]) -> Embedded:
        """Only these rows, in this order; their pixels are copied."""
        return Embedded(self.pixels[chosen], self.features[chosen], self.labels[chosen], self.ids[chosen])
