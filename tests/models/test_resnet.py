"""The residual networks of `acgan` and `wgan_gp`, against the sources' order of operations in plain TensorFlow."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from evenhand.models.networks import resnet, seeded
from evenhand.models.networks.conditional_norm import ConditionalBatchNormalization
from evenhand.models.networks.resampling import HalvingConv2D, SpectralHalvingConv2D
from evenhand.models.networks.spectral_norm import SpectralConv2D

Tensor = Any


def judge(style: resnet.Style, normalization: resnet.Normalization, layout: resnet.Layout) -> keras.Model:
    return resnet.classifying_judge(
        (8, 8, 3), 5, layout=layout, style=style, normalization=normalization, seeds=seeded.layer_seeds(0)
    )


@pytest.fixture
def convolutions(monkeypatch: pytest.MonkeyPatch) -> list[keras.layers.Layer]:
    """The convolutions of the networks built in a test, in the order in which they are made."""
    made: list[keras.layers.Layer] = []
    make = resnet._convolution

    def made_and_kept(*arguments: Any, **options: Any) -> keras.layers.Layer:
        made.append(make(*arguments, **options))
        return made[-1]

    monkeypatch.setattr(resnet, "_convolution", made_and_kept)
    return made


def in_order(model: keras.Model, kind: type[keras.layers.Layer]) -> list[keras.layers.Layer]:
    """Layers of exactly this kind as they were made: Keras counts them up in their names."""
    found = [layer for layer in model.layers if type(layer) is kind]
    return sorted(found, key=lambda layer: int("0" + "".join(filter(str.isdigit, layer.name))))


def convolve(layer: keras.Layer, x: Tensor) -> Tensor:
    return tf.nn.conv2d(x, layer.kernel.value, 1, "SAME") + layer.bias.value


def pool(x: Tensor) -> Tensor:
    return tf.nn.avg_pool2d(x, 2, 2, "SAME")


def double(x: Tensor) -> Tensor:
    return tf.repeat(tf.repeat(x, 2, axis=1), 2, axis=2)


def shake(model: keras.Model) -> None:
    """Other weights than the initial zeros and ones."""
    random = np.random.default_rng(1)
    for weight in model.weights:
        weight.assign(np.abs(random.normal(0.0, 0.3, weight.shape)) + 0.1 if "variance" in weight.name else
                      random.normal(0.0, 0.3, weight.shape))  # fmt: skip


@pytest.mark.parametrize(("style", "pooled"), [(resnet.STUDIOGAN, tf.reduce_sum), (resnet.WASSERSTEIN, tf.reduce_mean)])
def test_judge_is_that_of_the_source(convolutions: list[keras.layers.Layer], style: resnet.Style, pooled: Any) -> None:
    model = judge(style, "none", resnet.Layout((), (4, 4, 6, 6), 2))
    shake(model)
    images = tf.random.stateless_normal((3, 8, 8, 3), (0, 1))
    layers = iter(convolutions)

    shortcut, first, second = (next(layers) for _ in range(3))
    x = pool(convolve(second, tf.nn.relu(convolve(first, images)))) + convolve(shortcut, pool(images))
    shortcut, first, second = (next(layers) for _ in range(3))
    x = pool(convolve(second, tf.nn.relu(convolve(first, tf.nn.relu(x))))) + pool(convolve(shortcut, x))
    shortcut, first, second = (next(layers) for _ in range(3))
    x = convolve(second, tf.nn.relu(convolve(first, tf.nn.relu(x)))) + convolve(shortcut, x)
    first, second = next(layers), next(layers)
    x = convolve(second, tf.nn.relu(convolve(first, tf.nn.relu(x)))) + x
    features = pooled(tf.nn.relu(x), axis=(1, 2))
    score, classes = in_order(model, keras.layers.Dense)

    actual = model(images)
    np.testing.assert_allclose(actual[0], features @ score.kernel.value + score.bias.value, rtol=1e-4, atol=1e-5)
    bias = classes.bias.value if style.biased_classes else 0.0
    np.testing.assert_allclose(actual[1], features @ classes.kernel.value + bias, rtol=1e-4, atol=1e-5)


def test_generator_is_that_of_the_source(convolutions: list[keras.layers.Layer]) -> None:
    model = resnet.generator(
        (8, 8, 3), 5, latent_size=6, widths=(4, 3), style=resnet.WASSERSTEIN, seeds=seeded.layer_seeds(0)
    )
    shake(model)
    latents, labels = tf.random.stateless_normal((3, 6), (0, 1)), tf.constant([4, 0, 2])
    shortcut, first, second, last = convolutions
    norms = in_order(model, ConditionalBatchNormalization)
    (dense,), (final,) = in_order(model, keras.layers.Dense), in_order(model, keras.layers.BatchNormalization)

    def standardized(norm: keras.layers.BatchNormalization, x: Tensor) -> Tensor:
        return (x - norm.moving_mean.value) / tf.sqrt(norm.moving_variance.value + 1e-5)

    def conditioned(norm: ConditionalBatchNormalization, x: Tensor) -> Tensor:
        gain, bias = (tf.gather(table.kernel.value, labels)[:, None, None, :] for table in (norm.gain, norm.bias))
        return tf.nn.relu((1.0 + gain) * standardized(norm.normalization, x) + bias)

    x = tf.reshape(latents @ dense.kernel.value + dense.bias.value, (3, 4, 4, 4))
    branch = convolve(first, double(conditioned(norms[0], x)))
    x = convolve(second, conditioned(norms[1], branch)) + convolve(shortcut, double(x))
    x = tf.nn.relu(standardized(final, x) * final.gamma.value + final.beta.value)
    np.testing.assert_allclose(model([latents, labels]), tf.tanh(convolve(last, x)), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("style", "shapes"),
    [(resnet.STUDIOGAN, [(4, 8), (4, 8), (8, 8)]), (resnet.WASSERSTEIN, [(4, 8), (4, 4), (4, 8)])],
)
def test_widening_in_the_first_convolution_or_the_second(
    convolutions: list[keras.layers.Layer], style: resnet.Style, shapes: list[tuple[int, int]]
) -> None:
    judge(style, "none", resnet.Layout((), (4, 8), 2))
    assert [tuple(layer.kernel.shape[2:]) for layer in convolutions[3:]] == shapes


def test_spectral_halving_is_a_convolution_and_an_average() -> None:
    layer, plain = SpectralHalvingConv2D(4, 3), SpectralConv2D(4, 3)
    images = tf.random.stateless_normal((2, 6, 8, 3), (0, 1))
    for each in (layer, plain):
        each.build(images.shape)
    plain.set_weights(layer.get_weights())
    np.testing.assert_allclose(layer(images), pool(plain(images)), rtol=1e-4, atol=1e-5)
    assert [weight.shape for weight in layer.weights] == [weight.shape for weight in plain.weights]


def test_fused_convolutions_have_the_gradients_of_the_separate_ones() -> None:
    """Second derivatives too, as the penalty of a Wasserstein critic takes them."""
    images = tf.random.stateless_normal((2, 6, 8, 3), (0, 1))
    layer = HalvingConv2D(4, 3, padding="same")
    layer.build(images.shape)
    kernel = layer.kernel.value

    def slope(function: Any) -> Any:
        with tf.GradientTape() as outer:
            with tf.GradientTape() as inner:
                inner.watch(images)
                total = tf.reduce_sum(tf.tanh(function(images)))
            squares = tf.reduce_sum(inner.gradient(total, images) ** 2)
        return outer.gradient(squares, kernel)

    separate = slope(lambda x: pool(tf.nn.conv2d(x, kernel, 1, "SAME") + layer.bias.value))
    np.testing.assert_allclose(slope(layer), separate, rtol=1e-3, atol=1e-4)


def test_layouts() -> None:
    """StudioGAN's at 64 and 128 pixels with a channel of 64, and the critic's widths at 64 pixels."""
    assert resnet.pyramid((64, 64, 3), 64, 16) == ((1024, 512, 256, 128, 64), (64, 128, 256, 512, 1024), 4)
    widths = (64, 128, 256, 512, 1024, 1024)
    assert resnet.pyramid((128, 128, 3), 64, 16) == (widths[::-1], widths, 5)
    assert resnet.pyramid((64, 64, 3), 64, 8) == ((512, 512, 256, 128, 64), (64, 128, 256, 512, 512), 4)
    assert resnet.constant((32, 32, 3), 256, 128) == ((256,) * 4, (128,) * 4, 2)
    assert resnet.constant((28, 28, 1), 256, 128) == ((256,) * 3, (128,) * 4, 2)
    assert [resnet.doublings((size, 8, 1)) for size in (8, 12, 28, 32, 64, 128)] == [1, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("image_shape", [(8, 8, 1), (12, 9, 3), (30, 44, 1)])
def test_any_size(image_shape: tuple[int, int, int]) -> None:
    layout = resnet.pyramid(image_shape, 2, 8)
    seeds = seeded.layer_seeds(0)
    generator = resnet.generator(
        image_shape, 3, latent_size=4, widths=layout.generator, style=resnet.STUDIOGAN, seeds=seeds
    )
    images = generator([tf.zeros((2, 4)), tf.constant([0, 2])])
    assert images.shape == (2, *image_shape)
    model = resnet.projecting_judge(image_shape, 3, layout=layout, style=resnet.WASSERSTEIN, seeds=seeds)
    assert model([images, tf.constant([0, 2])]).shape == (2, 1)


def test_spectral_judge_has_no_batch_normalisation() -> None:
    layout = resnet.Layout((), (4, 4), 1)
    names = {type(layer).__name__ for layer in judge(resnet.STUDIOGAN, "spectral", layout).layers}
    assert {"SpectralConv2D", "SpectralHalvingConv2D", "SpectralDense"} <= names
    assert not {"Conv2D", "HalvingConv2D", "Dense", "BatchNormalization"} & names
    assert "BatchNormalization" in {
        type(layer).__name__ for layer in judge(resnet.STUDIOGAN, "batch", layout).layers
    }  # fmt: skip


def test_projection_is_an_inner_product_with_the_class() -> None:
    """Scores of two classes differ by the features' product with the difference of their embeddings."""
    model = resnet.projecting_judge(
        (8, 8, 1), 3, layout=resnet.Layout((), (4, 4), 1), style=resnet.WASSERSTEIN, seeds=seeded.layer_seeds(0)
    )
    shake(model)
    images = tf.random.stateless_normal((2, 8, 8, 1), (0, 1))
    (embedding,), (dense,) = in_order(model, keras.layers.Embedding), in_order(model, keras.layers.Dense)
    features = keras.Model(model.inputs[0], dense.input)(images)
    table = embedding.embeddings.value
    expected = tf.reduce_sum(features * (table[2] - table[1]), axis=1)
    moved = model([images, tf.constant([2, 2])]) - model([images, tf.constant([1, 1])])
    np.testing.assert_allclose(moved[:, 0], expected, rtol=1e-4, atol=1e-5)


def test_class_accuracy() -> None:
    logits = tf.constant([[2.0, 1.0], [0.0, 3.0], [1.0, 0.0], [0.0, 1.0]])
    assert float(resnet.class_accuracy(logits, tf.constant([0, 1, 1, 1]))) == 0.75
