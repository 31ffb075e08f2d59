"""Losses that more than one model uses, in `keras.ops`: any backend, any device."""

from __future__ import annotations

from typing import Any, Literal

import keras
from keras import ops
from numpy.typing import ArrayLike

Tensor = Any

_ABSENT = -1e9  # log of the prior of a class without images; finite, so that gradients stay finite


def log_prior(class_counts: ArrayLike | Tensor) -> Tensor:
    """Log of each class's share of the images, float32[c]; a class without images is put out of reach at -1e9."""
    counts = ops.cast(ops.convert_to_tensor(class_counts), "float32")
    present = counts > 0
    shares = ops.where(present, counts, 1.0) / ops.maximum(ops.sum(counts), 1.0)
    return ops.where(present, ops.log(shares), _ABSENT)


def prior_cross_entropy(logits: Tensor, labels: Tensor, log_priors: Tensor) -> Tensor:
    """Mean cross-entropy of `softmax(logits + log_priors)`.

    With `log_priors` of zero it is plain cross-entropy, with `log_prior(class_counts)` balanced softmax: one
    traced training step can serve both.

    Args:
      logits: float[n, c].
      labels: int[n], in [0, c).
      log_priors: float32[c].

    Returns:
      float32 scalar.
    """
    adjusted = ops.cast(logits, "float32") + log_priors
    return ops.mean(keras.losses.sparse_categorical_crossentropy(labels, adjusted, from_logits=True))


def weighted_focal_cross_entropy(
    logits: Tensor, targets: Tensor, log_priors: Tensor, class_weights: Tensor, focusing: Tensor
) -> Tensor:
    """The one loss of all classifiers: `-sum_c t_c w_c (1 - p_c)^gamma log p_c`, `p = softmax(logits + log_priors)`.

    Its three settings may be variables, so that one traced training step serves every loss: plain cross-entropy has
    priors of 0, weights of 1 and gamma 0; see `evenhand/models/classifier_losses`.

    Args:
      logits: float[n, c].
      targets: float32[n, c], t; one-hot, or mixed. A row's sum is the weight of its image.
      log_priors: float32[c].
      class_weights: float32[c], w.
      focusing: float32 scalar, gamma.

    Returns:
      float32 scalar, the mean over the batch.
    """
    log_shares = ops.log_softmax(ops.cast(logits, "float32") + log_priors, axis=-1)
    # (1 - p)^gamma as an exponential: the derivative of a power is not finite where its base and exponent are 0.
    easiness = ops.exp(focusing * ops.log(ops.maximum(1.0 - ops.exp(log_shares), 1e-7)))
    # A class that takes no part has a target of 0, and 0 times its loss must be 0.
    losses = ops.where(targets > 0, targets * class_weights * easiness * log_shares, 0.0)
    return -ops.mean(ops.sum(losses, axis=-1))


def balanced_softmax(logits: Tensor, labels: Tensor, class_counts: ArrayLike | Tensor) -> Tensor:
    """Balanced softmax: cross-entropy in which each class's prior stands beside its logit.

    The network then learns logits of a class-balanced posterior, since the imbalance of the training images is
    explained by the prior, which is left off at test time (Ren et al., Balanced Meta-Softmax, 2020, equation 3).

    Args:
      logits: float[n, c].
      labels: int[n], in [0, c).
      class_counts: [c], training images of each class, at least one of them positive. A class without images
        takes no part in the softmax, so no label may name it.

    Returns:
      float32 scalar, the mean over the batch.
    """
    return prior_cross_entropy(logits, labels, log_prior(class_counts))


def d2d_cross_entropy(
    embeddings: Tensor,
    proxies: Tensor,
    labels: Tensor,
    *,
    temperature: float = 0.5,
    positive_margin: float = 0.98,
    negative_margin: float = 0.02,
    variant: Literal["paper", "studiogan"] = "paper",
) -> Tensor:
    """Data-to-data cross-entropy of ReACGAN (Kang et al., 2021, equation 8).

    Pulls each embedding to the proxy of its class and pushes it from embeddings of other classes; pairs that are
    already more than a margin apart or together give no gradient. With `s_ij = (cos(f_i, f_j) - m_n) / t` and
    `a_i = relu((m_p - cos(f_i, v_yi)) / t)` the loss of image i is
    `a_i + log(exp(-a_i) + sum over j with y_j != y_i of exp(relu(s_ij)))`.

    Args:
      embeddings: float[n, d], f; normalised to length 1 inside.
      proxies: float[c, d], v; normalised to length 1 inside.
      labels: int[n], y, in [0, c).
      temperature: t, positive.
      positive_margin: m_p, the cosine to the proxy from which on an image is not pulled any more.
      negative_margin: m_n, the cosine under which images of other classes are not pushed any more.
      variant: `paper`, or `studiogan` to reproduce its code: the largest s_ij over all j != i, taken as a constant,
        is subtracted from the exponents of the sum only, which weakens the push by that factor.

    Returns:
      float32 scalar, the mean over the batch.

    Raises:
      ValueError: if `variant` is neither.
    """
    labels = ops.cast(labels, "int32")
    # An image's own class, itself included, is never among its negatives.
    is_negative = ops.expand_dims(labels, 1) != ops.expand_dims(labels, 0)
    return data_to_data(
        embeddings,
        ops.take(proxies, labels, axis=0),
        is_negative,
        temperature=temperature,
        positive_margin=positive_margin,
        negative_margin=negative_margin,
        variant=variant,
    )


def data_to_data(
    embeddings: Tensor,
    anchors: Tensor,
    is_negative: Tensor,
    *,
    temperature: float = 0.5,
    positive_margin: float = 0.98,
    negative_margin: float = 0.02,
    variant: Literal["paper", "studiogan"] = "paper",
) -> Tensor:
    """The formula of `d2d_cross_entropy`, with an anchor for each image and the pairs to push apart given.

    Args:
      embeddings: float[n, d]; normalised to length 1 inside.
      anchors: float[n, d], what each image should be near, e.g. the proxy of its class; normalised inside.
      is_negative: bool[n, n], whether image j should be far from image i.
      temperature: as there.
      positive_margin: as there.
      negative_margin: as there.
      variant: as there.

    Returns:
      float32 scalar, the mean over the batch.

    Raises:
      ValueError: if `variant` is neither.
    """
    if variant not in ("paper", "studiogan"):
        raise ValueError(f"variant must be 'paper' or 'studiogan', not {variant!r}")
    features, anchors = (
        ops.normalize(ops.cast(part, "float32"), axis=-1, epsilon=1e-12) for part in (embeddings, anchors)
    )
    pull = ops.relu((positive_margin - ops.sum(features * anchors, axis=-1)) / temperature)
    similarity = (ops.matmul(features, ops.transpose(features)) - negative_margin) / temperature
    push = ops.relu(similarity)
    if variant == "studiogan":
        others = ops.where(ops.eye(ops.shape(features)[0], dtype="bool"), -1e9, similarity)
        push = push - ops.stop_gradient(ops.max(others, axis=-1, keepdims=True))
    exponents = ops.concatenate([-pull[:, None], ops.where(is_negative, push, -1e9)], axis=-1)
    return ops.mean(pull + ops.logsumexp(exponents, axis=-1))


def hinge_discriminator(real: Tensor, synthetic: Tensor) -> Tensor:
    """Hinge loss of a discriminator: mean of relu(1 - D(x)) plus mean of relu(1 + D(G(z))) (Lim and Ye, 2017).

    Args:
      real: float[...], logits of real images.
      synthetic: float[...], logits of synthetic ones.

    Returns:
      float32 scalar.
    """
    real, synthetic = ops.cast(real, "float32"), ops.cast(synthetic, "float32")
    return ops.mean(ops.relu(1.0 - real)) + ops.mean(ops.relu(1.0 + synthetic))


def hinge_generator(synthetic: Tensor) -> Tensor:
    """What a generator minimises against a hinge discriminator: minus the mean logit of its images, float32 scalar."""
    return -ops.mean(ops.cast(synthetic, "float32"))


ACCURACY_METRICS = ("real_accuracy", "synthetic_accuracy")
"""What `discriminator_accuracy` gives, for an update's `metrics`."""


def discriminator_accuracy(real: Tensor, synthetic: Tensor) -> dict[str, Tensor]:
    """Shares of real and of synthetic images that a discriminator's logits (positive: real) tell right.

    Both near 1 for long means that the generator learns nothing any more; near 0.5, that it fools its judge.

    Returns:
      `real_accuracy` and `synthetic_accuracy`, float32 scalars, the metrics that every discriminator logs.
    """
    return {
        "real_accuracy": ops.mean(ops.cast(real > 0, "float32")),
        "synthetic_accuracy": ops.mean(ops.cast(synthetic <= 0, "float32")),
    }
