"""One image keeps its id from the source to the report, as docs/follow-one-image.md tells it."""

from __future__ import annotations

import json

import tensorflow as tf

from evenhand.config import RunConfig
from evenhand.config_file import load
from evenhand.data.image_tables import load_table
from evenhand.data.prepare import prepare
from evenhand.models.generator_artifact import load_sampler
from evenhand.models.sample_generator import sample_generator
from evenhand.pipeline.layout import RunFolder
from evenhand.report.predictions import read_predictions
from evenhand.report.samples import read_samples
from tests.pipeline.conftest import TinyRun


def _config(run: TinyRun) -> RunConfig:
    return load(str(run.config))


def test_a_real_image_keeps_its_id(tiny_run: TinyRun) -> None:
    preparation = prepare(_config(tiny_run).data, seed=0)
    row = int((preparation.split == 3).nonzero()[0][0])
    image_id, label = preparation.image_set.identify(row), int(preparation.image_set.labels[row])
    # Records: the example says what it is without the folder it lies in.
    files = sorted((RunFolder(tiny_run.output).examples / "Split-test").iterdir())
    features = [
        tf.train.Example.FromString(record).features.feature
        for record in tf.data.TFRecordDataset([str(file) for file in files], "GZIP").as_numpy_iterator()
    ]
    [mine] = [feature for feature in features if feature["image/id"].bytes_list.value[0] == image_id.encode()]
    assert mine["image/class/label"].int64_list.value[0] == label
    assert mine["image/split"].bytes_list.value[0] == b"test"
    assert mine["image/source"].bytes_list.value[0] == b"real"
    # Training tables never hold it; every strategy's predictions do, once.
    assert image_id not in load_table(str(RunFolder(tiny_run.output).examples), ["train", "validation"], cache=None).ids
    for file in (tiny_run.output / "predictions").glob("*.parquet"):
        [rows] = read_predictions(file)
        [position] = (rows.ids == image_id).nonzero()[0]
        assert rows.labels[position] == label and rows.splits[position] == "test"


def test_a_synthetic_image_can_be_drawn_again_from_its_id(tiny_run: TinyRun) -> None:
    run = RunFolder(tiny_run.output)
    table = load_table(str(run.synthetic), ["train"], cache=None)
    source, generator, class_name, seed = str(table.ids[100]).split("/")
    assert (source, generator) == ("synthetic", "cgan")
    label = table.class_names.index(class_name)
    [again] = sample_generator(load_sampler(run.generator), label=label, first_seed=int(seed), count=1)
    assert (again == table.images[100]).all()


def test_the_report_shows_images_by_their_ids(tiny_run: TinyRun) -> None:
    shown = {sample.image_id for sample in read_samples(tiny_run.output / "samples.parquet")}
    run = RunFolder(tiny_run.output)
    known = {
        str(image_id)
        for folder in (run.examples, run.synthetic)
        for image_id in load_table(str(folder), ["train"], cache=None).ids
    }
    assert shown and shown <= known
    assert json.loads((tiny_run.output / "result.json").read_text())["data"]["source"] == "digits"
