"""What a paper that uses a run should cite: evenhand itself and the papers of the components that the run used."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from evenhand.report.result import Result

BIBLIOGRAPHY = "references.bib"

_HANDSHAPES, _ENDOSCOPY = "rios2025handshapes", "delafuente2024enhancing"
_LONG_TAIL, _POLARITY = "mankikar_rebalancing", "deepshikha2020polarity"

GENERATORS = {
    "cgan": (_LONG_TAIL, "mirza2014conditional"),
    "acgan": ("odena2017acgan", _POLARITY),
    "wgan_gp": ("gulrajani2017improved", _POLARITY),
    "bagan": ("mariani2018bagan", _POLARITY),
    "polarity_gan": (_POLARITY, "gulrajani2017improved"),
    "reacgan": (_HANDSHAPES, "kang2021reacgan"),
    "spade": (_HANDSHAPES, "park2019spade"),
    "class_vae": (_ENDOSCOPY, "kingma2014vae"),
    "diffusion": ("karras2022edm", "ho2022classifierfree", "liu2022flow", "qin2023cbdm"),
}
"""Keys of the papers that each generator implements; S1 to S4 of the documentation are the first ones named."""

CLASSIFIERS = {"cnn": (_LONG_TAIL,), "efficientnetv2": ("tan2021efficientnetv2",), "resnet50": ("he2016resnet",)}

METHODS = {
    "balanced_softmax": ("ren2020balanced",),
    "focal": ("lin2017focal",),
    "logit_adjustment": ("menon2021logit",),
    "post_hoc_adjustment": ("menon2021logit",),
    "deferred": ("cao2019ldam",),
    "weight_balance": ("alshammari2022weight",),
    "retrain_head": ("kang2020decoupling",),
    "mixup": ("zhang2018mixup",),
    "cutmix": ("yun2019cutmix",),
    "randaugment": ("cubuk2020randaugment",),
    "smote_svm": ("chawla2002smote", _POLARITY),
    "resnet_rf": ("breiman2001random", _POLARITY),
    "undersample": (_LONG_TAIL,),
    "oversample": (_LONG_TAIL,),
    "pretrain_finetune": (_HANDSHAPES,),
    "regularizer": (_HANDSHAPES,),
    "combined": (_HANDSHAPES, _ENDOSCOPY),
    "synthetic_only": (_HANDSHAPES,),
}
"""Keys of the papers of strategies, losses, kinds of mixing and settings of a phase."""

_EFFECTIVE_NUMBER = "cui2019classbalanced"

SCORES = {
    "fid": "heusel2017fid",
    "kid": "binkowski2018kid",
    "inception_score": "salimans2016improved",
    "precision": "kynkaanniemi2019improved",
    "recall": "kynkaanniemi2019improved",
    "density": "naeem2020reliable",
    "coverage": "naeem2020reliable",
}
"""Keys of the papers of the generator's scores."""

_STATISTICS = ("wilson1927probable", "zou2008construction", "guo2017calibration")
_COMPARED = ("mcnemar1947note", "holm1979simple")
_ONE_SEED, _SEVERAL_SEEDS = ("newcombe1998improved",), ("gallas2006oneshot", "hillis2007comparison")


@cache
def bibliography() -> dict[str, str]:
    """Every BibTeX entry by key, in the order of the file."""
    text = (Path(__file__).parent / BIBLIOGRAPHY).read_text(encoding="utf-8")
    return {found[1]: found[0] for found in re.finditer(r"^@\w+\{(\w+),\n.*?^\}", text, re.DOTALL | re.MULTILINE)}


def cited(result: Result) -> list[str]:
    """Keys of the papers to cite for a run, each once, in the order of what it did."""
    return list(dict.fromkeys(_keys(result)))


def _keys(result: Result) -> Iterator[str]:
    if result.generator is not None:
        yield from GENERATORS.get(result.generator.name, ())
    classifier = str((result.config.get("classifier") or {}).get("name", ""))
    yield from CLASSIFIERS.get(classifier.split("-")[0], ())
    for name, strategy in result.strategies.items():
        yield from METHODS.get(name, ())
        for phase in strategy.phases:
            yield from _keys_of_phase(phase, _augmentation_beside(name, result))
    yield from _STATISTICS
    if result.comparison:
        yield from _COMPARED
        has_one_seed = result.num_seeds == 1
        yield from _ONE_SEED if has_one_seed else _SEVERAL_SEEDS
    for measure in (result.generator.scores or {}) if result.generator is not None else ():
        if measure in SCORES:
            yield SCORES[measure]
    if result.audit is not None:
        yield "meehan2020three"
    if result.realism is not None:
        yield "newcombe2006confidence"


def _keys_of_phase(phase: Mapping[str, Any], augmentation: Mapping[str, Any]) -> Iterator[str]:
    """Keys of what a phase is trained with; `augmentation` is that of one without its own."""
    loss = phase.get("loss") or {}
    # A loss without options stands there as its name.
    name, options = (loss, {}) if isinstance(loss, str) else (loss.get("name"), loss.get("options") or {})
    yield from METHODS.get(str(name), ())
    if options.get("by") == "effective_number":
        yield _EFFECTIVE_NUMBER
    mixing = phase.get("mixing")
    if mixing is not None:
        yield from METHODS.get(str(mixing.get("kind")), ())
    if phase.get("post_hoc_adjustment"):
        yield from METHODS["post_hoc_adjustment"]
    own = phase.get("augmentation")
    if (augmentation if own is None else own).get("rand_augment") is not None:
        yield from METHODS["randaugment"]


def _augmentation_beside(name: str, result: Result) -> Mapping[str, Any]:
    """What `training` says of augmentation for a strategy; a twin has what its strategy has."""
    of = next((one for one, strategy in result.strategies.items() if strategy.matched == name), name)
    configured = [one for one in result.config.get("strategies") or () if isinstance(one, dict)]
    own = [one.get("training") for one in configured if one.get("name") in (name, of)]
    for training in (*own, result.config.get("training")):
        if training and training.get("augmentation") is not None:
            return dict(training["augmentation"])
    return {}


def cite(result: Result) -> str:
    """BibTeX of evenhand, in the version that made the run, and of the papers to cite.

    Args:
      result: of the run.
    """
    version = result.versions.get("evenhand")
    fields = ["  title         = {evenhand: from an imbalanced image set to a per-class verdict on synthetic data}"]
    if version:
        fields.append(f"  version       = {{{_plain(version)}}}")
    fields.append("  license       = {Apache-2.0}")
    entries = bibliography()
    own = "@software{evenhand,\n" + ",\n".join(fields) + "\n}"
    return "\n\n".join([own, *(entries[key] for key in cited(result))]) + "\n"


def _plain(text: str) -> str:
    return re.sub(r"[^\w.+-]", "", text)
