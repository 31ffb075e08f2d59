"""EfficientNetV2, from the small B0 to the large L (Tan and Le, 2021).

The network of Keras applications on raw pixels: it scales 0..255 itself and has a batch normalisation momentum of
0.9, so its moving averages keep up with runs of a few hundred steps. Its five stages halve the image five times.
An image of 32 to 63 px is taken as it is and ends in a map of 1x1, which average pooling passes through: enlarging
32 px to 64 costs four times the arithmetic. Under 32 px the image is enlarged bilinearly to 32 inside the model.
`minimum_size` sets another bound, e.g. 64 or more with ImageNet weights, whose filters expect larger patterns.
"""

from __future__ import annotations

import keras

from evenhand.models.classifiers import _layers

VARIANTS = ("b0", "b1", "b2", "b3", "s", "m", "l")

_APPLICATIONS = {
    "b0": keras.applications.EfficientNetV2B0,
    "b1": keras.applications.EfficientNetV2B1,
    "b2": keras.applications.EfficientNetV2B2,
    "b3": keras.applications.EfficientNetV2B3,
    "s": keras.applications.EfficientNetV2S,
    "m": keras.applications.EfficientNetV2M,
    "l": keras.applications.EfficientNetV2L,
}


Options = _layers.BackboneOptions


def build(
    options: Options, *, variant: str, image_shape: _layers.ImageShape, num_classes: int, weights: str | None, seed: int
) -> keras.Model:
    """Builds the network.

    Args:
      options: dropout and the smallest image size.
      variant: one of `VARIANTS`.
      image_shape: height, width, channels (1 or 3; grey is repeated to three channels inside).
      num_classes: outputs.
      weights: None for random ones, `imagenet`, or a local weights file.
      seed: of the random ones and of dropout.

    Returns:
      float32[n, h, w, c] in 0..255 -> float32[n, num_classes] logits.

    Raises:
      UserError: if the weights are missing, or made for another network.
    """
    with _layers.seeded(seed):
        images = keras.Input(image_shape, name="images")
        pixels = _layers.for_backbone(images, options.minimum_size)
        backbone = _layers.with_imagenet(
            lambda source: _APPLICATIONS[variant](
                include_top=False, weights=source, input_shape=pixels.shape[1:], pooling="avg"
            ),
            weights,
        )
        model = _layers.with_head(
            images, backbone(pixels), num_classes, options.dropout, f"efficientnetv2_{variant}_classifier"
        )
    _layers.load_local(model, weights, backbone)
    return model
