"""Writes images for other programs: a class-per-folder tree, an .npz archive, or TFRecord files."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import IO, Literal

import numpy as np
from numpy.typing import NDArray

from evenhand.data.decode import encode_png
from evenhand.data.marks import MANIFEST, SYNTHETIC_ARRAY, ManifestLine, is_synthetic_id
from evenhand.errors import UserError

Image = tuple[NDArray[np.uint8], int, str]
"""Pixels uint8[h, w, 1 | 3], label, id."""

Format = Literal["folder", "npz", "tfrecord"]

_SHARD_IMAGES = 4096


def export_images(
    images: Iterable[Image],
    class_names: Sequence[str],
    output: Path,
    format: Format,  # noqa: A002
    *,
    generator_digest: str | None = None,
) -> int:
    """Writes images so that `output` appears whole or not at all.

    - `folder`: `<class>/<number>.png`, which torchvision's ImageFolder and this package's source `folder` read;
    - `npz`: `x_train` uint8[n, h, w] or [n, h, w, 3], `y_train` int64[n], `class_names`, `synthetic` bool[n]; no
      pickled objects. An `output` that does not end in .npz is a folder, and the archive is `images.npz` in it;
    - `tfrecord`: gzipped tf.Examples in the Slim convention, which the source `tfrecord` reads.

    Synthetic images, known by their ids, carry a mark (in an archive, the array `synthetic`), and `manifest.jsonl`
    beside the images has a line for each, from which it can be drawn again (see `marks`); beside an archive
    `out.npz` it is `out.manifest.jsonl`.

    Args:
      images: pixels, label and id of each image, all of one shape; taken one by one, never held together.
      class_names: names of the classes; a label is an index into them.
      output: folder or file to write; may exist only as an empty folder.
      format: one of the above.
      generator_digest: SHA-256 of the weights of the generator that drew the synthetic ones, for the manifest.

    Returns:
      How many images were written.

    Raises:
      UserError: if there is something at `output` already, or it cannot be written.
    """
    if format not in _WRITERS:
        raise ValueError(f"format must be one of {', '.join(_WRITERS)}, not {format!r}")
    output = Path(output)
    check_output(output)
    try:
        output.absolute().parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=f".{output.name}-", dir=output.absolute().parent))
    except OSError as error:
        raise UserError(str(output), f"cannot be written ({error.strerror})", "choose another place") from error
    try:
        with _Manifest(fresh / MANIFEST, generator_digest) as manifest:
            count = _WRITERS[format](images, class_names, fresh, manifest)
        fresh.chmod(0o777 & ~_umask())
        if format == "npz" and output.suffix == ".npz" and not output.is_dir():
            if (fresh / MANIFEST).exists():
                (fresh / MANIFEST).replace(output.with_suffix(f".{MANIFEST}"))
            (fresh / "images.npz").replace(output)
        else:
            fresh.replace(output)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return count


def check_output(output: Path) -> None:
    """Looks whether images can be exported to a place, before work is put into them.

    Args:
      output: folder or file; may exist only as an empty folder.

    Raises:
      UserError: if there is something already.
    """
    if os.path.lexists(output) and not (os.path.isdir(output) and not any(output.iterdir())):
        raise UserError(str(output), "holds something already", "name a new or empty folder")


def _umask() -> int:
    # Python tells the umask only by setting it.
    mask = os.umask(0)
    os.umask(mask)
    return mask


class _Manifest:
    """`manifest.jsonl`, made with the first synthetic image."""

    def __init__(self, path: Path, digest: str | None) -> None:
        self._path, self._digest = path, digest
        self._file: IO[str] | None = None

    def __enter__(self) -> _Manifest:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def add(self, image: Image, file: str | None) -> ManifestLine | None:
        """Notes an image if it is synthetic, and gives its line; None if it is real."""
        pixels, label, image_id = image
        if not is_synthetic_id(image_id):
            return None
        if self._file is None:
            self._file = open(self._path, "w", encoding="utf-8")  # noqa: SIM115 - closed by __exit__
        line = ManifestLine.of(pixels, image_id, label, digest=self._digest, file=file)
        line.write(self._file)
        return line


def _write_folder(images: Iterable[Image], class_names: Sequence[str], output: Path, manifest: _Manifest) -> int:
    folders = _folder_names(class_names)
    for name in folders:
        (output / name).mkdir()
    numbers = [0] * len(class_names)
    for image in images:
        pixels, label, _ = image
        file = f"{folders[label]}/{numbers[label]:06d}.png"
        is_synthetic = manifest.add(image, file) is not None
        (output / file).write_bytes(encode_png(pixels, synthetic=is_synthetic))
        numbers[label] += 1
    return sum(numbers)


def _folder_names(class_names: Sequence[str]) -> list[str]:
    """Class names as folder names: distinct, and never a path that leads elsewhere."""
    names: list[str] = []
    for label, name in enumerate(class_names):
        safe = re.sub(r"[/\\\x00-\x1f]", "_", name)
        # A leading dot would hide the folder from every reader, or lead out of it.
        safe = safe if safe and not safe.startswith(".") else f"_{safe}"
        names.append(f"{safe}_{label}" if safe in names else safe)
    return names


def _write_npz(images: Iterable[Image], class_names: Sequence[str], output: Path, manifest: _Manifest) -> int:
    """Streams pixels to disk first, since the archive's header must say how many there are."""
    labels: list[int] = []
    synthetic: list[bool] = []
    shape = None
    raw = output / "pixels"
    with open(raw, "wb") as file:
        for image in images:
            pixels, label, _ = image
            shape = pixels.shape if shape is None else shape
            if pixels.shape != shape:
                raise ValueError(f"all images must have the shape {shape}, not {pixels.shape}")
            file.write(np.ascontiguousarray(pixels).tobytes())
            labels.append(label)
            synthetic.append(manifest.add(image, None) is not None)
    height, width, channels = shape or (0, 0, 1)
    full = (len(labels), height, width) if channels == 1 else (len(labels), height, width, channels)
    with zipfile.ZipFile(output / "images.npz", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        with archive.open("x_train.npy", "w", force_zip64=True) as member, open(raw, "rb") as file:
            header = {"descr": "|u1", "fortran_order": False, "shape": full}
            np.lib.format.write_array_header_1_0(member, header)
            shutil.copyfileobj(file, member, 2**20)
        for name, values in (
            ("y_train", np.asarray(labels, np.int64)),
            ("class_names", np.asarray(class_names, np.str_)),
            (SYNTHETIC_ARRAY, np.asarray(synthetic, bool)),
        ):
            with archive.open(f"{name}.npy", "w") as member:
                np.lib.format.write_array(member, values, allow_pickle=False)
    raw.unlink()
    return len(labels)


def _write_tfrecord(images: Iterable[Image], class_names: Sequence[str], output: Path, manifest: _Manifest) -> int:
    # The number of files stands in their names, and is known at the end.
    from evenhand.data import records

    parts: list[Path] = []
    count, iterator = 0, iter(images)
    while chunk := _encoded(islice(iterator, _SHARD_IMAGES), class_names, manifest):
        parts.append(output / f"part-{len(parts)}")
        count += records.write_shard(str(parts[-1]), chunk)
    for index, part in enumerate(parts):
        part.rename(output / records.shard_name(index, len(parts)))
    return count


def _encoded(images: Iterator[Image], class_names: Sequence[str], manifest: _Manifest) -> list[bytes]:
    from evenhand.data import records

    encoded = []
    for image in images:
        pixels, label, image_id = image
        line = manifest.add(image, None)
        encoded.append(
            records.encode_example(
                encode_png(pixels, synthetic=line is not None),
                image_shape=pixels.shape,
                image_id=image_id,
                label=label,
                class_name=class_names[label],
                split="train",
                source="real" if line is None else "synthetic",
                seed=None if line is None else line.seed,
                generator_digest=None if line is None else line.generator_digest,
            )
        )
    return encoded


_WRITERS: dict[Format, Callable[[Iterable[Image], Sequence[str], Path, _Manifest], int]] = {
    "folder": _write_folder,
    "npz": _write_npz,
    "tfrecord": _write_tfrecord,
}
