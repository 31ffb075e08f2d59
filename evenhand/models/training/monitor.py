"""Watches a generator while it trains: sample grids, a score on held-out images, and the best weights by that score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops
from numpy.typing import NDArray

from evenhand.data.image_table import ImageTable
from evenhand.evaluation.diversity import relative_diversity
from evenhand.evaluation.image_quality import frechet_distance
from evenhand.models.feature_extractor import FeatureExtractor
from evenhand.models.sample_generator import DrawsImages, draw_each
from evenhand.models.training import findings
from evenhand.models.training.best_weights import BestWeights
from evenhand.models.training.conditional_generator import ConditionalGenerator
from evenhand.models.training.fit_callbacks import write_scalars

SCORE = "frechet_distance"

_GRID_COLUMNS, _GRID_CLASSES = 8, 20
_MOST_IMAGES, _MOST_PER_CLASS = 1024, 64
_ENOUGH_HELD_OUT = 100


@dataclass(frozen=True)
class Assessment:
    """What was seen of a generator.

    Attributes:
      extractor: name of the feature extractor; distances of different extractors are never comparable.
      reference: which real images it was held against.
      scores: one row a look, with `step`, `frechet_distance`, `diversity` and `least_diversity`, the last row of the
        weights that were kept.
      kept_step: the step whose weights were kept.
      findings: what is wrong with it, in words.
    """

    extractor: str
    reference: str
    scores: tuple[dict[str, float], ...]
    kept_step: int
    findings: tuple[str, ...]


class Reference:
    """Real images that generated ones are held against, every class alike often.

    Held-out images where there are at least 100 of them, else training images: a score on a handful says nothing. In
    that case memorised images score well; the audit of copies tells them.

    Images of every class are drawn and judged for their diversity. The distance is over the classes that the real
    images hold: small classes may have no held-out ones.

    Args:
      images: the training images.
      held_out: images that no training has seen; None for none.
      extractor: of the features.
    """

    def __init__(self, images: ImageTable, held_out: ImageTable | None, extractor: FeatureExtractor) -> None:
        is_held_out = held_out is not None and len(held_out) >= _ENOUGH_HELD_OUT
        table = held_out if held_out is not None and is_held_out else images
        self.name = "held-out images" if is_held_out else "training images"
        self.extractor, self.class_names = extractor, images.class_names
        self.classes = np.flatnonzero(images.class_counts)
        self.per_class = int(np.clip(_MOST_IMAGES // len(self.classes), _GRID_COLUMNS, _MOST_PER_CLASS))
        self.compared = np.flatnonzero((images.class_counts > 0) & (table.class_counts > 0))
        rows = np.concatenate([_spread_rows(table.labels, int(label), self.per_class) for label in self.compared])
        self._features = extractor(np.asarray(table.images[np.unique(rows)]))
        self._labels = table.labels[np.unique(rows)]
        # A class with fewer images than the others stands in with each of them several times.
        self._balanced = self._features[np.searchsorted(np.unique(rows), rows)]

    def draw(self, sampler: DrawsImages) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
        """The images at fixed seeds that are held against it, uint8[m, h, w, c], and their labels."""
        labels = np.repeat(self.classes, self.per_class).astype(np.int32)
        seeds = np.tile(np.arange(self.per_class, dtype=np.int64), len(self.classes))
        return draw_each(sampler, labels, seeds), labels

    def judge(self, images: NDArray[np.uint8], labels: NDArray[np.int32]) -> tuple[float, NDArray[np.float64]]:
        """The Frechet distance, and each class's diversity relative to real images, float64[num_classes]."""
        features = self.extractor(images)
        diversity = relative_diversity(self._features, self._labels, features, labels, len(self.class_names))
        return frechet_distance(self._balanced, features[np.isin(labels, self.compared)]), diversity


def _spread_rows(labels: NDArray[np.int32], label: int, count: int) -> NDArray[np.int64]:
    """`count` rows of one class, spread evenly over them; with fewer, each again and again."""
    rows = np.flatnonzero(labels == label)
    if len(rows) >= count:
        return rows[np.linspace(0, len(rows) - 1, count).astype(int)]
    return rows[np.arange(count) % len(rows)]


class MonitorCallback(keras.callbacks.Callback):
    """Looks at the generator every so many steps and at the end.

    Args:
      model: what is trained.
      images: the training images, for what `sample` needs of them.
      reference: what generated images are held against.
      sampler: draws from the model as it is.
      every: steps between two looks.
      steps: in all.
      best: keeps the best weights; None keeps the last. While a part of the networks warms up, and until the next
        interval between two looks has passed, none are kept: some networks have not learnt yet.
      log_dir: for TensorBoard; None writes nothing.

    Attributes:
      rows: scores so far.
    """

    def __init__(  # noqa: PLR0913 - all by keyword but the four things it brings together
        self,
        model: ConditionalGenerator,
        images: ImageTable,
        reference: Reference,
        sampler: DrawsImages,
        *,
        every: int,
        steps: int,
        best: BestWeights | None,
        log_dir: Path | None = None,
    ) -> None:
        super().__init__()
        self._generator, self._images, self._reference, self._sampler = model, images, reference, sampler
        self._every, self._steps, self._best = every, steps, best
        self.rows: list[dict[str, float]] = []
        self._writer = None if log_dir is None else tf.summary.create_file_writer(str(log_dir))

    @property
    def variables(self) -> list[keras.Variable]:
        """What a checkpoint must hold besides the model's variables."""
        return [] if self._best is None else self._best.variables

    @property
    def best_step(self) -> int | None:
        """The step of the best weights so far; None where there are none."""
        return None if self._best is None else self._best.step

    def resume(self, rows: Sequence[Mapping[str, float]]) -> None:
        """Goes on from the scores of the training so far; `variables` were restored."""
        self.rows = [dict(row) for row in rows]
        if self._writer is not None:
            for row in self.rows:
                write_scalars(self._writer, row)
        if self._best is not None:
            self._best.resume([row for row in self.rows if self._has_learnt(row["step"])], SCORE)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        step = self._generator.steps_done
        last = int(self.rows[-1]["step"]) if self.rows else 0
        if step > last and (step // self._every > last // self._every or step >= self._steps):
            images, labels = self._draw()
            row, _ = self._judge(step, images, labels)
            self.rows.append(row)
            if self._best is not None and self._has_learnt(step):
                self._best.offer(step, row[SCORE])
            if self._writer is not None:
                self._write(self._writer, row, images, labels)

    def finish(self, history: Sequence[Mapping[str, float]]) -> Assessment:
        """Puts the best weights into the model and says what is to be said of them.

        Args:
          history: logged rows of losses and metrics.
        """
        kept = self._generator.steps_done
        if self._best is not None:
            self._best.put_back()
            kept = kept if self._best.step is None else self._best.step
        row, diversity = self._judge(kept, *self._draw())
        found = [
            *findings.collapse(diversity, self._images.class_names),
            *findings.decline(self.rows, kept, SCORE),
            *findings.saturation(history),
        ]
        return Assessment(
            extractor=self._reference.extractor.name,
            reference=self._reference.name,
            scores=(*self.rows, row),
            kept_step=kept,
            findings=tuple(found),
        )

    def _has_learnt(self, step: float) -> bool:
        """Whether all networks have learnt for the interval between two looks; without a warm-up they always have."""
        warm_up = self._generator.warm_up
        return not warm_up or step >= warm_up + self._every

    def _draw(self) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
        self._generator.prepare_to_sample(self._images)
        return self._reference.draw(self._sampler)

    def _judge(
        self, step: int, images: NDArray[np.uint8], labels: NDArray[np.int32]
    ) -> tuple[dict[str, float], NDArray[np.float64]]:
        score, diversity = self._reference.judge(images, labels)
        row = {"step": step, SCORE: score}
        if np.isfinite(diversity).any():
            row |= {"diversity": float(np.nanmean(diversity)), "least_diversity": float(np.nanmin(diversity))}
        return row, diversity

    def _write(
        self, writer: Any, row: Mapping[str, float], images: NDArray[np.uint8], labels: NDArray[np.int32]
    ) -> None:
        write_scalars(writer, row)
        with writer.as_default(step=int(row["step"])):
            for name, norm in weight_norms(self._generator).items():
                tf.summary.scalar(name, norm)
            grids = sample_grids(images, labels)
            tf.summary.image("samples", grids, max_outputs=len(grids))
        writer.flush()


def weight_norms(model: ConditionalGenerator) -> dict[str, float]:
    """Norm of all trainable weights of each update, `<update>_weight_norm`."""
    return {
        f"{update.name}_weight_norm": float(
            ops.sqrt(sum(ops.sum(ops.square(ops.cast(weight, "float32"))) for weight in update.trainable_weights))
        )
        for update in model.updates
        if update.trainable_weights
    }


def sample_grid(images: NDArray[np.uint8], labels: NDArray[np.int32]) -> NDArray[np.uint8]:
    """One row of eight images for each class, uint8[rows * h, 8 * w, c].

    Args:
      images: uint8[n, h, w, c], at least eight of each class.
      labels: int32[n].
    """
    rows = [np.concatenate(list(images[labels == label][:_GRID_COLUMNS]), axis=1) for label in np.unique(labels)]
    return np.concatenate(rows)


def sample_grids(images: NDArray[np.uint8], labels: NDArray[np.int32]) -> NDArray[np.uint8]:
    """Grids of at most twenty classes each, as `sample_grid`, black below a last one of fewer classes.

    Args:
      images: uint8[n, h, w, c], at least eight of each class.
      labels: int32[n].

    Returns:
      uint8[grids, rows * h, 8 * w, c].
    """
    grid = sample_grid(images, labels)
    height = images.shape[1] * min(len(np.unique(labels)), _GRID_CLASSES)
    number = -(-len(grid) // height)
    grid = np.pad(grid, ((0, number * height - len(grid)), (0, 0), (0, 0)))
    return grid.reshape(number, height, *grid.shape[1:])
