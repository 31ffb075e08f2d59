"""The mark that every synthetic image carries, and the manifest from which it can be drawn again.

The mark is the one that IPTC and C2PA set for images made by a trained model: `DigitalSourceType` with the vocabulary's
address, as PNG text and in an XMP packet. It is the same for all images, so that it costs 0.5 KB a file and next to
nothing in a compressed shard. What tells one image from another stands in the manifest.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from evenhand.config import Section
from evenhand.errors import UserError

DIGITAL_SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
"""IPTC's address of "created using a trained model"."""

PNG_KEYWORD = "DigitalSourceType"
XMP_KEYWORD = "XML:com.adobe.xmp"
XMP = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
    'xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" '
    f'Iptc4xmpExt:DigitalSourceType="{DIGITAL_SOURCE_TYPE}"/></rdf:RDF></x:xmpmeta><?xpacket end="r"?>'
)
"""The packet, under its keyword an uncompressed iTXt chunk."""

PREFIX = "synthetic/"
"""How the ids of synthetic images begin: `synthetic/<generator>/<class>/<seed>`."""

MANIFEST = "manifest.jsonl"
"""Name of the file with one line for each synthetic image, beside exported images."""

SYNTHETIC_ARRAY = "synthetic"
"""Name of the array of an .npz archive that tells which training images are synthetic: its pixels carry no mark."""

REASON = "is marked as synthetic (DigitalSourceType trainedAlgorithmicMedia)"

_TERM = b"/digitalsourcetype/trainedAlgorithmicMedia"


def is_marked(encoded: bytes) -> bool:
    """Whether an image file says of itself that a trained model made it, whatever program wrote that."""
    return _TERM in encoded


def is_synthetic_id(image_id: str) -> bool:
    """Whether an image's id is that of a synthetic one."""
    return image_id.startswith(PREFIX)


class ManifestLine(Section):
    """What is needed to draw a synthetic image again, bit for bit.

    Attributes:
      file: path of the image below the manifest's folder; None where images share a file.
      id: of the image.
      generator: name of the generator.
      generator_digest: SHA-256 of its weights, `weights_sha256` in its `generator.json`; None where it was not told.
      label: index of the class.
      class_name: its name.
      seed: the image's seed; it is drawn in a block of 64 seeds (see `sample_generator`).
      pixels_sha256: of the pixels' bytes, row by row, to check what is drawn.
    """

    file: str | None
    id: str
    generator: str
    generator_digest: str | None
    label: int
    class_name: str
    seed: int
    pixels_sha256: str

    @classmethod
    def of(
        cls, pixels: NDArray[np.uint8], image_id: str, label: int, *, digest: str | None, file: str | None
    ) -> ManifestLine:
        """The line of an image whose id is `synthetic/<generator>/<class>/<seed>`."""
        generator, _, rest = image_id.removeprefix(PREFIX).partition("/")
        class_name, _, seed = rest.rpartition("/")
        return cls(
            file=file,
            id=image_id,
            generator=generator,
            generator_digest=digest,
            label=label,
            class_name=class_name,
            seed=int(seed),
            pixels_sha256=pixels_digest(pixels),
        )

    def write(self, manifest: IO[str]) -> None:
        """Appends the line to an open manifest."""
        manifest.write(json.dumps(self.model_dump(), ensure_ascii=False) + "\n")


def pixels_digest(pixels: NDArray[np.uint8]) -> str:
    """SHA-256 of the pixels' bytes, hexadecimal."""
    return hashlib.sha256(np.ascontiguousarray(pixels).tobytes()).hexdigest()


def read_manifest(path: Path) -> Iterator[ManifestLine]:
    """The lines of a manifest.

    Raises:
      UserError: if the file cannot be read or a line is none of a manifest.
    """
    try:
        # What is no text is no line either.
        with open(path, encoding="utf-8", errors="replace") as file:
            for number, line in enumerate(file, start=1):
                try:
                    yield ManifestLine.model_validate_json(line)
                except ValueError as error:
                    raise UserError(
                        f"{path}, line {number}", "is no line of a manifest", f"give a {MANIFEST} that evenhand wrote"
                    ) from error
    except OSError as error:
        raise UserError(str(path), f"cannot be read ({error.strerror})", f"give a {MANIFEST}") from error


def class_names_of_folders(folder: Path) -> dict[str, str]:
    """What the manifest in `folder` tells of the class folders beside it: name of the folder -> name of its class.

    Returns:
      Nothing without a manifest, or with one that is not ours: other programs call their files so, too.

    Raises:
      UserError: if a later line is damaged.
    """
    if not _is_ours(folder / MANIFEST):
        return {}
    files = ((line.file, line.class_name) for line in read_manifest(folder / MANIFEST))
    return {file.partition("/")[0]: class_name for file, class_name in files if file is not None}


def _is_ours(manifest: Path) -> bool:
    try:
        next(read_manifest(manifest), None)
    except UserError:
        return False
    return True
