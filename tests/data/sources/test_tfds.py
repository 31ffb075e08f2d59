"""TensorFlow Datasets: a small one that is prepared here, by name and by folder."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow_datasets as tfds

from evenhand.config import Data
from evenhand.data.decode import decode
from evenhand.data.fingerprint import fingerprint
from evenhand.data.load import open_images
from evenhand.data.prepare import prepare
from evenhand.errors import UserError

COUNTS = {"train": 300, "validation": 20, "test": 60, "extra": 5}


def picture(split: str, number: int) -> np.ndarray:
    seed = [list(COUNTS).index(split), number]
    return np.random.default_rng(seed).integers(0, 256, (7, 6, 3), np.uint8)


class EvenhandTiny(tfds.core.GeneratorBasedBuilder):
    """Random pictures of three classes."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(shape=(None, None, 3)),
                    "label": tfds.features.ClassLabel(names=["ant", "bee", "cat"]),
                }
            ),
            supervised_keys=("image", "label"),
        )

    def _split_generators(self, dl_manager):
        return {split: self._generate_examples(split, count) for split, count in COUNTS.items()}

    def _generate_examples(self, split, count):
        for number in range(count):
            yield number, {"image": picture(split, number), "label": number % 3}


class EvenhandNoLabels(EvenhandTiny):
    """The same without labels."""

    def _info(self):
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict({"image": tfds.features.Image(shape=(None, None, 3))})
        )

    def _generate_examples(self, split, count):
        yield 0, {"image": picture(split, 0)}


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    return str(tmp_path_factory.mktemp("tfds"))


def config(data_dir: str, name: str = "evenhand_tiny") -> Data:
    return Data(source="tfds", path=name, options={"data_dir": data_dir})


@pytest.fixture(scope="module")
def images(data_dir):
    return open_images(config(data_dir))


def test_classes_splits_and_ids(images):
    assert images.class_names == ("ant", "bee", "cat")
    assert np.bincount(images.splits).tolist() == [0, 300, 20, 60]
    assert np.bincount(images.labels).tolist() == [127, 127, 126]
    assert images.identify(300) == "tfds/evenhand_tiny/validation/0"


def test_every_picture_comes_with_its_label(images):
    expected = {
        picture(split, number).tobytes(): (number % 3, index)
        for index, split in enumerate(("train", "validation", "test"), start=1)
        for number in range(COUNTS[split])
    }
    order = np.random.default_rng(0).permutation(len(images))
    found = {decode(images.read(int(row))).tobytes(): (images.labels[row], images.splits[row]) for row in order}
    assert found == expected


def test_prepared_folders_need_no_code(images, data_dir):
    builder = tfds.builder("evenhand_tiny", data_dir=data_dir)
    again = open_images(Data(source="tfds", path=str(builder.data_dir)))
    np.testing.assert_array_equal(again.labels, images.labels)
    assert again.read(7) == images.read(7)


def test_it_is_prepared_like_any_source(images, data_dir):
    preparation = prepare(config(data_dir), seed=0)
    assert preparation.counts["test"].sum() == 60 and preparation.counts["validation"].sum() == 20


def test_the_fingerprint_is_that_of_the_files(images, data_dir):
    assert fingerprint(config(data_dir)) == fingerprint(config(data_dir))


def test_what_is_no_such_data_set(data_dir):
    with pytest.raises(UserError, match="tfds:no_such_thing: is no known data set"):
        open_images(config(data_dir, "no_such_thing"))
    with pytest.raises(UserError, match="tfds:evenhand_no_labels: is no image classification data set"):
        open_images(config(data_dir, "evenhand_no_labels"))
    with pytest.raises(UserError, match="data.path: is not set"):
        open_images(Data(source="tfds"))
    with pytest.raises(UserError, match="tfds:evenhand_tiny: is not prepared"):
        open_images(Data(source="tfds", path="evenhand_tiny", options={"data_dir": data_dir + "/x", "download": False}))
