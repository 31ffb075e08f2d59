"""What is wrong with a trained generator, in words: collapse, decline, a winning discriminator, a cut-off schedule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from evenhand.named import listed

_COLLAPSED, _POOR = 0.05, 0.3
_SATURATED, _ROWS = 0.99, 5
_DECLINED = 3.0
"""Times the kept weights' distance that the last ones' must have."""
_SCHEDULES = {
    "warm_up_steps": "what it warms up had not yet come to its full strength",
    "average_start": "the average that images are drawn from had not begun",
}


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
        found.append(f"collapsed: the synthetic images of {listed(collapsed)} are nearly all the same")
    if poor:
        found.append(f"little diversity: the synthetic images of {listed(poor)} vary far less than real ones")
    return found


def decline(rows: Sequence[Mapping[str, float]], kept_step: int, score: str) -> list[str]:
    """A sentence if training went wrong after the weights that were kept, which alone nobody would see.

    Args:
      rows: what was seen on the way, with `step`, the distance `score`, and perhaps `least_diversity`.
      kept_step: that of the weights kept.
      score: name of the distance; smaller is better.
    """
    kept = next((row for row in rows if row["step"] == kept_step), None)
    if kept is None or rows[-1]["step"] <= kept_step:
        return []
    last = rows[-1]
    worse = []
    if last[score] >= _DECLINED * kept[score]:
        worse.append(f"the distance to real images rose from {kept[score]:.3g} to {last[score]:.3g}")
    if last.get("least_diversity", np.inf) < _COLLAPSED <= kept.get("least_diversity", np.inf):
        worse.append("a class collapsed")
    if not worse:
        return []
    return [
        f"training went wrong after step {kept_step:.0f}: by step {last['step']:.0f} {' and '.join(worse)}; "
        f"the weights of step {kept_step:.0f} are kept"
    ]


def cut_off(options: object, steps: int) -> list[str]:
    """Sentences about schedules of a generator's options that were still under way when its training ended.

    Args:
      options: the generator's; those named here are looked at where it has them.
      steps: of the training.
    """
    return [
        f"{name} is {wanted:,}, but training ended after {steps:,} steps: {meaning}; give more steps or lower it"
        for name, meaning in _SCHEDULES.items()
        if (wanted := getattr(options, name, None)) is not None and wanted >= steps > 0
    ]


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
