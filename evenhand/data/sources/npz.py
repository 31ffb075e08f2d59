"""A NumPy .npz archive in the Keras (`x_train`, `y_train`, …) or MedMNIST (`train_images`, …) convention.

Nothing is unpickled. Pixels are bool, uint8, or uint16 of as many bits, 8 to 16, as the largest value of the archive
needs: cameras and scanners give 10 or 12. Images are unpacked into an unnamed temporary file and read from there one by
one, so that memory holds no pixels whatever the archive's size.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from evenhand.config import Data, Section, parse_options
from evenhand.data.decode import UnreadableImage, check_size
from evenhand.data.fingerprint import of_files
from evenhand.data.image_set import SPLITS, ImageSet
from evenhand.data.marks import SYNTHETIC_ARRAY
from evenhand.data.sources._conventions import named_classes, required_file
from evenhand.errors import UserError

CONVENTIONS = (
    {"train": ("x_train", "y_train"), "validation": ("x_val", "y_val"), "test": ("x_test", "y_test")},
    {
        "train": ("train_images", "train_labels"),
        "validation": ("val_images", "val_labels"),
        "test": ("test_images", "test_labels"),
    },
)
"""Split -> names of its images and labels."""

_LARGEST_HEADER = 10_000
_LARGEST_NAMES_BYTES = 16 * 2**20


class Options(Section):
    """Options of an archive.

    Attributes:
      class_names: names of the labels 0, 1, …; else those in the archive's array `class_names`, else the numbers.
    """

    class_names: tuple[str, ...] | None = None


@dataclass(frozen=True)
class _Array:
    """An array's header: what it says of itself before anything of it is read."""

    member: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    data_offset: int


class _Images:
    """The images of one split, on disk."""

    def __init__(self, file: IO[bytes], array: _Array, shift: int) -> None:
        self._file, self._shape, self._dtype, self._shift = file, array.shape[1:], array.dtype, shift
        self._bytes = int(np.prod(self._shape)) * array.dtype.itemsize

    def read(self, index: int) -> NDArray[np.uint8]:
        """uint8[h, w] or uint8[h, w, 1 | 3 | 4]."""
        # pread moves no shared position, so that threads may read at once.
        raw = os.pread(self._file.fileno(), self._bytes, index * self._bytes)
        pixels = np.frombuffer(raw, self._dtype).reshape(self._shape)
        if self._dtype == np.bool_:
            return pixels.astype(np.uint8) * 255
        return pixels if self._dtype.itemsize == 1 else (pixels >> self._shift).astype(np.uint8)


def open_source(config: Data) -> ImageSet:
    """Unpacks the images beside memory and reads the labels.

    Raises:
      UserError: if the file is no such archive, holds pickled objects, or labels are out of range.
    """
    options = parse_options(Options, config.options, "data.options")
    path = required_file(config)
    try:
        with zipfile.ZipFile(path) as archive:
            return _open(archive, path, options)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise UserError(str(path), f"is no readable .npz archive ({error})", "write it with numpy.savez") from error


def _open(archive: zipfile.ZipFile, path: Path, options: Options) -> ImageSet:
    arrays = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
    convention = next((names for names in CONVENTIONS if names["train"][0] in arrays), None)
    if convention is None:
        raise UserError(
            str(path),
            f"holds neither x_train nor train_images, but {', '.join(list(arrays)[:8]) or 'nothing'}",
            "name the arrays as Keras or MedMNIST do",
        )
    unpacked, labels, splits = [], [], []
    for split, (images_name, labels_name) in convention.items():
        if images_name not in arrays:
            continue
        if labels_name not in arrays:
            raise UserError(str(path), f"holds {images_name} but no {labels_name}", f"add {labels_name}")
        images = _images_header(archive, path, arrays[images_name])
        labels.append(_labels(archive, path, arrays[labels_name], images.shape[0]))
        unpacked.append((_unpack(archive, path, images), images))
        splits.append((split, images.shape[0]))
    shift = max(_bits(file, images) for file, images in unpacked) - 8
    parts = [_Images(file, images, shift) for file, images in unpacked]
    class_names = options.class_names or _stored_names(archive, path, arrays.get("class_names"))
    all_labels = np.concatenate(labels)
    starts = np.cumsum([0, *(count for _, count in splits)])

    def locate(index: int) -> tuple[int, int]:
        part = int(np.searchsorted(starts, index, side="right")) - 1
        return part, index - int(starts[part])

    def read(index: int) -> NDArray[np.uint8]:
        part, row = locate(index)
        return parts[part].read(row)

    def identify(index: int) -> str:
        part, row = locate(index)
        return f"npz/{splits[part][0]}/{row}"

    return ImageSet(
        class_names=named_classes(str(path), all_labels, class_names),
        labels=all_labels,
        splits=np.repeat(
            np.asarray([SPLITS.index(split) for split, _ in splits], np.uint8), [count for _, count in splits]
        ),
        identify=identify,
        read=read,
        synthetic=_stored_marks(archive, path, arrays.get(SYNTHETIC_ARRAY), splits),
    )


def _header(archive: zipfile.ZipFile, path: Path, info: zipfile.ZipInfo) -> _Array:
    """Reads an array's header and checks it against the member's size, before anything is allocated for it."""
    where = f"{path}, {info.filename.removesuffix('.npy')}"
    with archive.open(info) as member:
        try:
            version = np.lib.format.read_magic(member)
            read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, by_column, dtype = read(member, max_header_size=_LARGEST_HEADER)
        except ValueError as error:
            raise UserError(where, f"is no NumPy array ({error})", "write it with numpy.savez") from error
        offset = member.tell()
    if dtype.hasobject:
        raise UserError(where, "holds pickled objects, which are never loaded", "store plain numbers")
    if by_column and len(shape) > 1:
        raise UserError(where, "is stored by column", "store numpy.ascontiguousarray of it")
    if info.file_size - offset != int(np.prod(shape, dtype=object)) * dtype.itemsize:
        raise UserError(where, "is not as long as its shape says", "write the archive anew")
    return _Array(info.filename, shape, dtype, offset)


def _images_header(archive: zipfile.ZipFile, path: Path, info: zipfile.ZipInfo) -> _Array:
    array = _header(archive, path, info)
    where = f"{path}, {info.filename.removesuffix('.npy')}"
    if len(array.shape) not in (3, 4) or (len(array.shape) == 4 and array.shape[3] not in (1, 3, 4)):
        raise UserError(
            where, f"has the shape {array.shape}", "images have the shape [n, h, w] or [n, h, w, 1 | 3 | 4]"
        )
    if array.dtype not in (np.bool_, np.uint8, np.uint16) or not array.dtype.isnative:
        raise UserError(where, f"holds {array.dtype}", "store pixels as uint8 from 0 to 255")
    try:
        check_size(array.shape[2], array.shape[1])
    except UnreadableImage as error:
        raise UserError(where, f"each image {error}", "store smaller images") from error
    return array


def _unpack(archive: zipfile.ZipFile, path: Path, array: _Array) -> IO[bytes]:
    """The array's bytes in an unnamed temporary file, which goes when the process does."""
    size = int(np.prod(array.shape, dtype=object)) * array.dtype.itemsize
    free = shutil.disk_usage(tempfile.gettempdir()).free
    if size > free:
        raise UserError(
            f"{path}, {array.member}",
            f"needs {size / 2**30:.1f} GiB unpacked, but {free / 2**30:.1f} are free in {tempfile.gettempdir()}",
            "free some or set TMPDIR",
        )
    file = tempfile.TemporaryFile(prefix="evenhand-")  # noqa: SIM115 - read as long as the source lives
    with archive.open(array.member) as member:
        member.seek(array.data_offset)
        shutil.copyfileobj(member, file, 2**20)
    file.flush()
    return file


def _bits(file: IO[bytes], array: _Array) -> int:
    """Bits that the largest value needs, at least 8."""
    largest = 0
    if array.dtype == np.uint16:
        file.seek(0)
        while block := file.read(2**20):
            largest = max(largest, int(np.frombuffer(block, np.uint16).max()))
    return max(largest.bit_length(), 8)


def _labels(archive: zipfile.ZipFile, path: Path, info: zipfile.ZipInfo, num_images: int) -> NDArray[np.int32]:
    array = _header(archive, path, info)
    where = f"{path}, {info.filename.removesuffix('.npy')}"
    if array.shape not in ((num_images,), (num_images, 1)):
        raise UserError(where, f"has the shape {array.shape} for {num_images} images", "give one label for each image")
    if array.dtype.kind not in "iu":
        raise UserError(where, f"holds {array.dtype}", "store labels as whole numbers from 0")
    labels = _values(archive, array).ravel()
    farthest = max(int(labels.max(initial=0)), int(labels.min(initial=0)), key=abs)
    if abs(farthest) > np.iinfo(np.int32).max:
        raise UserError(where, f"label {farthest} is out of range", "labels run from 0 without gaps")
    return labels.astype(np.int32)


def _values(archive: zipfile.ZipFile, array: _Array) -> NDArray[Any]:
    with archive.open(array.member) as member:
        member.seek(array.data_offset)
        return np.frombuffer(member.read(), array.dtype).reshape(array.shape)


def _stored_names(archive: zipfile.ZipFile, path: Path, info: zipfile.ZipInfo | None) -> tuple[str, ...] | None:
    if info is None:
        return None
    array = _header(archive, path, info)
    if array.dtype.kind != "U" or len(array.shape) != 1 or info.file_size > _LARGEST_NAMES_BYTES:
        raise UserError(f"{path}, class_names", "is no list of texts", "store numpy.array of strings")
    return tuple(str(name) for name in _values(archive, array))


def _stored_marks(
    archive: zipfile.ZipFile, path: Path, info: zipfile.ZipInfo | None, splits: list[tuple[str, int]]
) -> NDArray[np.bool_] | None:
    """bool[n] over all splits, from an array over the training images, which come first."""
    if info is None:
        return None
    array, count = _header(archive, path, info), splits[0][1]
    if array.dtype != np.bool_ or array.shape != (count,):
        raise UserError(f"{path}, {SYNTHETIC_ARRAY}", f"is no bool[{count}]", "give one value for each training image")
    others = sum(number for _, number in splits[1:])
    return np.concatenate([_values(archive, array), np.zeros(others, bool)])


def fingerprint(config: Data) -> str:
    """Digest of the archive's contents."""
    path = required_file(config)
    return of_files([("npz", path)])
