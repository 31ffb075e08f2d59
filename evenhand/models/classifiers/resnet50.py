"""ResNet-50, version 1.5 as in Keras applications (He et al., 2015).

Takes raw pixels and turns them into what its ImageNet weights expect (BGR, channel means subtracted). Its moving
averages have a momentum of 0.9 instead of 0.99, which lags behind in runs of a few hundred steps. It halves the image
five times: 32 to 63 px are taken as they are and end in a map of 1x1, smaller images are enlarged bilinearly to
32 px inside the model; `minimum_size` sets another bound.
"""

from __future__ import annotations

import keras

from evenhand.models.classifiers import _layers

_BATCH_NORM_MOMENTUM = 0.9
_IMAGENET_RGB_MEAN = (123.68, 116.779, 103.939)


Options = _layers.BackboneOptions


@keras.saving.register_keras_serializable("evenhand")
class ImageNetPixels(keras.layers.Layer):
    """RGB in 0..255 to BGR with ImageNet's channel means subtracted."""

    def call(self, images: keras.KerasTensor) -> keras.KerasTensor:
        """float[n, h, w, 3] -> float[n, h, w, 3]."""
        means = keras.ops.cast(keras.ops.convert_to_tensor(_IMAGENET_RGB_MEAN), images.dtype)
        return keras.ops.flip(images - means, axis=-1)


def build(
    options: Options,
    *,
    variant: str | None,
    image_shape: _layers.ImageShape,
    num_classes: int,
    weights: str | None,
    seed: int,
) -> keras.Model:
    """Builds the network.

    Args:
      options: dropout and the smallest image size.
      variant: None, there is one size.
      image_shape: height, width, channels (1 or 3; grey is repeated to three channels inside).
      num_classes: outputs.
      weights: None for random ones, `imagenet`, or a local weights file.
      seed: of the random ones and of dropout.

    Returns:
      float32[n, h, w, c] in 0..255 -> float32[n, num_classes] logits.

    Raises:
      UserError: if the weights are missing, or made for another network.
    """
    del variant
    with _layers.seeded(seed):
        images = keras.Input(image_shape, name="images")
        pixels = ImageNetPixels(name="imagenet_pixels")(_layers.for_backbone(images, options.minimum_size))
        backbone = _layers.with_imagenet(
            lambda source: keras.applications.ResNet50(
                include_top=False, weights=source, input_shape=pixels.shape[1:], pooling="avg"
            ),
            weights,
        )
        _layers.set_batch_norm_momentum(backbone, _BATCH_NORM_MOMENTUM)
        model = _layers.with_head(images, backbone(pixels), num_classes, options.dropout, "resnet50_classifier")
    _layers.load_local(model, weights, backbone)
    return model
