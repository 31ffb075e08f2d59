"""How many test images a change must be looked at on to be seen."""

from __future__ import annotations

import math

from scipy import special

CHANGE = 0.05
POWER = 0.8


def needed_images(
    discordant_share: float, *, change: float = CHANGE, confidence: float = 0.95, power: float = POWER
) -> int:
    """Test images of a class on which McNemar's test would see a change of recall, with probability `power`.

    Connor, Sample Size for Testing Differences in Proportions for the Paired-Sample Design, 1987: with d the share of
    images on which the two classifiers differ and c the change, ((z_a sqrt(d) + z_b sqrt(d - c^2)) / c)^2.

    Args:
      discordant_share: d, in [0, 1]; a share below the change itself is taken as the change, since they must differ at
        least there.
      change: c, of recall, in (0, 1].
      confidence: one minus the two-sided level of the test.
      power: probability to see it.

    Returns:
      The number, at least 1.

    Raises:
      ValueError: if a share is out of range.
    """
    if not (0 <= discordant_share <= 1 and 0 < change <= 1 and 0 < confidence < 1 and 0 < power < 1):
        raise ValueError(
            f"shares must be in range, not {discordant_share}, change {change}, confidence {confidence}, power {power}"
        )
    share = max(discordant_share, change)
    level, beta = special.ndtri((1 + confidence) / 2), special.ndtri(power)
    root = level * math.sqrt(share) + beta * math.sqrt(share - change**2)
    return max(1, math.ceil((root / change) ** 2))
