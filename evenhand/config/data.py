"""The `data` section: where the images come from and which of them are used."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, model_validator

from evenhand.config.section import Section, Share, registered


class Classes(Section):
    """Which classes take part.

    Attributes:
      include: keep only these class names, in this order; None keeps all.
      exclude: drop these class names.
      merge: new name -> the class names it replaces.
      minimum: drop classes with fewer images than this.
    """

    include: tuple[str, ...] | None = None
    exclude: tuple[str, ...] | None = None
    merge: dict[str, tuple[str, ...]] | None = None
    minimum: int = Field(2, ge=1)


class GeometricProfile(Section):
    """Thins class k, in `order`, to ceil(largest * ratio^k) images (S3, section 3).

    Attributes:
      ratio: C of the paper, in (0, 1].
      largest: images of the first class; None takes all there are of it.
      order: `classes` (the source's order), `largest-first`, or class names in order.
    """

    kind: Literal["geometric"] = "geometric"
    ratio: float = Field(gt=0.0, le=1.0)
    largest: int | None = Field(None, ge=1)
    order: Literal["classes", "largest-first"] | tuple[str, ...] = "classes"


class CountsProfile(Section):
    """Thins each class to an explicit count (S4); the images must exist.

    Attributes:
      counts: images per class, in the order of the classes.
    """

    kind: Literal["counts"] = "counts"
    counts: tuple[Annotated[int, Field(ge=1)], ...]


Profile = Annotated[GeometricProfile | CountsProfile, Field(discriminator="kind")]


class Splits(Section):
    """Shares of the images; a source's own test split wins over `test`."""

    validation: Share = 0.1
    test: Share = 0.25


class Keypoints(Section):
    """Where the 21 key points of the hand in each image come from; exactly one of the two.

    Attributes:
      model: MediaPipe's hand landmarker, a `.task` file, which looks for them in every image.
      openpose: a folder of OpenPose's JSON files, one for each image, named as the image with `_keypoints.json`.
    """

    model: str | None = None
    openpose: str | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Keypoints:
        if (self.model is None) == (self.openpose is None):
            raise ValueError("give either model or openpose")
        return self


class Data(Section):
    """Where the images come from and which of them are used.

    Attributes:
      source: a name from `registry.names("data.sources")` or a dotted path.
      path: file, folder, pattern or data set name that the source reads.
      image_size: height and width in pixels that every image is resized to; by default 16 for the source `digits`,
        whose images have 8, and 32 for others.
      channels: 1 (grey), 3 (RGB) or None: 1 when every image is grey, else 3.
      group: folder: a regular expression on the file name whose first group names the person or patient;
        csv: the column that does; tfrecord: the feature that does. Images of one group stay on one side of each split.
      strict: refuse unreadable images instead of skipping and counting them.
      validate_: run StatisticsGen, SchemaGen and ExampleValidator (key `validate`).
      keypoints: where the key points of hands come from, for generators that draw from poses; None looks for none.
      options: options of the source itself.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, serialize_by_alias=True)

    source: Annotated[str, registered("data.sources", "data.source")] = "digits"
    path: str | None = None
    image_size: int = Field(32, ge=8, le=1024)
    channels: Literal[1, 3] | None = None
    group: str | None = None
    strict: bool = False
    validate_: bool = Field(True, alias="validate")
    classes: Classes = Classes()
    profile: Profile | None = None
    splits: Splits = Splits()
    keypoints: Keypoints | None = None
    options: dict[str, Any] = {}

    @model_validator(mode="before")
    @classmethod
    def _digits_are_small_and_have_a_tail(cls, values: Any) -> Any:
        if not isinstance(values, dict) or values.get("source", "digits") != "digits":
            return values
        if values.get("profile") is None:
            values = {**values, "profile": {"kind": "geometric", "ratio": 0.65, "largest": 100}}
        return {"image_size": 16, **values}
