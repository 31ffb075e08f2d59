"""The config of a run: frozen, validated, every field with a default, so that `{}` is the demo."""

from __future__ import annotations

from evenhand.config.classification import (
    Augmentation,
    Classifier,
    EarlyStopping,
    Mixing,
    OwnTraining,
    RandAugment,
    Strategy,
    Training,
)
from evenhand.config.data import Classes, CountsProfile, Data, GeometricProfile, Keypoints, Profile, Splits
from evenhand.config.generation import Filter, Filtering, Generator, Monitor, Synthetic
from evenhand.config.run import AUTO, Beam, Device, Evaluation, Resources, RunConfig
from evenhand.config.search import Range, Tuning, own_training
from evenhand.config.section import Choice, Name, Section, Share, check_effect, digest, parse_options, registered

__all__ = [
    "AUTO",
    "Augmentation",
    "Beam",
    "Choice",
    "Classes",
    "Classifier",
    "CountsProfile",
    "Data",
    "Device",
    "EarlyStopping",
    "Evaluation",
    "Filter",
    "Filtering",
    "Generator",
    "GeometricProfile",
    "Keypoints",
    "Mixing",
    "Monitor",
    "Name",
    "OwnTraining",
    "Profile",
    "RandAugment",
    "Range",
    "Resources",
    "RunConfig",
    "Section",
    "Share",
    "Splits",
    "Strategy",
    "Synthetic",
    "Training",
    "Tuning",
    "check_effect",
    "digest",
    "own_training",
    "parse_options",
    "registered",
]
