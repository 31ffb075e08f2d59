"""The study of all strategies: equal budgets, units that are done once, and tables from what there is."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.strategy_study import __main__ as command
from benchmarks.strategy_study import sitting, units
from benchmarks.strategy_study.arms import ARMS, AUGMENTATION, AUGMENTED, MAIN, chosen
from benchmarks.strategy_study.development import development_archive, read_variants
from benchmarks.strategy_study.page import section, with_table
from benchmarks.strategy_study.protocol import TABLES, Protocol
from benchmarks.strategy_study.records import LINES, Record, Records
from benchmarks.strategy_study.rows import best_remedy, measured_arms, table_rows
from benchmarks.strategy_study.sitting import Sitting
from evenhand import registry
from evenhand.config import Generator, Training
from evenhand.errors import EvenhandError
from evenhand.models.arms import phase_steps

HIGH = TABLES["fashion-mnist-cgan-high"]
PROTOCOL = Protocol(
    ratio=0.5,
    training=Training(steps=3000, batch_size=64, learning_rate=1e-3, augmentation=None),
    generator=Generator(name="class_vae", steps=100, monitor=None),
)
SUPPORT = (4, 4)
BY_NAME = {arm.name: arm for arm in ARMS}


Unit = tuple[Record, np.ndarray, np.ndarray]


def record(
    arm: str, seed: int, predictions: list[int], protocol: Protocol = PROTOCOL, adjusted: list[int] | None = None
) -> Unit:
    """A unit on four test images of either of two classes."""
    labels = np.repeat([0, 1], SUPPORT)
    right = np.bincount(labels[np.asarray(predictions) == labels], minlength=2)
    plan = BY_NAME[arm].plan()
    made = Record(
        identity=protocol.identity(plan, seed),
        arm=arm,
        seed=seed,
        test_digest="same",
        support=SUPPORT,
        right=right.tolist(),
        train_counts=(20, 10),
        steps=3000,
        processor_seconds=60.0,
        generator_processor_seconds=30.0 if plan.uses_synthetic else None,
        seconds=40.0,
        device={"precision": "float32", "xla": False},
        machine="2 CPU cores",
        date="2026-01-01",
        commit="abc",
        settings=protocol.model_dump(mode="json"),
    )
    return made, np.asarray(predictions), np.asarray(predictions if adjusted is None else adjusted)


def kept(folder: Path, *made: Unit) -> Records:
    records = Records(folder)
    for one in made:
        records.add(*one)
    return records


def rows_of(records: Records) -> list:
    return table_rows(measured_arms(ARMS, range(5), PROTOCOL, records))


def test_every_strategy_takes_part_and_every_network_gets_the_same_steps() -> None:
    assert {arm.strategy.name for arm in ARMS} == set(registry.names("models.strategies"))
    assert len(BY_NAME) == len(ARMS)
    for arm in ARMS:
        plan = arm.plan()
        budget = PROTOCOL.classifier_training(plan).training
        assert (budget.steps, budget.batch_size, budget.learning_rate) == (3000, 64, 1e-3)
        assert plan.phases or plan.classical is not None
        assert not plan.phases or sum(phase_steps(plan.phases, budget.steps)) == 3000, arm.name
        assert plan.uses_synthetic or arm.kind != "synthetic", arm.name
        assert not plan.uses_synthetic or arm.kind != "remedy", arm.name
        if AUGMENTED in arm.name:
            used = [phase.augmentation or budget.augmentation for phase in plan.phases]
            assert all(own.model_copy(update={"rand_augment": None}) == AUGMENTATION for own in used), arm.name


def test_the_twin_differs_from_the_main_arm_in_its_images_alone() -> None:
    main, twin = BY_NAME[MAIN].plan(), BY_NAME[MAIN + "_matched"].plan()
    assert [phase.on for phase in main.phases] == ["synthetic", "real"]
    assert [phase.on for phase in twin.phases] == ["real", "real"]
    assert [phase.loss for phase in main.phases] == [phase.loss for phase in twin.phases]
    shuffled = BY_NAME["shuffled_synthetic" + AUGMENTED].plan()
    assert [phase.model_copy(update={"labels": None}) for phase in shuffled.phases] == list(main.phases)


def test_a_quick_study_has_the_key_arms_and_a_long_one_begins_with_them() -> None:
    quick, usual, whole = (chosen((), ARMS, rank) for rank in ("key", "usual", "further"))
    assert MAIN in {arm.name for arm in quick}
    assert {arm.strategy.name for arm in usual} == set(registry.names("models.strategies"))
    assert len(quick) < len(usual) < len(whole) == len(ARMS)
    assert usual[: len(quick)] == quick and whole[: len(usual)] == usual
    order = sitting.units(usual, (0, 1))
    assert [unit.seed for unit in order[: 2 * len(quick)]] == [0] * len(quick) + [1] * len(quick)
    with pytest.raises(SystemExit, match="no arm nothing; use any of baseline"):
        chosen(["nothing"], ARMS, "usual")


def test_the_generator_is_part_of_synthetic_units_only() -> None:
    other = PROTOCOL.model_copy(update={"generator": Generator(name="cgan", steps=100, monitor=None)})
    for arm in ARMS:
        plan = arm.plan()
        assert (PROTOCOL.identity(plan, 0) == other.identity(plan, 0)) == (not plan.uses_synthetic), arm.name
        assert PROTOCOL.identity(plan, 0) != PROTOCOL.identity(plan, 1)
    # Were two arms the same training, one of them would be read as the other.
    trained = [arm for arm in ARMS if not arm.is_adjusted]
    assert len({PROTOCOL.identity(arm.plan(), 0) for arm in trained}) == len(trained) < len(ARMS)


def test_a_line_that_was_cut_off_or_lost_its_predictions_counts_as_nothing(tmp_path: Path) -> None:
    first, second = record("baseline", 0, [0] * 8), record("baseline", 1, [1] * 8)
    records = kept(tmp_path, first, second)
    with (tmp_path / LINES).open("a") as lines:
        lines.write('{"identity": "half a li')
    assert set(records.read()) == {first[0].identity, second[0].identity}
    third = record("oversample", 0, [0, 1] * 4)
    records.add(*third)
    (tmp_path / first[0].file_name).unlink()
    assert set(records.read()) == {second[0].identity, third[0].identity}
    assert records.predictions(third[0]).tolist() == [0, 1] * 4
    assert third[0].labels.tolist() == [0] * 4 + [1] * 4


def test_rows_stand_on_the_units_that_there_are(tmp_path: Path) -> None:
    records = kept(
        tmp_path,
        record("baseline", 0, [0, 0, 0, 0, 1, 0, 0, 0]),  # 5 of 8
        record("baseline", 1, [0, 0, 0, 1, 1, 1, 0, 0]),  # 5 of 8
        record("oversample", 0, [0] * 4 + [1] * 4),  # all, but with one seed only
        record("balanced_softmax", 0, [0, 0, 0, 1, 1, 1, 1, 1]),  # 7 of 8
        record("balanced_softmax", 1, [0, 0, 1, 1, 1, 1, 1, 1]),  # 6 of 8
        record(MAIN, 1, [0, 0, 0, 1, 1, 1, 1, 1]),  # 7 of 8
        record(MAIN, 7, [0] * 8),  # of a seed that is not asked for
    )
    rows = {row.measured.arm.name: row for row in rows_of(records)}
    assert list(rows) == ["baseline", "oversample", "balanced_softmax", MAIN]
    assert best_remedy([row.measured for row in rows.values()]) is rows["balanced_softmax"].measured
    baseline = rows["baseline"].measured
    assert baseline.seeds == (0, 1) and baseline.accuracy == 5 / 8
    assert baseline.worst_class_recall == (1 / 4 + 2 / 4) / 2 and baseline.worst_class == 1
    assert baseline.interval[0] < 5 / 8 < baseline.interval[1]
    assert rows["balanced_softmax"].gain is None
    gains = {name: row.gain for name, row in rows.items() if row.gain is not None}
    assert {name: (gain.change, gain.seeds) for name, gain in gains.items()} == {
        "baseline": (pytest.approx(5 / 8 - 13 / 16), 2),
        "oversample": (pytest.approx(1 / 8), 1),
        MAIN: (pytest.approx(1 / 8), 1),
    }
    assert all(gain.paired[0] <= gain.change <= gain.paired[1] for gain in gains.values())


def test_an_adjusted_arm_is_what_the_trained_one_says_after_adjustment(tmp_path: Path) -> None:
    arm = "baseline" + AUGMENTED
    records = kept(tmp_path, record(arm, 0, [0] * 8, adjusted=[0] * 4 + [1] * 4))
    rows = {row.measured.arm.name: row.measured.accuracy for row in rows_of(records)}
    assert rows == {arm: 0.5, arm + "+adjusted": 1.0}


def test_the_main_arm_is_held_against_its_controls(tmp_path: Path) -> None:
    shuffled = "shuffled_synthetic" + AUGMENTED
    right = [0] * 4 + [1] * 4
    records = kept(
        tmp_path, *(record(arm, 0, right) for arm in (MAIN, MAIN + "_matched")), record(shuffled, 0, [0] * 8)
    )
    text = section(HIGH, PROTOCOL, rows_of(records), "the command")
    assert f"`{MAIN}` gains 0.0 points" in text and "same training on real images alone" in text
    assert "+50.0 points" in text and "with shuffled labels" in text


def test_core_minutes_are_of_one_kind_of_machine(tmp_path: Path) -> None:
    def unit(arm: str, seed: int, machine: str, seconds: float, generator: float | None = None) -> Unit:
        made, *predictions = record(arm, seed, [0] * 8)
        changed = {"machine": machine, "processor_seconds": seconds, "generator_processor_seconds": generator}
        return made.model_copy(update=changed), *predictions

    cpu, gpu, other = "2 CPU cores (x86_64), no accelerator", "16 CPU cores (x86_64), H", "16 CPU cores (x86_64), G"
    records = kept(
        tmp_path,
        *(unit("baseline", seed, machine, 60.0 * seed) for seed, machine in enumerate((gpu, gpu, other, cpu, cpu))),
        unit("smote_svm", 0, cpu, 30.0),
        unit(MAIN, 0, cpu, 600.0, 420.0),
        unit(MAIN, 1, gpu, 60.0, 90.0),
    )
    rows = rows_of(records)
    assert [row.measured.processor_minutes for row in rows] == [1.0, 0.5, 1.0]
    text = section(HIGH, PROTOCOL, rows, "the command")
    assert "| 0.5 on a CPU |" in text and "what feeding it takes" in text
    assert "is trained once a seed in 1.5 core-minutes for all arms of the seed, " in text
    records.add(*unit("combined", 1, cpu, 60.0, 420.0))
    assert "once a seed on each machine in 1.5 core-minutes" in section(HIGH, PROTOCOL, rows_of(records), "the command")


def test_machines_of_one_class_train_a_generator_each(tmp_path: Path) -> None:
    units = [record(arm, 0, [0] * 8) for arm in (MAIN, "combined")]
    for same, times in ((True, (90.0, 90.0)), (False, (90.0, 91.5))):
        records = Records(tmp_path / str(same))
        for (made, *predictions), seconds in zip(units, times, strict=True):
            changed = {"machine": "16 CPU cores (x86_64), H", "generator_processor_seconds": seconds}
            records.add(made.model_copy(update=changed), *predictions)
        text = section(HIGH, PROTOCOL, rows_of(records), "the command")
        assert ("is trained once a seed on each machine" in text) is not same


def test_the_tables_have_what_was_agreed_on(tmp_path: Path) -> None:
    records = kept(tmp_path, record("baseline", 0, [0] * 8), record(MAIN, 0, [0] * 4 + [1] * 4))
    other = {"name": "other", "rows": []}
    old = {"name": HIGH.name, "rows": [{"strategy": "gone"}]}
    document = with_table({"tables": [old, other]}, HIGH.name, rows_of(records))
    assert list(document) == ["tables"]
    assert [table["name"] for table in document["tables"]] == [HIGH.name, "other"]
    baseline, main = document["tables"][0]["rows"]
    assert list(baseline) == ["strategy", "synthetic", "accuracy", "low", "high", "worst_class_recall", "seeds"]
    assert (baseline["strategy"], baseline["synthetic"], baseline["accuracy"]) == ("baseline", False, 0.5)
    assert (baseline["worst_class_recall"], baseline["seeds"]) == (0.0, 1)
    assert (main["synthetic"], main["accuracy"], main["worst_class_recall"]) == (True, 1.0, 1.0)
    assert 0 <= main["low"] < 1.0 and main["high"] == 1.0
    text = section(HIGH, PROTOCOL, rows_of(records), "the command")
    assert "`the command`" in text and "47.6%" in text and "Over one seed" in text
    assert "No arm's settings were searched for." in text
    assert next(line for line in text.splitlines() if f"| `{MAIN}`" in line).count("|") == 12


def test_tables_of_units_on_other_test_images_are_refused(tmp_path: Path) -> None:
    made, *predictions = record("baseline", 1, [0] * 8)
    records = kept(tmp_path, record("baseline", 0, [0] * 8))
    records.add(made.model_copy(update={"test_digest": "other"}), *predictions)
    with pytest.raises(SystemExit, match="different test images"):
        rows_of(records)


def test_a_sitting_ends_in_time_and_the_next_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = []

    def fake(arm, images, folder):
        done.append((arm.name, images.seed))
        if arm.name == "focal" and done.count(done[-1]) == 1:
            raise EvenhandError("the loss was not finite.")
        return record(arm.name, images.seed, [0] * 8)

    monkeypatch.setattr(sitting, "run_unit", fake)
    records = Records(tmp_path / "records")
    wanted = sitting.units([BY_NAME["baseline"], BY_NAME["focal"]], (0, 1))
    short, long = (Sitting(PROTOCOL, tmp_path / "x.npz", tmp_path, records, hours) for hours in (0.0, None))
    assert short.run(wanted) == 3
    assert done == [("baseline", 0)]
    # A unit that fails keeps no other from being done, and the next sitting tries it again.
    assert long.run(wanted) == 2
    assert done[1:] == [("baseline", 1), ("focal", 0), ("focal", 1)]
    assert long.run(wanted) == 0
    assert len(done) == 6 and len(records.read()) == 4
    assert long.run(wanted) == 0 and len(done) == 6


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive of three classes, told apart by a bright band."""
    rng = np.random.default_rng(0)
    folder, arrays = tmp_path_factory.mktemp("data"), {}
    for split, count in (("train", 24), ("test", 5)):
        labels = np.repeat(np.arange(3, dtype=np.uint8), count)
        images = rng.integers(0, 60, (len(labels), 28, 28))
        for label in range(3):
            images[labels == label, 8 * label : 8 * label + 6] += 150
        arrays |= {f"x_{split}": images.astype(np.uint8), f"y_{split}": labels}
    np.savez(folder / "fashion_mnist.npz", **arrays)
    return folder


def test_trains_for_real_and_only_once(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    folders = [word for name in ("records", "runs", "docs") for word in (f"--{name}", str(tmp_path / name))]
    budget = ["--steps", "4", "--batch-size", "8", "--generator-steps", "2", "--per-class", "6"]
    words = [HIGH.name, "--data", str(archive), *folders, *budget]
    command.main([*words, "--seeds", "0", "1", "--only", "baseline", MAIN])
    first = json.loads((tmp_path / "docs" / "results.json").read_text())
    assert [(row["strategy"], row["synthetic"], row["seeds"]) for row in first["tables"][0]["rows"]] == [
        ("baseline", False, 2),
        (MAIN, True, 2),
    ]
    made = Records(tmp_path / "records" / HIGH.name).read().values()
    assert {one.steps for one in made} == {4} and {one.train_counts for one in made} == {(24, 12, 6)}
    assert len({one.test_digest for one in made}) == 1 and {one.support for one in made} == {(5, 5, 5)}
    page = (tmp_path / "docs" / "results.md").read_text()
    assert "4 gradient steps of 8 images" in page and str(tmp_path) not in page and str(archive) not in page

    # A unit that is killed in its second phase goes on from there, to the same end.
    train = units.train_classifier

    def killed(*arguments, **given):
        if given["base_model"] is not None:
            raise KeyboardInterrupt
        return train(*arguments, **given)

    again = [*words, "--records", str(tmp_path / "again"), "--seeds", "0", "--only", MAIN]
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(units, "train_classifier", killed)
        command.main(again)
    with caplog.at_level("INFO"):
        command.main(again)
    assert "phase 1 of 2 goes on from step 2" in caplog.text
    ended = Records(tmp_path / "again" / HIGH.name)
    (second,) = ended.read().values()
    before = next(one for one in made if one.identity == second.identity)
    assert np.array_equal(ended.predictions(second), Records(tmp_path / "records" / HIGH.name).predictions(before))

    # What is done is not done again, and the rest goes by the same generator's images.
    monkeypatch.setattr(units, "train_classifier", lambda *_, **__: pytest.fail("trained again"))
    command.main([*words, "--seeds", "0", "--only", "baseline", MAIN, "smote_svm"])
    rows = json.loads((tmp_path / "docs" / "results.json").read_text())["tables"][0]["rows"]
    assert {row["strategy"]: row["seeds"] for row in rows} == {"baseline": 2, "smote_svm": 1, MAIN: 2}
    assert next(row for row in rows if row["strategy"] == "smote_svm")["accuracy"] == 1.0
    command.main([HIGH.name, *folders, *budget, "--tables-only"])
    with pytest.raises(SystemExit, match="no unit with these settings"):
        command.main([HIGH.name, *folders, "--tables-only"])


def test_the_variants_that_the_page_tells_of_can_be_trained() -> None:
    variants = {arm.name: arm for arm in read_variants(Path(command.__file__).with_name("variants.yaml"))}
    assert {arm.kind for arm in variants.values()} == {"remedy", "synthetic"}
    page = (command.DOCS / "results.md").read_text(encoding="utf-8")
    assert all(f"`{name}`" in page for name in variants)
    assert [phase.share for phase in variants["pretrain_20+rand_augment"].plan().phases] == [0.2, 0.8]


def test_development_keeps_to_the_training_images(
    archive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = development_archive(archive / "fashion_mnist.npz", tmp_path)
    with np.load(archive / "fashion_mnist.npz") as real, np.load(made) as development:
        assert np.bincount(development["y_test"]).tolist() == [4, 4, 4]
        assert np.bincount(development["y_train"]).tolist() == [20, 20, 20]
        both = np.concatenate([development["x_train"], development["x_test"]])
        assert {image.tobytes() for image in both} == {image.tobytes() for image in real["x_train"]}
    variants = tmp_path / "variants.yaml"
    variants.write_text("few: {name: smote_svm, options: {most: 10}}")
    words = ["--data", str(archive), "--runs", str(tmp_path), "--records", str(tmp_path), "--docs", str(tmp_path)]
    command.main([HIGH.name, *words, "--development", "--variants", str(variants), "--only", "few", "--seeds", "0"])
    printed = capsys.readouterr().out
    assert "12 held-out training images" in printed and "| **`few`** |" in printed
    assert not (tmp_path / "results.md").exists() and not (tmp_path / HIGH.name / LINES).exists()
    with pytest.raises(SystemExit, match="goes with --development"):
        command.main([HIGH.name, *words, "--variants", str(variants)])
    variants.write_text("few: {name: smote}")
    with pytest.raises(SystemExit, match="must name strategies"):
        command.main([HIGH.name, *words, "--development", "--variants", str(variants)])


def test_a_study_of_another_budget_has_a_table_of_its_own(tmp_path: Path) -> None:
    command.main([HIGH.name, "--tables-only", "--steps", "15000", "--docs", str(tmp_path)])
    (table,) = json.loads((tmp_path / "results.json").read_text())["tables"]
    assert table["name"] == f"{HIGH.name}-15000-steps"
    page = (tmp_path / "results.md").read_text()
    assert f"## {HIGH.title}, 15,000 steps" in page
    # It names its few arms, and the one whose settings are not as they come.
    assert "--steps 15000 --only balanced_softmax+randaugment+augmentation pretrain_finetune+randaugment" in page
    assert "The settings of `pretrain_finetune+randaugment+augmentation` were chosen on held-out" in page
