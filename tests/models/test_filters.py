"""Each filter on hand-made probabilities, scores and planted copies; the chain; what a generator must offer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from evenhand import config_file, registry
from evenhand.config import Classifier, Filter, Generator, Training
from evenhand.data.export import export_images
from evenhand.data.image_table import ImageTable
from evenhand.errors import UserError
from evenhand.evaluation.filtering import Decision
from evenhand.evaluation.generative_scores import Features
from evenhand.models import filter_chain, serving
from evenhand.models.drawing_functions import realness_function
from evenhand.models.filter_candidates import Candidates, FilterInputs
from evenhand.models.filter_chain import check_filters, filter_synthetic
from evenhand.models.generator_artifact import load_sampler, save_generator
from evenhand.models.phase import Phase
from evenhand.models.train_classifier import ClassifierTraining, train_classifier
from evenhand.models.train_generator import train_generator
from tests.tables import noise

NAMES = registry.names("models.filters")
P = np.array([[0.7, 0.2, 0.1], [0.4, 0.5, 0.1], [0.1, 0.3, 0.6], [0.05, 0.9, 0.05], [0.2, 0.3, 0.5], [0.9, 0.08, 0.02]])
LABELS = (0, 0, 1, 1, 2, 2)


class Known(FilterInputs):
    """Inputs of which probabilities and scores are given, instead of asking models."""

    def __init__(self, table: ImageTable, realness: Any = None) -> None:
        object.__setattr__(self, "synthetic", table)
        values = Features(np.zeros((len(table), 2), np.float32), table.labels, "given", P.astype(np.float32))
        # What a cached property has once worked out lies here.
        self.__dict__.update(features=values, realness=realness)


def candidates(realness: Any = None) -> Known:
    return Known(noise((8, 8, 1), (2, 2, 2)), realness)


def decide(name: str, inputs: FilterInputs, **options: Any) -> Decision:
    module = registry.load("models.filters", name)
    rows = np.arange(len(inputs.synthetic))
    decision: Decision = module.keep(Candidates(inputs, rows), module.Options(**options))
    return decision


def rows(decision: Decision) -> list[int]:
    return np.flatnonzero(decision.kept).tolist()


def test_class_probability_keeps_the_likeliest_of_each_class() -> None:
    decision = decide("class_probability", candidates())
    np.testing.assert_allclose(decision.scores, [0.7, 0.4, 0.3, 0.9, 0.5, 0.02], rtol=1e-6)
    assert rows(decision) == [0, 3, 4]


def test_discriminator_score_keeps_the_most_real() -> None:
    realness = np.array([-1.0, 2.0, 0.0, -3.0, 5.0, 4.0], np.float32)
    assert rows(decide("discriminator_score", candidates(realness), top_k=1)) == [1, 2, 4]


def test_uncertainty_keeps_the_informative() -> None:
    decision = decide("uncertainty", candidates(), measure="least_confidence")
    np.testing.assert_allclose(decision.scores, [0.45, 0.75, 0.6, 0.15, 0.75, 0.15], atol=1e-6)
    assert rows(decision) == [1, 2, 4]
    assert rows(decide("uncertainty", candidates(), measure="entropy")) == [1, 2, 4]


def test_agreement_keeps_what_the_baseline_takes_for_its_class() -> None:
    assert rows(decide("agreement", candidates())) == [0, 3, 4]
    assert rows(decide("agreement", candidates(), guesses=2)) == [0, 1, 2, 3, 4]
    assert rows(decide("agreement", candidates(), guesses=3)) == [0, 1, 2, 3, 4, 5]


def test_distance_drops_copies_of_training_images(tmp_path: Path) -> None:
    train, drawn = noise((16, 16, 1), (60, 60)), noise((16, 16, 1), (20, 20), seed=1)
    images = drawn.images.copy()
    images[3], images[25] = train.images[70], train.images[5, :, ::-1]
    inputs = FilterInputs(
        ImageTable(images, drawn.labels, drawn.ids, drawn.class_names),
        train,
        noise((16, 16, 1), (50, 50), seed=2),
        classifier=str(_classifier(train, tmp_path)),
    )
    decision = decide("distance", inputs, spaces=["pixels"])
    assert {3, 25} <= set(np.flatnonzero(~decision.kept).tolist())
    assert decision.scores[3] == decision.scores[25] == 0.0
    assert decision.kept.sum() >= 36
    # The baseline's features know an exact copy too.
    assert not decide("distance", inputs, spaces=["features"]).kept[3]


def _classifier(train: ImageTable, folder: Path) -> Path:
    training = ClassifierTraining(classifier=Classifier(name="cnn"), training=Training(steps=2, batch_size=8))
    serving.save_phase(train_classifier(train, Phase(on="real"), training, steps=2), folder)
    return folder


def test_a_chain_gives_each_filter_what_the_one_before_kept() -> None:
    realness = np.array([0.0, 1.0, 0.0, 1.0, 0.0, 1.0], np.float32)
    chain = [
        Filter(name="agreement", options={"guesses": 2}),
        Filter(name="discriminator_score", options={"top_k": 1}),
    ]
    found = filter_synthetic(candidates(realness), chain, [1, 1, 1])
    assert [step.rows.tolist() for step in found.steps] == [[0, 1, 2, 3, 4, 5], [0, 1, 2, 3, 4]]
    assert np.flatnonzero(found.passed).tolist() == [1, 3, 4]
    assert found.used.tolist() == found.passed.tolist()
    few = filter_synthetic(candidates(realness), chain[:1], [1, 2, 0])
    assert np.flatnonzero(few.used).tolist() == [0, 2, 3]


def test_a_class_without_images_is_named_and_none_at_all_is_an_error(caplog: pytest.LogCaptureFixture) -> None:
    inputs = candidates()
    inputs.features.probabilities[:] = [0.1, 0.8, 0.1]
    found = filter_synthetic(inputs, [Filter(name="agreement")], [2, 2, 2])
    assert found.counts(found.used).tolist() == [0, 2, 0]
    assert "no synthetic image of a, c" in caplog.text
    nothing = Known(noise((8, 8, 1), (3, 0, 3)))
    nothing.features.probabilities[:] = [0.1, 0.8, 0.1]
    with pytest.raises(UserError, match="agreement leaves no image at all"):
        filter_synthetic(nothing, [Filter(name="agreement")], [2, 2, 2])


OWN = """
import numpy as np
from evenhand.config import Section
from evenhand.evaluation.filtering import Decision

NEEDS = ()

class Options(Section):
    darkest: int = 100

def keep(candidates, options):
    means = candidates.images.mean(axis=(1, 2, 3))
    return Decision(means, means >= options.darkest)
"""


def test_a_filter_of_ones_own_sees_the_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own_filters").mkdir()
    (tmp_path / "own_filters" / "bright.py").write_text(OWN)
    monkeypatch.syspath_prepend(str(tmp_path))
    chain = config_file.resolve({}, ["synthetic.filter={name: own_filters.bright, options: {darkest: 127}}"])
    inputs = candidates()
    assert chain.synthetic.filter is not None
    found = filter_synthetic(inputs, chain.synthetic.filter.chain, [2, 2, 2])
    bright = inputs.synthetic.images.mean(axis=(1, 2, 3)) >= 127
    assert found.used.tolist() == bright.tolist() and 0 < bright.sum() < 6


@pytest.mark.parametrize(
    ("filtering", "generator", "message"),
    [
        (
            "{name: class_probability, options: {kep: 0.5}}",
            "cgan",
            "synthetic.filter.options.kep: .*did you mean 'keep'",
        ),
        ("{name: uncertainty, options: {keep: 0.5, top_k: 2}}", "cgan", "options: keep and top_k exclude each other;"),
        ("{name: class_probability, options: {keep: 1.5}}", "cgan", "synthetic.filter.options.keep: "),
        ("[{name: distance}, {name: discriminator_score}]", "diffusion", "diffusion has none; .*acgan, bagan, cgan"),
        ("[]", "cgan", "names no filter"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_trained(filtering: str, generator: str, message: str) -> None:
    config = config_file.resolve({}, [f"synthetic.filter={filtering}", f"generator.name={generator}"])
    with pytest.raises(UserError, match=message):
        check_filters(config)


@pytest.mark.parametrize(
    ("filtering", "message"),
    [
        ("{name: distanse}", "synthetic.filter.name: unknown name 'distanse'; did you mean 'distance'"),
        (
            "{name: distance, oversampel: 2}",
            "synthetic.filter.oversampel: is an unknown key; did you mean 'oversample'",
        ),
        ("{name: distance, oversample: 0.5}", "synthetic.filter.oversample: "),
    ],
)
def test_wrong_keys_and_names_are_named(filtering: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        config_file.resolve({}, [f"synthetic.filter={filtering}"])


def test_one_filter_and_a_list_are_short_for_a_chain() -> None:
    one = config_file.resolve({}, ["synthetic.filter={name: distance, oversample: 2}"]).synthetic.filter
    assert one is not None and one.oversample == 2 and [entry.name for entry in one.chain] == ["distance"]
    many = config_file.resolve({}, ["synthetic.filter=[{name: distance}, {name: agreement}]"])
    assert many.synthetic.filter is not None and many.synthetic.filter.oversample == 1
    assert config_file.resolve(many.model_dump(mode="json")) == many


@pytest.mark.parametrize("name", NAMES)
def test_every_filter_takes_no_options_and_says_what_it_needs(name: str) -> None:
    module = registry.load("models.filters", name)
    assert module.Options() == module.Options.model_validate(module.Options().model_dump())
    assert set(module.NEEDS) <= {"classifier", "generator"}
    assert filter_chain.needs([Filter(name=name)]) == set(module.NEEDS)


SMALL: dict[str, dict[str, Any]] = {
    "acgan": {"width": 4, "latent_size": 8},
    "bagan": {"warm_up_steps": 1},
    "cgan": {},
    "polarity_gan": {"warm_up_steps": 1, "width": 4, "code_size": 8, "latent_size": 4, "critic_steps": 1},
    "reacgan": {"width": 4, "chunk_size": 4, "embedding_size": 4},
    "wgan_gp": {"width": 4, "latent_size": 8, "conditioning": "projection"},
}


def test_these_generators_judge_images() -> None:
    able = [n for n in registry.names("models.generators") if filter_chain._judges(n)]
    assert able == sorted(SMALL)


@pytest.mark.parametrize("name", sorted(SMALL))
def test_generators_judge_pixels_one_by_one(name: str) -> None:
    table = noise((8, 8, 1), (9, 4, 3))
    module = registry.load("models.generators", name)
    model = module.build(module.Options(**SMALL[name]), table, seed=0)
    judge = realness_function(model)
    judged = judge(tf.constant(table.images), tf.constant(table.labels))["realness"].numpy()
    assert judged.shape == (16,) and judged.dtype == np.float32 and np.isfinite(judged).all()
    one = judge(tf.constant(table.images[3:4]), tf.constant(table.labels[3:4]))["realness"].numpy()
    np.testing.assert_allclose(one, judged[3:4], rtol=1e-4, atol=1e-5)


def test_a_saved_generator_finds_what_it_has_seen_more_real_than_noise(tmp_path: Path) -> None:
    other = noise((8, 8, 1), (150, 150))
    shades = np.where(other.labels[:, None, None, None] == 0, 64, 192) * np.ones((1, 8, 8, 1))
    table = ImageTable(shades.astype(np.uint8), other.labels, other.ids, other.class_names)
    run = train_generator(table, Generator(steps=40, batch_size=16, monitor=None), seed=0, deterministic=False)
    save_generator(run, tmp_path, class_names=table.class_names)
    sampler = load_sampler(tmp_path)
    real, noisy = (sampler.realness(part.images, part.labels) for part in (table, other))
    assert real.shape == (300,) and real.mean() > noisy.mean()
    direct = run.model.realness(tf.constant(other.images / 127.5 - 1.0, tf.float32), tf.constant(other.labels))
    np.testing.assert_allclose(noisy, direct, rtol=1e-4, atol=1e-5)


def test_a_generator_without_a_judge_says_so(tmp_path: Path) -> None:
    run = train_generator(noise((8, 8, 1), (4, 4)), Generator(name="folder", options={"path": str(_given(tmp_path))}))
    save_generator(run, tmp_path / "saved", class_names=("a", "b"))
    with pytest.raises(ValueError, match="folder judges no images"):
        load_sampler(tmp_path / "saved").realness(np.zeros((1, 8, 8, 1), np.uint8), np.zeros(1, np.int32))


def _given(folder: Path) -> Path:
    drawn = noise((8, 8, 1), (2, 2))
    names = [drawn.class_names[label] for label in drawn.labels]
    export_images(zip(drawn.images, drawn.labels, names, strict=True), drawn.class_names, folder / "given", "folder")
    return folder / "given"
