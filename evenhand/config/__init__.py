"""The config of a run: frozen, validated, every field with a default, so that `{}` is the demo."""

from __future__ import annotations

from evenhand.config.classification import (
    Augmentation,
    Classifier,
    EarlyStopping,
    Mixing,
    RandAugment,
    Strategy,
    Training,
)
from evenhand.config.data import Classes, CountsProfile, Data, GeometricProfile, Keypoints, Profile, Splits
from evenhand.config.generation import Generator, Monitor, Synthetic
from evenhand.config.run import Beam, Device, Evaluation, Resources, RunConfig
from evenhand.config.section import Name, Section, Share, digest, parse_options

__all__ = [
    "Augmentation",
    "Beam",
    "Classes",
    "Classifier",
    "CountsProfile",
    "Data",
    "Device",
    "EarlyStopping",
    "Evaluation",
    "Generator",
    "GeometricProfile",
    "Keypoints",
    "Mixing",
    "Monitor",
    "Name",
    "Profile",
    "RandAugment",
    "Resources",
    "RunConfig",
    "Section",
    "Share",
    "Splits",
    "Strategy",
    "Synthetic",
    "Training",
    "digest",
    "parse_options",
]
