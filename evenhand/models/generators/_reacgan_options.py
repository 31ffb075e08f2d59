"""What the options of `reacgan` are where they are not given: its code's configurations, and ours for a CPU."""

from __future__ import annotations

from typing import Any

CIFAR: dict[str, Any] = {
    "width": 96,
    "class_size": 128,
    "class_scale": 1.0,
    "embedding_size": 512,
    "generator_learning_rate": 2.828e-4,
    "discriminator_learning_rate": 2.828e-4,
    "beta_1": 0.5,
    "discriminator_steps": 5,
    "classification_weight": 0.5,
    "positive_margin": 0.98,
    "temperature": 0.5,
    "average_decay": 0.9999,
    "average_start": 1000,
    "augmentation": (),
}
PAPER: dict[int, dict[str, Any]] = {
    28: CIFAR,
    32: CIFAR,
    # Tiny ImageNet's subsets of 100 classes.
    64: {
        **CIFAR,
        "width": 80,
        "embedding_size": 768,
        "generator_learning_rate": 1e-4,
        "discriminator_learning_rate": 4e-4,
        "beta_1": 0.0,
        "discriminator_steps": 1,
        "classification_weight": 0.75,
        "positive_margin": 1.0,
        "temperature": 0.75,
        "average_start": 20_000,
    },
    # CUB-200.
    128: {
        **CIFAR,
        "width": 80,
        "embedding_size": 1024,
        "generator_learning_rate": 5e-5,
        "discriminator_learning_rate": 2e-4,
        "beta_1": 0.0,
        "discriminator_steps": 2,
        "classification_weight": 0.25,
        "positive_margin": 0.95,
        "temperature": 0.25,
        "average_start": 4000,
    },
}
# Measured on 260 digits of 28x28 pixels, 90 to 3 a class, batches of 64: a small classifier trained on the synthetic
# images alone has a balanced accuracy of 0.80 to 0.81 on real ones after 500 steps (0.86 when trained on the 260
# themselves). With a margin of 0.98 images of a class are more alike, and it is 0.78 after 1000 steps. With CIFAR's
# weight, margin and temperature, learning rates of 5e-4 and no cutout it is 0.13 to 0.15 after 400: classes come late.
SMALL: dict[str, Any] = {
    **CIFAR,
    "width": 16,
    "class_size": 32,
    "embedding_size": 64,
    "generator_learning_rate": 1e-3,
    "discriminator_learning_rate": 2e-3,
    "discriminator_steps": 1,
    "classification_weight": 1.0,
    "positive_margin": 0.7,
    "temperature": 0.25,
    "average_decay": 0.99,
    "average_start": 0,
    "augmentation": ("translation", "cutout"),
}
