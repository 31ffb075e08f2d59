"""`evenhand inspect`, `generate`, `export` and `predict`: images in, and images and predictions out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from evenhand.cli.options import Format, Quiet, Run, Set, Verbose
from evenhand.cli.session import session
from evenhand.cli.sources import data_section
from evenhand.errors import UserError

if TYPE_CHECKING:
    from evenhand.models.serving import LoadedClassifier


class What(StrEnum):
    """Which images of a run are exported."""

    synthetic = "synthetic"
    balanced = "balanced"


Output = Annotated[Path, typer.Option(help="Folder or file to write; must not hold anything yet.")]


def inspect(
    source: Annotated[str, typer.Argument(help="digits, a folder, .npz, .csv, a TFRecord pattern, or tfds:NAME.")],
    assignments: Set = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Print what a source holds.

    That is: counts, imbalance ratio, splits, duplicates, what is left out and why, image sizes.
    """
    from evenhand import config_file

    config = config_file.resolve({"data": data_section(source)}, assignments or [])
    with session(None, quiet=quiet, verbose=verbose) as display:
        from evenhand.cli.tables import print_inspection
        from evenhand.data.inspect import inspect as inspect_source

        inspection = inspect_source(config.data, config.seed)
        display.stop()
        print_inspection(inspection, display.console)


def generate(
    folder: Run,
    per_class: Annotated[int, typer.Option(min=1, help="Images of each class.")],
    output: Output,
    class_name: Annotated[str | None, typer.Option("--class", metavar="NAME", help="Draw this class only.")] = None,
    seed: Annotated[
        int, typer.Option(min=0, max=2**62, help="Seed of the first image; the others follow one by one.")
    ] = 0,
    format_: Annotated[Format, typer.Option("--format", help="How the images are written.")] = Format.folder,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Draw new images with the generator of a run.

    The same class and seed always give the same image.
    """
    from evenhand.pipeline.layout import RunFolder

    run = RunFolder(folder)
    with session(_log(folder), quiet=quiet, verbose=verbose) as display:
        from evenhand.data.export import check_output, export_images

        check_output(output)
        from evenhand.models.generator_artifact import load_sampler

        sampler = load_sampler(str(run.generator))
        names = list(sampler.class_names)
        if class_name is not None and class_name not in names:
            raise UserError(
                f"--class {class_name}", "the generator knows no such class", f"use one of {', '.join(names)}"
            )
        labels = range(len(names)) if class_name is None else [names.index(class_name)]
        _check_available(sampler, labels, seed + per_class)
        images = _drawn(sampler, labels, seed, per_class)
        export_images(images, names, output, format_.value, generator_digest=sampler.card.weights_sha256)
        display.stop()
        display.say(f"{output}: {per_class * len(labels)} synthetic images")


def _check_available(sampler: Any, labels: Any, end: int) -> None:
    """Raises `UserError` where the generator holds fewer images of a class than `end`, e.g. those of a folder."""
    available = sampler.card.available
    short = [] if available is None else [label for label in labels if available[label] < end]
    if short:
        there_are = ", ".join(f"{available[label]} of {sampler.class_names[label]}" for label in short)
        raise UserError(
            "--per-class", f"the generator has fewer than {end} images of some classes: {there_are}", "ask for fewer"
        )


def _drawn(sampler: Any, labels: Any, first_seed: int, count: int) -> Iterator[tuple[Any, int, str]]:
    from evenhand import progress
    from evenhand.models.sample_generator import BLOCK, sample_generator

    total, done = len(labels) * count, 0
    for label in labels:
        name = sampler.class_names[label]
        # A thousand images at a time keep memory small however many are asked for.
        for first in range(first_seed, first_seed + count, 16 * BLOCK):
            size = min(16 * BLOCK, first_seed + count - first)
            images = sample_generator(sampler, label=label, first_seed=first, count=size)
            for offset, pixels in enumerate(images):
                yield pixels, label, f"synthetic/{sampler.name}/{name}/{first + offset}"
            done += size
            progress.advance("draw images", done, total, "image")


def export(
    folder: Run,
    what: Annotated[
        What, typer.Option(help="The run's synthetic images, or its training images filled up to the largest class.")
    ],
    output: Output,
    format_: Annotated[Format, typer.Option("--format", help="How the images are written.")],
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Write the images of a run for other programs."""
    from evenhand.pipeline.layout import RunFolder

    run = RunFolder(folder)
    with session(_log(folder), quiet=quiet, verbose=verbose) as display:
        from evenhand.data.export import check_output, export_images

        check_output(output)
        from evenhand.data.image_tables import load_table
        from evenhand.models.generator_artifact import GeneratorCard

        synthetic = load_table(str(run.synthetic), ["train"], cache=None)
        real = load_table(str(run.examples), ["train"], cache=None) if what is What.balanced else None
        rows = list(_balanced(real, synthetic))
        images = ((table.images[row], int(table.labels[row]), str(table.ids[row])) for table, row in rows)
        digest = GeneratorCard.read(run.generator).weights_sha256
        export_images(images, list(synthetic.class_names), output, format_.value, generator_digest=digest)
        display.stop()
        display.say(f"{output}: {len(rows)} images{_shortfall(rows) if real is not None else ''}")


def _balanced(real: Any, synthetic: Any) -> Iterator[tuple[Any, int]]:
    """(table, row) of every real image, then of the synthetic ones that fill each class up to the largest real one."""
    import numpy as np

    for row in range(0 if real is None else len(real)):
        yield real, row
    for label in range(len(synthetic.class_names)):
        rows = np.flatnonzero(synthetic.labels == label)
        wanted = len(rows) if real is None else int(real.class_counts.max() - real.class_counts[label])
        for row in rows[:wanted]:
            yield synthetic, int(row)


def _shortfall(rows: list[tuple[Any, int]]) -> str:
    counts: dict[int, int] = {}
    for table, row in rows:
        counts[int(table.labels[row])] = counts.get(int(table.labels[row]), 0) + 1
    short = [rows[0][0].class_names[label] for label, count in sorted(counts.items()) if count < max(counts.values())]
    return f"; the run drew too few to fill up {', '.join(short)}" if short else ""


def predict(
    model: Annotated[Path, typer.Argument(metavar="RUN|MODEL", help="Output folder of a run, or a pushed model.")],
    images: Annotated[list[Path], typer.Argument(help="Image files of any size.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON with every class's probability.")] = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Tell the class of images."""
    folder = model
    if not (model / "model.json").is_file():
        from evenhand.pipeline.layout import RunFolder

        folder = RunFolder(model).model
    contents = [_image_bytes(path) for path in images]
    with session(None, quiet=quiet, verbose=verbose) as display:
        from evenhand.models.serving import load_classifier

        classifier = load_classifier(folder)
        display.stop()
        _print_predictions(classifier, images, contents, display.console, as_json=as_json)


def _image_bytes(path: Path) -> bytes:
    from evenhand.data import decode

    try:
        content = decode.read_file(path)
        # The limits on formats and pixels are checked here, before TensorFlow sees the file.
        decode.to_pixels(content, 8, 3)
    except OSError as error:
        raise UserError(str(path), f"cannot be read ({error.strerror})", "name image files") from error
    except decode.UnreadableImage as error:
        raise UserError(str(path), str(error), "leave it out or convert it") from error
    return content


def _print_predictions(
    classifier: LoadedClassifier, images: list[Path], contents: list[bytes], console: Any, *, as_json: bool
) -> None:
    names = classifier.class_names
    try:
        probabilities = classifier.predict_bytes(contents)
    except ValueError as error:
        raise UserError(str(images[0].parent), str(error), "convert it to PNG or JPEG") from error
    if as_json:
        rows = [
            {
                "image": str(path),
                "class": names[row.argmax()],
                "probabilities": {name: round(float(p), 6) for name, p in zip(names, row, strict=True)},
            }
            for path, row in zip(images, probabilities, strict=True)
        ]
        console.print(json.dumps(rows, indent=1, ensure_ascii=False), markup=False, soft_wrap=True)
        return
    width = max(len(str(path)) for path in images)
    for path, row in zip(images, probabilities, strict=True):
        console.print(f"{path!s:<{width}}  {names[row.argmax()]}  {row.max():.3f}", markup=False, soft_wrap=True)


def _log(run: Path) -> Path | None:
    """The log of a run, or None where the run may not be written."""
    import os

    return run / "logs" / "run.log" if os.access(run, os.W_OK) else None
