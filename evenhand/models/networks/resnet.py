"""The residual networks of `acgan` and `wgan_gp`: a generator conditioned by its batch normalisation, and its judge.

Blocks of Gulrajani et al., Improved Training of Wasserstein GANs, 2017, appendix F, and of PyTorch-StudioGAN, which
differ in what `Style` lists. Their functions are computed with less work: a convolution of 1x1 commutes with doubling
and with average pooling, so the shortcuts do it where the map is smaller; the others are fused (see `resampling`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Literal, NamedTuple

import keras
from keras import ops

from evenhand.models.networks import seeded
from evenhand.models.networks.activations import in_float32
from evenhand.models.networks.conditional_norm import ConditionalBatchNormalization
from evenhand.models.networks.resampling import DoublingConv2D, HalvingConv2D, SpectralHalvingConv2D
from evenhand.models.networks.spectral_norm import SpectralConv2D, SpectralDense

Tensor = Any
MakeInitializer = Callable[[int], keras.initializers.Initializer]
Normalization = Literal["batch", "spectral", "none"]

_MOMENTUM = 0.9


class Style(NamedTuple):
    """What the two sources do differently.

    Attributes:
      residual: initialiser of the convolutions inside of blocks, from a seed.
      plain: that of shortcuts, dense layers and the last convolution.
      condition: that of a class' gain and bias.
      epsilon: of batch normalisation.
      sums_maps: the judge sums its last maps instead of averaging them.
      widens_first: a block that halves widens in its first convolution, not in its second.
      biased_classes: the class head has a bias.
    """

    residual: MakeInitializer
    plain: MakeInitializer
    condition: MakeInitializer
    epsilon: float
    sums_maps: bool
    widens_first: bool
    biased_classes: bool


def _average_he(seed: int) -> keras.initializers.Initializer:
    return keras.initializers.VarianceScaling(2.0, mode="fan_avg", distribution="uniform", seed=seed)


def _zeros(_: int) -> keras.initializers.Initializer:
    return keras.initializers.Zeros()


STUDIOGAN = Style(
    seeded.orthogonal,
    seeded.orthogonal,
    seeded.orthogonal,
    epsilon=1e-4,
    sums_maps=True,
    widens_first=True,
    biased_classes=False,
)
WASSERSTEIN = Style(
    _average_he, seeded.glorot, _zeros, epsilon=1e-5, sums_maps=False, widens_first=False, biased_classes=True
)


class Layout(NamedTuple):
    """Channels of the two networks.

    Attributes:
      generator: of the smallest map and of the map after each doubling.
      judge: after each block.
      halvings: blocks of the judge that halve the map, the first ones.
    """

    generator: tuple[int, ...]
    judge: tuple[int, ...]
    halvings: int


def doublings(image_shape: tuple[int, int, int]) -> int:
    """Doublings from the smallest map, whose longer side is 4 to 7 pixels, to the image: 2 for 28, 3 for 32."""
    return max(max(image_shape[:2]).bit_length() - 3, 1)


def pyramid(image_shape: tuple[int, int, int], width: int, most: int) -> Layout:
    """`width` channels at full size, twice as many at each halving, at most `most` times as many.

    The judge ends in a block that does not halve. With 16 it is StudioGAN's for 64 and 128 pixels.
    """
    channels = tuple(width * min(2**level, most) for level in range(doublings(image_shape) + 1))
    return Layout(channels[::-1], channels, len(channels) - 1)


def constant(image_shape: tuple[int, int, int], generator: int, judge: int) -> Layout:
    """The same number of channels at every size, as both sources have it at 32 pixels; the judge halves twice."""
    return Layout((generator,) * (doublings(image_shape) + 1), (judge,) * 4, 2)


def generator(
    image_shape: tuple[int, int, int],
    num_classes: int,
    *,
    latent_size: int,
    widths: tuple[int, ...],
    style: Style,
    seeds: Iterator[int],
) -> keras.Model:
    """(latent float[n, z], label int32[n]) -> float32[n, h, w, c] in [-1, 1].

    Args:
      image_shape: height, width, channels; what the doubled map has too much is cut off.
      num_classes: classes, each with a gain and a bias for every channel of every block.
      latent_size: z.
      widths: channels of the smallest map and of the map after each doubling.
      style: of the source.
      seeds: for the initialisers.
    """
    height, width, channels = image_shape
    factor = 2 ** (len(widths) - 1)
    start = (-(-height // factor), -(-width // factor))
    latent = keras.Input((latent_size,), name="latent")
    label = keras.Input((), dtype="int32", name="label")
    condition = ops.one_hot(label, num_classes)
    x = keras.layers.Dense(start[0] * start[1] * widths[0], kernel_initializer=style.plain(next(seeds)))(latent)
    x = keras.layers.Reshape((*start, widths[0]))(x)
    for filters in widths[1:]:
        x = _doubling_block(x, condition, filters, style, seeds)
    x = keras.layers.BatchNormalization(momentum=_MOMENTUM, epsilon=style.epsilon)(x)
    x = _convolution(channels, 3, style.plain, seeds)(keras.layers.ReLU()(x))
    extra = (x.shape[1] - height, x.shape[2] - width)
    x = keras.layers.Cropping2D(((0, extra[0]), (0, extra[1])))(x) if any(extra) else x
    return keras.Model([latent, label], keras.layers.Activation("tanh", dtype="float32")(x), name="generator")


def _convolution(
    filters: int,
    size: int,
    initializer: MakeInitializer,
    seeds: Iterator[int],
    kind: type[keras.layers.Layer] = keras.layers.Conv2D,
) -> keras.layers.Layer:
    return kind(filters, size, padding="same", kernel_initializer=initializer(next(seeds)))


def _doubling_block(x: Tensor, condition: Tensor, filters: int, style: Style, seeds: Iterator[int]) -> Tensor:
    shortcut = _convolution(filters, 1, style.plain, seeds)(x)
    x = keras.layers.ReLU()(_conditional_norm(style, seeds)([x, condition]))
    x = _convolution(filters, 3, style.residual, seeds, DoublingConv2D)(x)
    x = keras.layers.ReLU()(_conditional_norm(style, seeds)([x, condition]))
    x = _convolution(filters, 3, style.residual, seeds)(x)
    return keras.layers.Add()([x, keras.layers.UpSampling2D()(shortcut)])


def _conditional_norm(style: Style, seeds: Iterator[int]) -> keras.layers.Layer:
    return ConditionalBatchNormalization(
        gain_initializer=style.condition(next(seeds)),
        bias_initializer=style.condition(next(seeds)),
        epsilon=style.epsilon,
        momentum=_MOMENTUM,
    )


class _Trunk:
    """Builds the judge's blocks, with one kind of normalisation throughout."""

    def __init__(self, style: Style, normalization: Normalization, seeds: Iterator[int]) -> None:
        self.style, self.normalization, self.seeds = style, normalization, seeds

    def features(self, image: Tensor, layout: Layout) -> Tensor:
        """float[n, f] of float[n, h, w, c]."""
        x = self._first_block(image, layout.judge[0])
        for index, filters in enumerate(layout.judge[1:], start=1):
            x = self._block(x, filters, is_halving=index < layout.halvings)
        pool = ops.sum if self.style.sums_maps else ops.mean
        return pool(keras.layers.ReLU()(x), axis=(1, 2))

    def dense(self, units: int, features: Tensor, *, use_bias: bool = True) -> Tensor:
        kind = SpectralDense if self.normalization == "spectral" else keras.layers.Dense
        return kind(units, use_bias=use_bias, kernel_initializer=self.style.plain(next(self.seeds)))(features)

    def _convolution(
        self, filters: int, size: int, initializer: MakeInitializer, *, is_halving: bool = False
    ) -> keras.layers.Layer:
        if self.normalization == "spectral":
            kind = SpectralHalvingConv2D if is_halving else SpectralConv2D
        else:
            kind = HalvingConv2D if is_halving else keras.layers.Conv2D
        return _convolution(filters, size, initializer, self.seeds, kind)

    def _normalized(self, x: Tensor) -> Tensor:
        if self.normalization != "batch":
            return x
        return keras.layers.BatchNormalization(momentum=_MOMENTUM, epsilon=self.style.epsilon)(x)

    def _first_block(self, x: Tensor, filters: int) -> Tensor:
        # Without a rectifier in front: it would throw away the dark half of the image.
        shortcut = self._convolution(filters, 1, self.style.plain)(self._normalized(_halved(x)))
        x = self._normalized(self._convolution(filters, 3, self.style.residual)(x))
        x = self._convolution(filters, 3, self.style.residual, is_halving=True)(keras.layers.ReLU()(x))
        return keras.layers.Add()([x, shortcut])

    def _block(self, x: Tensor, filters: int, *, is_halving: bool) -> Tensor:
        channels = x.shape[-1]
        shortcut = x
        if is_halving or channels != filters:
            shortcut = self._normalized(x)
            shortcut = _halved(shortcut) if is_halving else shortcut
            shortcut = self._convolution(filters, 1, self.style.plain)(shortcut)
        hidden = channels if is_halving and not self.style.widens_first else filters
        x = keras.layers.ReLU()(self._normalized(x))
        x = self._convolution(hidden, 3, self.style.residual)(x)
        x = keras.layers.ReLU()(self._normalized(x))
        x = self._convolution(filters, 3, self.style.residual, is_halving=is_halving)(x)
        return keras.layers.Add()([x, shortcut])


def _halved(x: Tensor) -> Tensor:
    return keras.layers.AveragePooling2D(2, padding="same")(x)


def classifying_judge(
    image_shape: tuple[int, int, int],
    num_classes: int,
    *,
    layout: Layout,
    style: Style,
    normalization: Normalization,
    seeds: Iterator[int],
) -> keras.Model:
    """A judge that also names the class: image float[n, h, w, c] -> score float32[n, 1], class logits float32[n, k].

    Args:
      image_shape: height, width, channels.
      num_classes: k; 0 leaves the class head off, and there is the score alone.
      layout: whose `judge` counts.
      style: of the source.
      normalization: of batches before each rectifier, of the kernels' spectrum, or none.
      seeds: for the initialisers.
    """
    image = keras.Input(image_shape, name="image")
    trunk = _Trunk(style, normalization, seeds)
    features = trunk.features(image, layout)
    outputs = [in_float32(trunk.dense(1, features))]
    if num_classes:
        outputs.append(in_float32(trunk.dense(num_classes, features, use_bias=style.biased_classes)))
    return keras.Model(image, outputs, name="judge")


def projecting_judge(
    image_shape: tuple[int, int, int], num_classes: int, *, layout: Layout, style: Style, seeds: Iterator[int]
) -> keras.Model:
    """A judge that is told the class: (image float[n, h, w, c], label int32[n]) -> score float32[n, 1].

    The class enters as an inner product of its embedding with the features (Miyato and Koyama, cGANs with Projection
    Discriminator, 2018, equation 4). No normalisation, since a penalty on the slope wants the images apart.
    """
    image = keras.Input(image_shape, name="image")
    label = keras.Input((), dtype="int32", name="label")
    trunk = _Trunk(style, "none", seeds)
    features = trunk.features(image, layout)
    classes = keras.layers.Embedding(num_classes, features.shape[-1], embeddings_initializer=style.plain(next(seeds)))
    score = keras.layers.Add()([trunk.dense(1, features), keras.layers.Dot(-1)([features, classes(label)])])
    return keras.Model([image, label], in_float32(score), name="judge")


def class_accuracy(logits: Tensor, labels: Tensor) -> Tensor:
    """Share of images whose highest class logit is that of their label, float32 scalar."""
    return ops.mean(ops.cast(ops.argmax(logits, axis=-1) == ops.cast(labels, "int32"), "float32"))
