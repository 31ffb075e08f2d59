"""The whole pipeline through the real launcher and a real ML Metadata store, from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from jsonschema import Draft202012Validator
from ml_metadata.metadata_store import MetadataStore
from ml_metadata.proto import metadata_store_pb2
from sklearn.metrics import balanced_accuracy_score

from evenhand.errors import UserError
from evenhand.pipeline.layout import RunFolder
from evenhand.report.predictions import read_predictions
from evenhand.report.result import Result
from tests.pipeline.conftest import TinyRun, evenhand

TRAINED = (
    "baseline",
    "oversample",
    "pretrain_finetune",
    "mixup",
    "pretrain_finetune_matched",
    "mixup_matched",
)
ARMS = (*TRAINED, "smote_svm")


def _store(run: TinyRun) -> MetadataStore:
    config = metadata_store_pb2.ConnectionConfig()
    config.sqlite.filename_uri = str(run.output / "metadata.sqlite")
    return MetadataStore(config)


def _stage_states(stdout: str) -> dict[str, str]:
    lines = [line.split() for line in stdout.splitlines() if line.startswith("[")]
    return {words[-2] if words[-1] == "cached" else words[-3]: words[-1] for words in lines}


def test_every_file_of_the_contract_is_there(tiny_run: TinyRun) -> None:
    files = ["config.yaml", "result.json", "report.html", "report.md", "logs/run.log", "metadata.sqlite"]
    missing = [name for name in files if not (tiny_run.output / name).is_file()]
    assert not missing
    assert {path.stem for path in (tiny_run.output / "predictions").glob("*.parquet")} == set(ARMS)
    assert {path.name for path in (tiny_run.output / "tfma").iterdir()} == set(TRAINED)
    [version] = (tiny_run.output / "model").iterdir()
    assert (version / "saved_model.pb").is_file() and (version / "model.keras").is_file()
    events = list((tiny_run.output / "tensorboard").rglob("events.out.tfevents*"))
    assert {path.relative_to(tiny_run.output / "tensorboard").parts[0] for path in events} >= {
        "GeneratorTrainer",
        "Trainer-baseline-1",
    }


def test_result_fits_its_schema_and_its_predictions(tiny_run: TinyRun) -> None:
    result = json.loads((tiny_run.output / "result.json").read_text())
    schema = json.loads((Path(__file__).parents[2] / "evenhand/report/result.schema.json").read_text())
    Draft202012Validator(schema).validate(result)
    for arm in ARMS:
        [rows] = read_predictions(tiny_run.output / "predictions" / f"{arm}.parquet")
        for split in ("validation", "test"):
            part = rows.part(split)
            expected = balanced_accuracy_score(part.labels, part.probabilities.argmax(1))
            assert result["strategies"][arm][split]["balanced_accuracy"] == pytest.approx(expected, abs=1e-9)
    assert all(strategy["core_hours"] > 0 for strategy in result["strategies"].values())
    assert result["data"]["classes"][0] == {"name": "0", "train": 32, "validation": 8, "test": 18, "synthetic": 70}
    assert {name: strategy["steps"] for name, strategy in result["strategies"].items()} == {
        **dict.fromkeys(TRAINED, 12),
        "smote_svm": 0,
    }
    assert set(result["seconds"]) >= {"ImbalancedExampleGen", "GeneratorTrainer", "Evaluator-baseline", "Pusher"}


def test_tfma_sees_the_same_numbers(tiny_run: TinyRun) -> None:
    import tensorflow_model_analysis as tfma

    result = Result.load(tiny_run.output)
    for arm in ("baseline", "pretrain_finetune"):
        model_name = None if arm == "baseline" else "candidate"
        opened = tfma.load_eval_result(str(tiny_run.output / "tfma" / arm), model_name=model_name)
        by_slice = {key: metrics[""][""] for key, metrics in opened.slicing_metrics}
        test = by_slice[(("image/split", "test"),)]
        scores = result.strategies[arm].test
        assert test["sparse_categorical_accuracy"]["doubleValue"] == pytest.approx(scores.accuracy, abs=1e-6)
        assert test["balanced_accuracy"]["doubleValue"] == pytest.approx(scores.balanced_accuracy, abs=1e-6)
        for name in ("macro_f1", "weighted_f1", "matthews", "worst_class_recall", "calibration_error"):
            assert test[name]["doubleValue"] == pytest.approx(getattr(scores, name), abs=1e-6)
        for name, value in result.strategies[arm].uncertainty.overall.model_dump().items():
            assert test[name]["doubleValue"] == pytest.approx(value, abs=1e-6)
        for label, entry in enumerate(scores.per_class):
            metrics = by_slice[(("image/class/label", label), ("image/split", "test"))]
            assert metrics["sparse_categorical_accuracy"]["doubleValue"] == pytest.approx(entry.recall, abs=1e-6)


def test_lineage_keeps_real_and_synthetic_apart(tiny_run: TinyRun) -> None:
    store = _store(tiny_run)
    uris = {artifact.id: artifact.uri for artifact in store.get_artifacts()}
    inputs: dict[str, set[str]] = {}
    for execution in store.get_executions():
        [node] = [c.name.rpartition(".")[2] for c in store.get_contexts_by_execution(execution.id) if c.type == "node"]
        for event in store.get_events_by_execution_ids([execution.id]):
            if event.type == metadata_store_pb2.Event.INPUT:
                inputs.setdefault(node, set()).add(Path(uris[event.artifact_id]).parts[-3])
    real, synthetic = "ImbalancedExampleGen", "SyntheticExampleGen"
    assert synthetic in inputs["Trainer-pretrain_finetune-1"] and real not in inputs["Trainer-pretrain_finetune-1"]
    assert {real, synthetic} <= inputs["Trainer-mixup-1"]
    for node in (
        "Trainer-baseline-1",
        "Trainer-pretrain_finetune-2",
        "Trainer-pretrain_finetune_matched-1",
        "Trainer-mixup_matched-1",
    ):
        assert real in inputs[node] and synthetic not in inputs[node]
    for node, producers in inputs.items():
        if node.startswith(("Evaluator", "Predictor")):
            assert synthetic not in producers


def test_the_files_that_trainings_read_hold_one_source_each(tiny_run: TinyRun) -> None:
    import tensorflow as tf

    folder = RunFolder(tiny_run.output)
    for examples, source in ((folder.examples, b"real"), (folder.synthetic, b"synthetic")):
        files = [str(file) for file in examples.glob("Split-*/*")]
        found = set()
        for record in tf.data.TFRecordDataset(files, compression_type="GZIP"):
            example = tf.train.Example.FromString(record.numpy())
            [value] = example.features.feature["image/source"].bytes_list.value
            found.add(value)
        assert found == {source}
    # What mixes both is told where each of them lies, and by nothing else.
    store = _store(tiny_run)
    uris = {artifact.id: artifact.uri for artifact in store.get_artifacts()}
    [execution] = [
        execution
        for execution in store.get_executions()
        if any(c.name.endswith("Trainer-mixup-1") for c in store.get_contexts_by_execution(execution.id))
    ]
    inputs = {
        event.path.steps[0].key: uris[event.artifact_id]
        for event in store.get_events_by_execution_ids([execution.id])
        if event.type == metadata_store_pb2.Event.INPUT
    }
    assert inputs == {"examples": str(folder.examples), "synthetic": str(folder.synthetic)}


def test_a_second_identical_run_is_served_from_the_cache(tiny_run: TinyRun) -> None:
    before = Result.load(tiny_run.output)
    second = evenhand("run", tiny_run.config, "--output", tiny_run.output)
    assert second.returncode == 0, second.stderr
    assert set(_stage_states(second.stdout).values()) == {"cached"}
    assert Result.load(tiny_run.output) == before


def test_serving_takes_encoded_images_of_any_size(tiny_run: TinyRun) -> None:
    import tensorflow as tf

    model = tf.saved_model.load(str(RunFolder(tiny_run.output).model))
    noise = np.random.default_rng(0).integers(0, 256, (40, 30, 3), dtype=np.uint8)
    encoded = [tf.io.encode_jpeg(noise).numpy(), tf.io.encode_png(noise[:9, :11]).numpy()]
    answer = model.signatures["serving_default"](image_bytes=tf.constant(encoded))
    assert answer["probabilities"].shape == (2, 10)
    np.testing.assert_allclose(tf.reduce_sum(answer["probabilities"], axis=1), 1.0, atol=1e-5)
    assert [int(name) for name in answer["class_name"].numpy()] == list(answer["class_index"].numpy())


def test_editing_a_strategy_retrains_only_that_strategy_and_a_missed_minimum_nothing(tiny_run: TinyRun) -> None:
    strategies = "[baseline, oversample, {name: pretrain_finetune, options: {loss: cross_entropy}}]"
    again = evenhand("run", tiny_run.config, "--set", f"strategies={strategies}", "--output", tiny_run.output)
    assert again.returncode == 0, again.stderr
    states = _stage_states(again.stdout)
    for node in ("GeneratorTrainer", "SyntheticExampleGen", "Trainer-baseline-1", "Trainer-pretrain_finetune-1"):
        assert states[node] == "cached"
    assert states["Trainer-pretrain_finetune-2"] != "cached"
    # Going back is served from the cache too, and the folder shows the first config again; its model misses a minimum.
    gated = evenhand("run", tiny_run.config, "--set", "evaluation.minimum=1.0", "--output", tiny_run.output)
    assert gated.returncode == 3, gated.stderr
    assert "evaluation.minimum" in gated.stderr and "Traceback" not in gated.stderr
    assert not {state for node, state in _stage_states(gated.stdout).items() if "Trainer" in node} - {"cached"}
    assert set(Result.load(tiny_run.output).strategies) == set(ARMS)
    with pytest.raises(UserError, match="this run made no pushed model"):
        _ = RunFolder(tiny_run.output).model
