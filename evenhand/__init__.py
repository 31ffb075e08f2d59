"""evenhand: from an imbalanced image set to a per-class verdict on synthetic data."""

from __future__ import annotations

import importlib
import os
from typing import Any

__version__ = "0.1.0"

# TensorFlow takes oneDNN's kernels by itself on some CPUs only, and they train networks faster on all that we measured
# (docs/performance.md). They are asked for before TensorFlow is loaded; what the user has set stays.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

# What XLA compiles for a GPU is repeatable only where it is asked to be, and it reads its flags once: see
# `make_deterministic` in models/training/device.py. What the user has set stays.
if "xla_gpu_deterministic_ops" not in os.environ.get("XLA_FLAGS", ""):
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_gpu_deterministic_ops=true".strip()

# Loaded on first use, so that `import evenhand` costs nothing. The three artifact classes at the end must be reachable
# from here because a TFX container imports an artifact class by its type name (`evenhand.Generator`).
_PUBLIC = {
    "RunConfig": "evenhand.config",
    "Result": "evenhand.report.result",
    "run": "evenhand.pipeline.run",
    "train_generator": "evenhand.models.train_generator",
    "sample_generator": "evenhand.models.sample_generator",
    "train_classifier": "evenhand.models.train_classifier",
    "evaluate": "evenhand.evaluation.per_class",
    "Generator": "evenhand.components.artifacts",
    "SyntheticEvaluation": "evenhand.components.artifacts",
    "BalanceReport": "evenhand.components.artifacts",
}

__all__ = ["__version__", *_PUBLIC]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'evenhand' has no attribute {name!r}")
    return getattr(importlib.import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
