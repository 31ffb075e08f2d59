"""What training makes of the phases: one trace for all, exact blends, frozen layers, fresh and normalised heads."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

import evenhand.models.train_classifier as train_classifier_module
from evenhand import progress, registry
from evenhand.config import Augmentation, Classifier, EarlyStopping, Mixing, Training
from evenhand.data.blend import Blend
from evenhand.data.image_table import ImageTable
from evenhand.errors import UserError
from evenhand.models import losses, serving
from evenhand.models.phase import Phase
from evenhand.models.train_classifier import ClassifierTraining, phase_draws, train_classifier
from evenhand.models.training.classification import build_network
from evenhand.models.training.head import class_norms, features_of, head_of
from evenhand.models.training.layer_rates import NUM_STAGES, stage_rates

COUNTS = [30, 20, 6]


def striped(counts, seed=0, rows=(0, 2, 4)):
    """Noisy 8x8 images of class c with a bright row: learnable in a few steps."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(counts)), counts).astype(np.int32)
    images = rng.integers(0, 120, (len(labels), 8, 8, 1))
    images[np.arange(len(labels)), np.asarray(rows)[labels]] += 120
    return ImageTable(images.astype(np.uint8), labels, np.arange(len(labels)).astype(str), tuple("abc"))


REAL, SYNTHETIC = striped(COUNTS), striped([25, 25, 25], seed=5)


def config(**training):
    return ClassifierTraining(classifier=Classifier(name="cnn"), training=Training(**{"batch_size": 16, **training}))


def train(phase, steps=20, images=REAL, base_model=None, settings=None, **more):
    synthetic = SYNTHETIC if phase.on == "both" else None
    return train_classifier(
        images, phase, settings or config(), steps=steps, synthetic=synthetic, base_model=base_model, **more
    )


def same(first, second):
    return all(np.array_equal(a, b) for a, b in zip(first.weights, second.weights, strict=True))


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A trained model to go on from."""
    folder = tmp_path_factory.mktemp("base")
    run = train(Phase(on="real"), steps=40)
    serving.save_phase(run, folder)
    return folder, run


def test_all_strategies_share_one_trace(monkeypatch, base):
    folder, _ = base
    traced = []
    original = losses.weighted_focal_cross_entropy
    monkeypatch.setattr(losses, "weighted_focal_cross_entropy", lambda *a: (traced.append(1), original(*a))[1])
    # A batch size of its own, so that this test traces whatever ran before.
    settings = config(batch_size=10)
    for name in registry.names("models.strategies"):
        module = registry.load("models.strategies", name)
        for index, phase in enumerate(module.phases(module.Options())):
            images = SYNTHETIC if phase.on == "synthetic" else REAL
            run = train(phase, steps=1, images=images, settings=settings, base_model=folder if index else None)
            assert np.isfinite(run.history[-1]["loss"])
    assert len(traced) == 1


@pytest.mark.parametrize("on", ["both", "real"])
@pytest.mark.parametrize("mixing", [None, Mixing(pairs="across")])
def test_blended_phases_learn(on, mixing):
    phase = Phase(on=on, blend=Blend(share=0.5, weight=0.5), loss="balanced_softmax", mixing=mixing)
    unseen = striped([20] * 3, seed=9)
    assert (train(phase, 60).predict(unseen).argmax(axis=1) == unseen.labels).mean() > 0.85


def test_a_phase_on_both_goes_on_after_an_interruption(tmp_path, monkeypatch):
    monkeypatch.setattr(train_classifier_module, "_CHECKPOINT_EVERY_STEPS", 10)
    phase = Phase(on="both", blend=Blend(share=0.25), mixing=Mixing(), weight_decay=0.5, max_norm=0.9)
    settings = config(augmentation=Augmentation(rotation=10))

    def interrupt(report):
        if report.done >= 24:
            raise KeyboardInterrupt

    whole = train(phase, 32, settings=settings)
    with pytest.raises(KeyboardInterrupt), progress.listen(interrupt):
        train(phase, 32, settings=settings, state_dir=tmp_path)
    assert list(tmp_path.glob("step-*.npz"))
    resumed = train(phase, 32, settings=settings, state_dir=tmp_path)
    assert same(whole, resumed)
    assert whole.history == resumed.history


def test_early_stopping_of_a_phase_on_both_looks_at_real_images():
    stopping = config(early_stopping=EarlyStopping(patience=50, every=10))
    validation = striped([10, 10, 10], seed=3)
    phase = Phase(on="both", blend=Blend(), loss={"name": "focal", "options": {"gamma": 1.0}})
    run = train(phase, 30, settings=stopping, validation=validation)
    recorded = [row["validation_loss"] for row in run.history if "validation_loss" in row]
    chosen = run.predict(validation)[np.arange(30), validation.labels].astype(float)
    # What was kept is the best of them, and its loss is the phase's own.
    assert min(recorded) == pytest.approx(float(np.mean(-(1 - chosen) * np.log(chosen))), rel=1e-4)


def test_a_phase_on_both_without_synthetic_images_is_refused():
    phase = Phase(on="both", blend=Blend())
    with pytest.raises(UserError, match="no synthetic image"):
        train_classifier(REAL, phase, config(), steps=1)
    with pytest.raises(UserError, match=r"training\.batch_size"):
        train(Phase(on="both", blend=Blend(share=0.01)))


def test_shuffled_labels_are_the_same_labels_in_another_order():
    for phase in (Phase(on="both", blend=Blend(), labels="shuffled"), Phase(on="synthetic", labels="shuffled")):
        images = REAL if phase.on == "both" else SYNTHETIC
        shuffled, again, other = (
            phase_draws(phase, images, SYNTHETIC, batch_size=8, seed=seed).tables[-1] for seed in (0, 0, 1)
        )
        np.testing.assert_array_equal(shuffled.class_counts, SYNTHETIC.class_counts)
        np.testing.assert_array_equal(shuffled.labels, again.labels)
        assert (shuffled.labels != SYNTHETIC.labels).mean() > 0.4
        assert (shuffled.labels != other.labels).mean() > 0.4
        assert shuffled.images is SYNTHETIC.images
    mixed = phase_draws(Phase(on="both", blend=Blend(), labels="shuffled"), REAL, SYNTHETIC, batch_size=8, seed=0)
    assert mixed.tables[0] is REAL


def moved(before, after):
    """Whether each of the network's trainable tensors changed, in order."""
    trainable = [weight.trainable for weight in build_network(Classifier(name="cnn"), (8, 8, 1), 3, 0).weights]
    pairs = zip(trainable, before.weights, after.weights, strict=True)
    return [not np.array_equal(a, b) for kept, a, b in pairs if kept]


def test_a_frozen_body_trains_the_last_layer_alone(base):
    folder, before = base
    after = train(Phase(on="real", frozen_share=1.0), 10, base_model=folder)
    assert moved(before, after) == [False] * (len(moved(before, after)) - 2) + [True, True]
    half = moved(before, train(Phase(on="real", frozen_share=0.5), 10, base_model=folder))
    assert not half[0] and half[-3] and half == sorted(half)


def test_rates_rise_from_the_first_layer_to_the_last(base):
    folder, before = base
    after = train(Phase(on="real", first_layer_rate=0.001), 1, base_model=folder)
    # Adam's first step moves each weight by about its rate.
    steps = [np.abs(a - b).max() for a, b in zip(before.weights, after.weights, strict=True)]
    assert steps[0] < 0.01 * steps[-1]
    rates = stage_rates(0.25, 0.1)
    assert rates[:2] == [0.0, 0.0] and len(rates) == NUM_STAGES + 1 and rates[-1] == 1.0
    np.testing.assert_allclose(np.diff(np.log(rates[2:])), np.log(10) / NUM_STAGES)
    assert stage_rates() == [1.0] * (NUM_STAGES + 1)


def test_the_next_training_has_all_its_rates_again(base):
    folder, before = base
    train(Phase(on="real", frozen_share=1.0, loss="balanced_softmax"), 2, base_model=folder)
    assert same(before, train(Phase(on="real"), 40))


def test_a_fresh_head_starts_from_the_initial_weights(base):
    folder, before = base
    still = Phase(on="real", head="fresh", learning_rate=1e-12)
    after = train(still, 1, base_model=folder, seed=4)
    initial = build_network(Classifier(name="cnn"), (8, 8, 1), 3, seed=4).get_weights()
    np.testing.assert_allclose(after.weights[-2], initial[-2], atol=1e-6)
    np.testing.assert_allclose(after.weights[0], before.weights[0], atol=1e-6)


def test_a_normalised_head_has_equal_norms_and_keeps_the_directions(base):
    _, before = base
    norms = np.linalg.norm(before.weights[-2], axis=0)
    after = train(Phase(on="real", head_norm_power=1.0), steps=40)
    kernel, bias = after.weights[-2:]
    np.testing.assert_allclose(np.linalg.norm(kernel, axis=0), norms.mean(), rtol=1e-5)
    np.testing.assert_allclose(kernel, before.weights[-2] * norms.mean() / norms, rtol=1e-5)
    assert (bias == 0).all()
    half = train(Phase(on="real", head_norm_power=0.5), steps=40)
    np.testing.assert_allclose(np.linalg.norm(half.weights[-2], axis=0), np.sqrt(norms * norms.mean()), rtol=1e-5)


def test_max_norm_bounds_each_classs_weights(base):
    folder, before = base
    bound = 0.8 * np.linalg.norm(before.weights[-2], axis=0).mean()
    after = train(Phase(on="real", max_norm=0.8), 10, base_model=folder)
    norms = np.linalg.norm(after.weights[-2], axis=0)
    assert (norms <= bound * (1 + 1e-5)).all() and np.isclose(norms, bound).any()


def test_weight_decay_shrinks_kernels_by_the_rate(base):
    folder, before = base
    # Nothing moves but by decay: Adam's rate is tiny, and the decay makes up for it.
    decay, rate = 1e9, 1e-10
    phase = Phase(on="real", learning_rate=rate / 0.003, weight_decay=decay)
    after = train(phase, 3, base_model=folder)
    shrunk = np.prod([1.0 - decay * row for row in _rates(rate, 3)])
    np.testing.assert_allclose(after.weights[0], before.weights[0] * shrunk, rtol=1e-4, atol=1e-7)
    np.testing.assert_allclose(after.weights[-1], before.weights[-1], atol=1e-6)


def _rates(peak, steps):
    """The schedule's rates: no warm-up in so few steps, then half a cosine."""
    return [peak * 0.5 * (1 + np.cos(np.pi * step / steps)) for step in range(steps)]


def test_features_are_what_the_last_layer_takes(base):
    _, run = base
    network = run.model
    features = features_of(network)(REAL.images[:4].astype(np.float32)).numpy()
    assert features.shape == (4, 128)
    np.testing.assert_allclose(head_of(network)(features), network(REAL.images[:4].astype(np.float32)), rtol=1e-4)
    np.testing.assert_allclose(class_norms(network), np.linalg.norm(run.weights[-2], axis=0), rtol=1e-5)


@pytest.mark.skipif(bool(tf.config.list_physical_devices("GPU")), reason="splits the CPU into two devices")
def test_two_replicas_train_as_one_device_does():
    """In a process of its own, since devices are fixed when TensorFlow starts."""
    code = """
import numpy as np, tensorflow as tf
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2)
from evenhand.config import Device
from evenhand.data.blend import Blend
from evenhand.models.phase import Phase
from evenhand.models.training import device
from tests.models.test_strategy_training import REAL, SYNTHETIC, config
from evenhand.models.train_classifier import train_classifier
device._distribution = lambda name: tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]) if name == "mirrored" else None
phase = Phase(on="both", blend=Blend(weight=0.5), loss="balanced_softmax", frozen_share=0.5, max_norm=0.9,
              weight_decay=0.1, head_norm_power=0.5)
runs = []
for distribution in ("none", "mirrored"):
    # Small steps, since each replica normalises its half of a batch by that half.
    settings = config(learning_rate=1e-5).model_copy(update={"device": Device(distribution=distribution)})
    runs.append(train_classifier(REAL, phase, settings, steps=3, synthetic=SYNTHETIC))
one, two = runs
assert two.device["replicas"] == 2, two.device
for ours, theirs in zip(one.weights[:2], two.weights[:2]):
    np.testing.assert_array_equal(ours, theirs)
np.testing.assert_allclose(one.history[-1]["loss"], two.history[-1]["loss"], rtol=0.05)

# Seven images cannot be shared by two.
from evenhand.errors import UserError
try:
    train_classifier(REAL, phase, config(batch_size=7).model_copy(update={"device": Device(distribution="mirrored")}),
                     steps=3, synthetic=SYNTHETIC)
except UserError as error:
    assert str(error).startswith("training.batch_size: 7 images cannot be shared alike by 2 devices"), error
    print("two replicas")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "two replicas" in done.stdout


@pytest.mark.skipif(bool(tf.config.list_physical_devices("GPU")), reason="splits the CPU into two devices")
def test_two_replicas_take_the_very_steps_of_one_device():
    """Where no batch normalisation sees its half of a batch alone: plain gradient steps of a network of one layer."""
    code = """
import keras, numpy as np, tensorflow as tf
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2)
from evenhand.models.training.classification import Classification
rng = np.random.default_rng(0)
images, targets = rng.uniform(0, 1, (16, 4, 4, 1)).astype("float32"), np.eye(3, dtype="float32")[rng.integers(0, 3, 16)]
ends = []
for strategy in (tf.distribute.get_strategy(), tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])):
    with strategy.scope():
        network = keras.Sequential(
            [keras.Input((4, 4, 1)), keras.layers.Flatten(), keras.layers.Dense(3, kernel_initializer="zeros")])
        model = Classification(network, keeps_best=False)
        model.compile(optimizer=keras.optimizers.SGD(0.5))
    model.begin_window()
    model.fit(tf.data.Dataset.from_tensor_slices((images, targets)).batch(8), verbose=0, shuffle=False)
    ends.append((float(model.loss_mean.result()), *(np.asarray(weight.value) for weight in network.weights)))
assert strategy.num_replicas_in_sync == 2
assert np.abs(ends[0][1]).max() > 0.05, "it has learnt"
for ours, theirs in zip(*ends):
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
