"""`reacgan`: its networks by their published sizes, its losses by an independent computation."""

from __future__ import annotations

from functools import cache
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops
from numpy.typing import NDArray

from evenhand.models.generators import reacgan
from evenhand.models.losses import d2d_cross_entropy
from evenhand.models.networks import seeded
from evenhand.models.networks.reacgan import ScalarGain, blocks_for, table_size
from evenhand.models.networks.spectral_norm import SpectralConv2D, SpectralDense, SpectralEmbedding
from evenhand.models.training.checkpoint import training_variables
from evenhand.models.training.conditional_generator import Batch
from evenhand.models.training.differentiable_augmentation import augment
from tests.tables import noise

LABELS = [0, 1, 2, 1]
TINY = {"width": 4, "chunk_size": 2, "class_size": 6, "embedding_size": 5}


@cache
def built(image_shape: tuple[int, int, int], **options: Any) -> tuple[reacgan.ReACGAN, list[NDArray[Any]]]:
    model = reacgan.build(reacgan.Options(**{**TINY, **options}), noise(image_shape, [1, 1, 1]), seed=0)
    return model, [np.asarray(variable) for variable in model.variables]


def build(image_shape: tuple[int, int, int] = (12, 12, 3), **options: Any) -> reacgan.ReACGAN:
    """A model as it was built, though tests that ask for the same one share it."""
    model, initial = built(image_shape, **options)
    for variable, value in zip(model.variables, initial, strict=True):
        variable.assign(value)
    return model


def paper(size: int, num_classes: int) -> reacgan.ReACGAN:
    return reacgan.build(reacgan.Options(size="paper"), noise((size, size, 3), [1] * num_classes), seed=0)


def batch(image_shape: tuple[int, int, int] = (12, 12, 3)) -> Batch:
    images = np.random.default_rng(0).uniform(-1.0, 1.0, (len(LABELS), *image_shape)).astype(np.float32)
    return Batch(tf.constant(images), tf.constant(LABELS))


def parameters(*networks: keras.Layer) -> int:
    return sum(weight.value.shape.num_elements() for network in networks for weight in network.trainable_weights)


@pytest.fixture
def zeros(monkeypatch: pytest.MonkeyPatch) -> None:
    """Orthogonal matrices of the paper's sizes take a minute to draw."""
    monkeypatch.setattr(
        keras.initializers.Orthogonal, "__call__", lambda self, shape, dtype=None: ops.zeros(shape, dtype)
    )


@pytest.mark.usefixtures("zeros")
@pytest.mark.parametrize(
    ("size", "num_classes", "generator", "discriminator"),
    [
        (32, 10, 9_416_196, 2_517_186),
        (64, 100, 17_322_404, 31_601_330),
        (128, 200, 49_226_404, 61_551_026),
    ],
)
def test_parameters_are_the_published_ones(size: int, num_classes: int, generator: int, discriminator: int) -> None:
    model = paper(size, num_classes)
    assert parameters(model.generator) == generator
    assert parameters(model.discriminator, model.proxies) == discriminator


def test_paper_settings_are_those_of_the_resolution() -> None:
    names = (
        "classification_weight",
        "positive_margin",
        "temperature",
        "embedding_size",
        "width",
        "generator_learning_rate",
        "discriminator_learning_rate",
        "beta_1",
        "discriminator_steps",
        "average_start",
        "average_decay",
        "augmentation",
    )
    expected = {
        28: (0.5, 0.98, 0.5, 512, 96, 2.828e-4, 2.828e-4, 0.5, 5, 1000, 0.9999, ()),
        32: (0.5, 0.98, 0.5, 512, 96, 2.828e-4, 2.828e-4, 0.5, 5, 1000, 0.9999, ()),
        64: (0.75, 1.0, 0.75, 768, 80, 1e-4, 4e-4, 0.0, 1, 20_000, 0.9999, ()),
        128: (0.25, 0.95, 0.25, 1024, 80, 5e-5, 2e-4, 0.0, 2, 4000, 0.9999, ()),
    }
    for size, values in expected.items():
        resolved = reacgan.resolve(reacgan.Options(size="paper"), (size, size, 3))
        assert tuple(getattr(resolved, name) for name in names) == values
    given = reacgan.resolve(reacgan.Options(size="paper", beta_1=0.25, augmentation=("cutout",)), (64, 64, 3))
    assert (given.beta_1, given.augmentation, given.temperature) == (0.25, ("cutout",), 0.75)


@pytest.mark.parametrize(
    ("image_shape", "table"),
    [
        ((8, 8, 1), 28),
        ((28, 20, 1), 28),
        ((29, 8, 1), 32),
        ((33, 33, 3), 64),
        ((65, 128, 3), 128),
        ((224, 224, 3), 128),
    ],
)
def test_an_image_is_built_by_the_smallest_table_it_fits_in(image_shape: tuple[int, int, int], table: int) -> None:
    assert table_size(image_shape) == table


@pytest.mark.parametrize("size", ["small", "paper"])
@pytest.mark.parametrize("image_shape", [(8, 8, 1), (33, 9, 3)])
def test_networks_take_any_size(image_shape: tuple[int, int, int], size: str) -> None:
    model = build(image_shape, size=size, width=2)
    images = model.sample(tf.constant([0, 2]), tf.constant([1, 2], tf.int64))
    assert images.shape == (2, *image_shape)
    logits, embeddings = model.discriminator(images)
    assert logits.shape == (2,)
    assert embeddings.shape == (2, 5)


@pytest.mark.parametrize("resolution", [28, 32, 64, 128])
@pytest.mark.parametrize("size", ["small", "paper"])
def test_blocks_end_at_small_maps_and_attention_has_its_place(size: Any, resolution: int) -> None:
    blocks = blocks_for((resolution, resolution, 3), size)
    start = resolution // 2 ** (len(blocks.generator) - 1)
    assert start == (7 if resolution == 28 else 4)
    assert 4 <= resolution / 2**blocks.halvings <= 8
    assert blocks.halvings <= len(blocks.discriminator)
    expected = {28: 14, 32: 16, 64: 16, 128: 16} if size == "small" else {28: 14, 32: 16, 64: 32, 128: 64}
    assert start * 2 ** blocks.attention[0] == expected[resolution]
    assert resolution / 2 ** blocks.attention[1] == (expected[resolution])


def inputs(layer: keras.Layer) -> list[Any]:
    return layer.input if isinstance(layer.input, list) else [layer.input]


def layers(network: keras.Model) -> list[Any]:
    return [layer for layer in network._flatten_layers() if layer.weights and not getattr(layer, "layers", None)]


def test_everything_but_the_shared_class_embedding_is_spectrally_normalised() -> None:
    model = build()
    spectral = (SpectralConv2D, SpectralDense, SpectralEmbedding)
    plain = {type(layer).__name__ for layer in layers(model.generator) if not isinstance(layer, spectral)}
    assert plain == {"Embedding", "BatchNormalization", "ScalarGain", "ConditionalBatchNormalization"}
    plain = {type(layer).__name__ for layer in layers(model.discriminator) if not isinstance(layer, spectral)}
    assert plain == {"ScalarGain"}
    assert isinstance(model.proxies, SpectralEmbedding)


def test_kernels_start_orthogonal_each_in_its_own_way() -> None:
    model = build()
    kernels = [
        np.asarray(layer.kernel)
        for network in (model.generator, model.discriminator, model.proxies)
        for layer in layers(network)
        if hasattr(layer, "kernel")
    ]
    for kernel in kernels:
        values = np.linalg.svd(kernel.reshape(-1, kernel.shape[-1]), compute_uv=False)
        np.testing.assert_allclose(values, 1.0, atol=1e-4)
    sums = [float(kernel.sum()) for kernel in kernels]
    assert len(set(sums)) == len(sums)


def plain_attention(x: NDArray[np.float32], kernels: list[NDArray[np.float32]], gain: float) -> NDArray[np.float32]:
    query, key, value, last = (kernel[0, 0] for kernel in kernels)
    number, height, width, _ = x.shape

    def pooled(y: NDArray[np.float32]) -> NDArray[np.float32]:
        return y.reshape(number, height // 2, 2, width // 2, 2, -1).max(axis=(2, 4)).reshape(number, -1, y.shape[-1])

    scores = (x @ query).reshape(number, height * width, -1) @ pooled(x @ key).transpose(0, 2, 1)
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    weights /= weights.sum(axis=-1, keepdims=True)
    return x + gain * (weights @ pooled(x @ value) @ last).reshape(x.shape)


@pytest.mark.parametrize("which", ["generator", "discriminator"])
def test_attention_is_that_of_its_paper_and_nothing_at_first(which: str) -> None:
    model = build((16, 16, 3), width=8)
    network = getattr(model, which)
    (gain,) = [layer for layer in network.layers if isinstance(layer, ScalarGain)]
    (added,) = [layer for layer in network.layers if any(gain.output is tensor for tensor in inputs(layer))]
    around = keras.Model(network.inputs, [added.input[0], added.output])
    convolutions = [network.get_layer(name) for name in ("queries", "keys", "values", "read")]
    kernels = [np.asarray(layer.normalized_kernel()) for layer in convolutions]
    assert [kernel.shape[-1] * 16 // gain.output.shape[-1] for kernel in kernels] == [2, 2, 8, 16]
    latents = np.random.default_rng(0).normal(size=(4, model.latent_size)).astype(np.float32)
    values = [latents, np.array(LABELS)] if which == "generator" else batch((16, 16, 3)).images
    before, after = around(values)
    assert float(gain.gain) == 0.0
    np.testing.assert_array_equal(before, after)
    gain.gain.assign(0.7)
    expected = plain_attention(before.numpy(), kernels, 0.7)
    np.testing.assert_allclose(around(values)[1], expected, rtol=1e-4, atol=1e-5)


def test_features_are_summed_over_the_map() -> None:
    network = build().discriminator
    (dense,) = [layer for layer in layers(network) if isinstance(layer, SpectralDense) and layer.units == 1]
    last = network.get_layer("last_map")
    maps, features = keras.Model(network.input, [last.output, dense.input])(batch().images)
    np.testing.assert_allclose(features, maps.numpy().sum(axis=(1, 2)), rtol=1e-5)
    assert maps.numpy().min() >= 0.0


def test_class_reaches_the_normalisation_and_the_latent_every_block() -> None:
    model = build((28, 28, 1))
    assert model.latent_size == 3 * TINY["chunk_size"]
    latents = np.zeros((1, 6), np.float32)
    base = model.generator([latents, np.array([0])])
    assert (base.numpy() != model.generator([latents, np.array([1])]).numpy()).any()
    for chunk in range(3):
        other = latents.copy()
        other[0, 2 * chunk] = 3.0
        assert (base.numpy() != model.generator([other, np.array([0])]).numpy()).any()


def expected_losses(model: reacgan.ReACGAN, real: Batch, seed: Any) -> tuple[float, float]:
    """Both losses without the shared loop, from the networks' outputs."""
    fold = tf.random.experimental.stateless_fold_in
    chosen = model.options

    def d2d(embeddings: Any) -> Any:
        proxies = model.proxies(np.arange(3), training=True)
        return d2d_cross_entropy(
            embeddings, proxies, LABELS, temperature=0.3, positive_margin=0.9, negative_margin=0.1, variant="studiogan"
        )

    def draw(draw_seed: Any) -> Any:
        latents = tf.random.stateless_normal([4, model.latent_size], seed=draw_seed, alg="philox")
        return model.generator([latents, real.labels], training=True)

    def judge(images: Any, judge_seed: Any) -> Any:
        return model.discriminator(augment(images, chosen.augmentation, fold(judge_seed, 1)), training=True)

    logits, embeddings = judge(tf.concat([real.images, draw(seed)], 0), seed)
    logits = logits.numpy()
    hinge = np.maximum(1.0 - logits[:4], 0.0).mean() + np.maximum(1.0 + logits[4:], 0.0).mean()
    discriminator = hinge + 0.7 * float(d2d(embeddings[:4]))
    logits, embeddings = judge(draw(fold(seed, 2)), fold(seed, 2))
    return discriminator, -float(np.mean(logits)) + 0.7 * float(d2d(embeddings))


def test_losses_are_those_of_the_paper() -> None:
    options: dict[str, Any] = {
        "classification_weight": 0.7,
        "temperature": 0.3,
        "positive_margin": 0.9,
        "d2d_variant": "studiogan",
        "augmentation": ("color",),
    }
    seed = tf.constant([5, 6])
    expected = expected_losses(build(**options), batch(), seed)
    model = build(**options)
    actual = [float(model.update_loss(update, batch(), seed)[0]) for update in model.updates]
    np.testing.assert_allclose(actual, expected, rtol=1e-4)


def test_synthetic_images_take_no_part_in_the_discriminators_classification() -> None:
    losses, seed = [], tf.constant([5, 6])
    for shift in (0.0, 0.5):
        model = build()
        for weight in model.generator.trainable_weights:
            weight.assign(weight + shift)
        loss, metrics = model.update_loss(model.updates[0], batch(), seed)
        losses.append((float(loss), float(metrics["classification_loss"])))
    assert losses[0][0] != losses[1][0]
    assert losses[0][1] == pytest.approx(losses[1][1], rel=1e-5)


def test_the_two_turns_draw_other_latents(monkeypatch: pytest.MonkeyPatch) -> None:
    model = build()
    seen: list[NDArray[np.float32]] = []
    draw = seeded.latents_for_batch

    def watched(*arguments: Any) -> Any:
        seen.append(np.asarray(draw(*arguments)))
        return draw(*arguments)

    monkeypatch.setattr(seeded, "latents_for_batch", watched)
    for update in model.updates:
        model.update_loss(update, batch(), tf.constant([5, 6]))
    assert (seen[0] != seen[1]).all()


def test_updates_are_those_of_the_options() -> None:
    model = build(generator_learning_rate=1e-3, discriminator_learning_rate=2e-3, beta_1=0.25, discriminator_steps=3)
    discriminator, generator = model.updates
    assert (discriminator.name, discriminator.repeat) == ("discriminator", 3)
    assert (generator.name, generator.repeat) == ("generator", 1)
    assert model.batches_per_step == 3
    assert {id(model.discriminator), id(model.proxies)} == {id(network) for network in discriminator.networks}
    for update, rate in ((discriminator, 2e-3), (generator, 1e-3)):
        assert float(update.optimizer.learning_rate) == pytest.approx(rate)
        assert (update.optimizer.beta_1, update.optimizer.beta_2, update.optimizer.epsilon) == (0.25, 0.999, 1e-6)


def test_average_is_a_copy_until_it_starts() -> None:
    model = build(average_start=2, average_decay=0.9)

    def equal() -> bool:
        pairs = zip(model.average.network.weights, model.generator.weights, strict=True)
        return all(np.allclose(average, weight) for average, weight in pairs)

    for step, is_copy in ((0, True), (1, True), (2, False)):
        model.step.assign(step)
        for weight in model.generator.weights:
            weight.assign(weight + 1.0)
        model.after_step()
        assert equal() is is_copy
    # The first average keeps a tenth of the old.
    last = model.generator.weights[0] - model.average.network.weights[0]
    np.testing.assert_allclose(last, 0.1, atol=1e-5)


def test_images_are_drawn_from_the_average_with_its_own_statistics() -> None:
    model = build()
    labels, seeds = tf.constant([0, 1]), tf.constant([3, 4], tf.int64)
    before = model.sample(labels, seeds).numpy()
    for weight in model.generator.weights:
        weight.assign(weight * 0.5)
    np.testing.assert_array_equal(before, model.sample(labels, seeds))
    moving = [weight for weight in model.average.network.weights if weight.name == "moving_mean"]
    for weight in moving:
        weight.assign(weight + 1.0)
    assert (before != model.sample(labels, seeds).numpy()).any()


def test_lecam_joins_from_its_start() -> None:
    model, seed, losses = build(lecam_weight=0.5, lecam_start=1, augmentation=()), tf.constant([5, 6]), []
    assert model.lecam is not None
    initial = model.discriminator.get_weights(), model.proxies.get_weights()
    for step in (0, 1):
        model.discriminator.set_weights(initial[0])
        model.proxies.set_weights(initial[1])
        model.step.assign(step)
        model.lecam.real_mean.assign(3.0)
        model.lecam.synthetic_mean.assign(-3.0)
        losses.append(float(model.update_loss(model.updates[0], batch(), seed)[0]))
    logits, _ = model.discriminator(tf.concat([batch().images, model._draw(batch(), seed)], 0))
    real, synthetic = tf.split(logits, 2)
    expected = 0.5 * (np.mean((real + 3.0) ** 2) + np.mean((3.0 - synthetic) ** 2))
    assert losses[1] - losses[0] == pytest.approx(expected, rel=0.05)
    assert float(model.lecam.real_mean) == pytest.approx(0.99 * 3.0 + 0.01 * float(np.mean(real)), rel=1e-3)
    assert any(network is model.lecam for network in model.updates[0].networks)


def test_adaptive_augmentation_watches_real_images_and_changes_what_is_judged() -> None:
    model, seed = build(adaptive_target=-0.99, adaptive_images=160), tf.constant([5, 6])
    adaptive = model.adaptive
    assert adaptive is not None
    # Biased so that all real images have positive logits, for which p rises by 4 of 160 images in each batch.
    (dense,) = [layer for layer in layers(model.discriminator) if isinstance(layer, SpectralDense) and layer.units == 1]
    assert dense.bias is not None
    dense.bias.assign([100.0])
    for _ in range(4):
        model.update_loss(model.updates[0], batch(), seed)
    assert float(adaptive.probability) == pytest.approx(0.1)
    plain, _ = model.discriminator(batch().images)
    adaptive.probability.assign(1.0)
    assert (model._judge(batch().images, seed)[0].numpy() != plain.numpy()).all()
    model.update_loss(model.updates[1], batch(), seed)
    assert int(adaptive.batches) == 0
    # A checkpoint holds them, so that a training that was interrupted goes on with them.
    model.prepare()
    kept = {id(variable) for variable in training_variables(model)}
    assert kept.issuperset(id(variable) for variable in adaptive.variables)
    assert any(network is adaptive for network in model.updates[0].networks)


def test_networks_compute_in_half_precision_and_answer_in_full() -> None:
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = reacgan.build(reacgan.Options(**TINY), noise((12, 12, 3), [1, 1, 1]), seed=0)
    finally:
        keras.config.set_dtype_policy(policy)
    images = model.generator([np.zeros((2, model.latent_size), np.float32), np.array([0, 1])])
    logits, embeddings = model.discriminator(images)
    assert {tensor.dtype for tensor in (images, logits, embeddings)} == {tf.float32}
    assert model.proxies(np.arange(3)).dtype == tf.float32
    for update in model.updates:
        assert np.isfinite(float(model.update_loss(update, batch(), tf.constant([5, 6]))[0]))
