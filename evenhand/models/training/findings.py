"""What is wrong with a trained generator, in words: collapse and a discriminator that has won."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

_COLLAPSED, _POOR = 0.05, 0.3
_SATURATED, _ROWS = 0.99, 5
_NAMED = 8
"""Classes that a sentence names at most."""


def collapse(diversity: NDArray[np.float64], class_names: Sequence[str]) -> list[str]:
    """Sentences about classes whose synthetic images are nearly the same, or far less diverse than real ones.

    Args:
      diversity: float64[c], spread of each class's synthetic images over that of real ones; NaN where unknown.
      class_names: names of the classes.
    """
    known = np.nan_to_num(diversity, nan=np.inf)
    collapsed = [f"{name!r}" for name, value in zip(class_names, known, strict=True) if value < _COLLAPSED]
    poor = [
        f"{name!r} ({value:.0%})" for name, value in zip(class_names, known, strict=True) if _COLLAPSED <= value < _POOR
    ]
    found = []
    if collapsed:
        found.append(f"collapsed: the synthetic images of {_listed(collapsed)} are nearly all the same")
    if poor:
        found.append(f"little diversity: the synthetic images of {_listed(poor)} vary far less than real ones")
    return found


def saturation(history: Sequence[Mapping[str, float]]) -> list[str]:
    """A sentence if the discriminator tells every image right from some step to the end: nothing is learnt any more.

    A Wasserstein critic gives no accuracies, for its scores have no zero, and its gradient does not vanish where it
    tells all images: nothing is said of it.

    Args:
      history: logged rows with `step`, `real_accuracy` and `synthetic_accuracy`; rows without them are passed over.
    """
    judged = [row for row in history if "real_accuracy" in row and "synthetic_accuracy" in row]
    sure = [min(row["real_accuracy"], row["synthetic_accuracy"]) >= _SATURATED for row in judged]
    run = next((length for length, is_sure in enumerate(reversed(sure)) if not is_sure), len(sure))
    if run < _ROWS:
        return []
    since = int(judged[len(judged) - run]["step"])
    return [
        f"the discriminator tells all real images from all synthetic ones since step {since}: the generator learns "
        "little any more; augment what the discriminator sees or lower its learning rate"
    ]


def _listed(names: Sequence[str]) -> str:
    shown = list(names) if len(names) <= _NAMED else [*names[:_NAMED], f"{len(names) - _NAMED} more"]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"
