"""The tables in docs/results.md and docs/results.json."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.pages import write_section
from benchmarks.strategy_study.arms import AUGMENTED, MAIN
from benchmarks.strategy_study.images import class_names
from benchmarks.strategy_study.protocol import Protocol, StudyTable
from benchmarks.strategy_study.rows import Gain, Measured, Row, best_remedy, gain, of_one_kind
from evenhand.report.verdict import points
from evenhand.whole_files import replace_text

PAGE = "results.md"
DATA = "results.json"

_HEADING = """# Results

Every strategy on the two long-tailed data sets of S3 ("Re-Balancing of Long-Tailed Datasets Using CGAN Generation"), by
`python -m benchmarks.strategy_study`. A row is named after its strategy and what was added to it: some strategies stand
with an augmentation or another loss only. Longer reports of single runs: [the demo](results/demo.md),
[Fashion-MNIST](results/fashion-mnist.md), [Sign Language Digits](results/sign-language-digits.md).
"""

_COLUMNS = (
    "strategy",
    "images",
    "accuracy",
    "95% interval",
    "worst class",
    "gain",
    "95%, seeds paired",
    "95%, seeds apart",
    "S3",
    "seeds",
    "core-minutes",
)


def write_tables(table: StudyTable, protocol: Protocol, rows: Sequence[Row], command: str, docs: Path) -> None:
    """Replaces the table in both files, or adds it.

    Args:
      table: which.
      protocol: of its units.
      rows: of the arms that have units; at least one.
      command: that makes it.
      docs: folder of both files.
    """
    docs.mkdir(parents=True, exist_ok=True)
    page, data = docs / PAGE, docs / DATA
    if not page.exists():
        replace_text(page, _HEADING)
    write_section(page, table.title, section(table, protocol, rows, command))
    replace_text(data, json.dumps(with_table(_read(data), table.name, rows), indent=1) + "\n")


def _read(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {"tables": []}
    return found


def with_table(document: dict[str, Any], name: str, rows: Sequence[Row]) -> dict[str, Any]:
    """The content of results.json with this table in the place of an older one of its name."""
    table = {"name": name, "rows": [_values(row.measured) for row in rows]}
    others = [other for other in document["tables"] if other["name"] != name]
    return {"tables": sorted([*others, table], key=lambda one: str(one["name"]))}


def _values(measured: Measured) -> dict[str, Any]:
    low, high = measured.interval
    return {
        "strategy": measured.arm.name,
        "synthetic": measured.arm.plan().uses_synthetic,
        "accuracy": round(measured.accuracy, 5),
        "low": round(low, 5),
        "high": round(high, 5),
        "worst_class_recall": round(measured.worst_class_recall, 5),
        "seeds": len(measured.seeds),
    }


def section(table: StudyTable, protocol: Protocol, rows: Sequence[Row], command: str) -> str:
    """The text below the table's heading."""
    measured = [row.measured for row in rows]
    best = best_remedy(measured)
    parts = [
        _finding(rows, best),
        _against_controls(measured),
        _how(table, protocol, measured, command),
        _main_table(table, rows, best),
        _reading(measured, best),
        _class_table(measured, best),
    ]
    return "\n\n".join(part for part in parts if part)


def _finding(rows: Sequence[Row], best: Measured | None) -> str:
    main = next((row for row in rows if row.measured.arm.name == MAIN), None)
    if best is None or main is None or main.gain is None:
        return ""
    found, gain = main.measured, main.gain
    verdict = (
        "above zero" if gain.paired[0] > 0 else "below zero" if gain.paired[1] < 0 else "with zero in its interval"
    )
    return (
        f"**`{MAIN}`, the arm that this study was made to judge, reached {found.accuracy:.1%}, "
        f"{points(gain.change)} points ({_ends(gain.paired)}) against the best cheap remedy, `{best.arm.name}` "
        f"({best.accuracy:.1%}): {verdict}.** Over {_seeds(gain.seeds)}; worst class {found.worst_class_recall:.0%} "
        f"against {best.worst_class_recall:.0%}."
    )


def _against_controls(measured: Sequence[Measured]) -> str:
    """What the synthetic images and their labels have to do with it."""
    found = {one.arm.name: one for one in measured}
    controls = {
        f"{MAIN}_matched": "the same training on real images alone",
        f"shuffled_synthetic{AUGMENTED}": "the same with shuffled labels on the synthetic images",
    }
    changes = {name: gain(found[MAIN], found[name]) for name in controls if name in found and MAIN in found}
    told = [
        f"{points(change.change)} points ({_ends(change.paired)}, {_seeds(change.seeds)}) against {controls[name]} "
        f"(`{name}`)"
        for name, change in changes.items()
        if change is not None
    ]
    return f"`{MAIN}` gains {' and '.join(told)}." if told else ""


def _how(table: StudyTable, protocol: Protocol, measured: Sequence[Measured], command: str) -> str:
    records = [record for one in measured for record in one.records.values()]
    counts = records[0].train_counts
    dates = sorted({record.date for record in records})
    machines = sorted({record.machine for record in records})
    devices = [record.device for record in records if record.device]
    ways = sorted({f"{device['precision']}, {'' if device['xla'] else 'without '}XLA" for device in devices})
    training, generator = protocol.training, protocol.generator
    return (
        f"Made by `{command}` on {' to '.join(dict.fromkeys((dates[0], dates[-1])))}, on {'; '.join(machines)} "
        f"({'; '.join(ways)}). S3's profile ({counts[0]} to {counts[-1]} training images a class), its CNN and "
        f"the {int(measured[0].support.sum()):,} {_judges(protocol)}. Every network gets {training.steps:,} gradient "
        f"steps of {training.batch_size} images at a peak rate of {training.learning_rate:g}, pretraining counted. "
        "Split, order, initial weights and generator move with the seed. "
        f"`{generator.name}` ({generator.steps:,} steps of {generator.batch_size}) is trained "
        f"{_generator_trainings(measured)}, {protocol.per_class:,} images a class to an arm. {_searched(measured)}"
    )


def _generator_trainings(measured: Sequence[Measured]) -> str:
    """How often a generator was trained, how long that took where the arms were timed, and for whom."""
    records = [record for one in measured for record in one.records.values()]
    # Two machines may be of one class, but hardly take the same time.
    made = [record for record in records if record.generator_processor_seconds is not None]
    trainings = {(record.seed, record.machine, record.generator_processor_seconds) for record in made}
    there = "" if len({seed for seed, *_ in trainings}) == len(trainings) else " on each machine"
    timed = sorted({r.generator_processor_seconds for r in of_one_kind(records) if r.generator_processor_seconds})
    cost = f" in {timed[len(timed) // 2] / 60:.1f} core-minutes" if timed else ""
    return f"once a seed{there}{cost} for all arms of the seed{' there' if there else ''}"


def _searched(measured: Sequence[Measured]) -> str:
    """Whose settings are the best of several, and so have had more done for them than the others'."""
    names = ", ".join(f"`{one.arm.name}`" for one in measured if one.arm.is_searched and not one.arm.is_twin)
    if not names:
        return "No arm's settings were searched for."
    return f"The settings of {names} were chosen on held-out training images; no other arm's were searched for."


def _judges(protocol: Protocol) -> str:
    return "held-out training images in the place of the test images" if protocol.is_development else "real test images"


def _main_table(table: StudyTable, rows: Sequence[Row], best: Measured | None) -> str:
    lines = [f"| {' | '.join(_COLUMNS)} |", "|---|---|" + "---:|" * (len(_COLUMNS) - 2)]
    has_accelerator = any(row.measured.had_accelerator for row in rows)
    for row in rows:
        one, bold = row.measured, "**" if row.measured is best else ""
        synthetic = one.arm.plan().uses_synthetic
        published = table.published.get(one.arm.name)
        cells = (
            f"{bold}`{one.arm.name}`{bold}",
            ("synthetic" if synthetic else "real") + (", control" if one.arm.kind == "control" else ""),
            f"{one.accuracy:.1%}",
            f"{one.interval[0]:.1%} to {one.interval[1]:.1%}",
            f"{one.worst_class_recall:.0%}",
            *_gain_cells(row.gain),
            "" if published is None else f"{published:.1%}",
            str(len(one.seeds)),
            f"{one.processor_minutes:.1f}" + ("" if has_accelerator == one.had_accelerator else " on a CPU"),
        )
        lines.append(f"| {' | '.join(cells)} |")
    lines.append("")
    generators = ", ".join(f"{name} {value:.1%}" for name, value in table.published_generators.items())
    lines.append(
        f"S3's `combined` with each of its GANs: {generators}. Its network passed its outputs through a softmax twice."
    )
    return "\n".join(lines)


def _gain_cells(gain: Gain | None) -> tuple[str, str, str]:
    if gain is None:
        return "", "", ""
    return points(gain.change), _ends(gain.paired), _ends(gain.independent)


def _reading(measured: Sequence[Measured], best: Measured | None) -> str:
    gains = (
        ""
        if best is None
        else f"Gains are in points over `{best.arm.name}`, the best remedy on real images alone, chosen by these very "
        "test images, so that it is rather too good; `seeds paired` takes the change of each seed as one draw, `seeds "
        "apart` takes either side's seeds as independent, as `evenhand run` does. "
    )
    has_forest = any(one.arm.strategy.name == "resnet_rf" for one in measured)
    return (
        f"{gains}Intervals hold the doubt about test images and, from two seeds on, about seeds. The worst class is "
        "the mean over seeds of each one's smallest recall. Controls are no proposals: `_matched` is the same training "
        "on real images alone, `shuffled_synthetic` has wrong labels, `synthetic_only` sees no real image. "
        "`+adjusted` is the arm of that name with each probability over the class's share "
        "of the training images; nothing more is trained."
        + (" `resnet_rf` grows its forest on the features of this study's network, S3's CNN." if has_forest else "")
        + (
            " Core-minutes are those of the seeds that had an accelerator: what feeding it takes, its own time not "
            "counted."
            if any(one.had_accelerator for one in measured)
            else ""
        )
    )


def _class_table(measured: Sequence[Measured], best: Measured | None) -> str:
    """Recall by class of plain training, the best remedy and the main arm."""
    names = list(dict.fromkeys(["baseline", *([] if best is None else [best.arm.name]), MAIN, MAIN + "_matched"]))
    shown = [one for name in names for one in measured if one.arm.name == name]
    if not shown:
        return ""
    counts = next(iter(shown[0].records.values())).train_counts
    titles = " | ".join(f"`{one.arm.name}`" for one in shown)
    lines = [f"| recall by class | training images | {titles} |", "|---|" + "---:|" * (len(shown) + 1)]
    for label, name in enumerate(class_names(len(counts))):
        cells = " | ".join(f"{one.recalls.mean(axis=0)[label]:.0%}" for one in shown)
        lines.append(f"| {name} | {counts[label]} | {cells} |")
    return "\n".join(lines)


def _ends(interval: tuple[float, float]) -> str:
    return f"{points(interval[0])} to {points(interval[1])}"


def _seeds(count: int) -> str:
    return "one seed" if count == 1 else f"{count} seeds"
