"""Makes the tables in docs/results: real runs of the command line, and what they found, losses included.

    python -m benchmarks.published_runs                              # the demo, seeds 0, 1 and 2
    python -m benchmarks.published_runs fashion-mnist --data FOLDER  # FOLDER holds fashion_mnist.npz
    python -m benchmarks.published_runs sign-language-digits --data FOLDER

A run that was interrupted or is repeated goes on from what is finished (below `runs/published`).
"""

from __future__ import annotations

import argparse
import datetime
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.pages import machine
from evenhand.report.result import Result
from evenhand.report.verdict import points

DOCS = Path(__file__).parents[1] / "docs" / "results"
RUNS = Path("runs", "published")


@dataclass(frozen=True)
class Published:
    """Runs that make one page.

    Attributes:
      title: heading of the page.
      recipe: what is run.
      data: file or folder below `--data` that `data.path` gets; None for data that come with evenhand.
      settings: `--set` assignments.
      seeds: one run each.
    """

    title: str
    recipe: str
    data: str | None = None
    settings: tuple[str, ...] = ()
    seeds: tuple[int, ...] = (0,)


# The demo is what `make demo` runs; the others draw with the generator's last weights, as the papers do.
PAGES = {
    "demo": Published("The demo: handwritten digits", "digits", seeds=(0, 1, 2)),
    "fashion-mnist": Published(
        "Fashion-MNIST, each class half of the one before",
        "fashion-mnist-cgan-high",
        data="fashion_mnist.npz",
        # The default generator and a budget that 2 cores finish in minutes; the recipe's own takes hours.
        settings=(
            "generator={name: cgan, monitor: null}",
            "training={steps: 500, batch_size: 100, learning_rate: 0.001, augmentation: null}",
        ),
    ),
    "sign-language-digits": Published(
        "Sign Language Digits, thinned to a long tail",
        "sign-language-digits",
        data="sign_language_digits",
        settings=("classifier.name=cnn", "training.learning_rate=0.001", "generator.monitor=null"),
    ),
}


def command(page: Published, seed: int, data: Path | None) -> list[str]:
    """The arguments of `evenhand` for one run."""
    settings = [*page.settings, f"seed={seed}"]
    if page.data is not None:
        if data is None or not (data / page.data).exists():
            raise SystemExit(f"this page needs --data FOLDER with {page.data} in it")
        settings.append(f"data.path={data / page.data}")
    return ["run", page.recipe, *(word for setting in settings for word in ("--set", setting))]


def run(name: str, page: Published, seed: int, data: Path | None) -> Path:
    """Runs once, or goes on; returns the output folder."""
    output = RUNS / f"{name}-seed{seed}"
    subprocess.run([sys.executable, "-m", "evenhand.cli", *command(page, seed, data), "--output", output], check=True)
    return output


def write_page(name: str, page: Published, outputs: Sequence[Path], data: Path | None) -> Path:
    """Writes docs/results/<name>.md from finished runs."""
    shown = [
        word if page.data is None or data is None else word.replace(str(data), "FOLDER")
        for word in command(page, page.seeds[0], data)
    ]
    quoted = " ".join(f"'{word}'" if " " in word else word for word in shown)
    results = [Result.load(output) for output in outputs]
    parts = [
        f"# {page.title}",
        f"Made by `python -m benchmarks.published_runs {name}` on {datetime.date.today()}, on {machine()}. "
        f"Each run is `evenhand {quoted}`{_other_seeds(page)}.",
    ]
    if len(results) > 1:
        parts.append(seeds_table(results))
    for seed, output in zip(page.seeds, outputs, strict=True):
        heading, _, rest = (output / "report.md").read_text("utf-8").partition("\n")
        body = rest.strip().replace("\n## ", "\n### ")
        if data is not None:
            body = body.replace(str(data), "FOLDER")
        parts.append(f"## Seed {seed}{heading[heading.index(':') :]}\n\n{body}\n\n{_times(Result.load(output))}")
    target = DOCS / f"{name}.md"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    return target


def _other_seeds(page: Published) -> str:
    others = [str(seed) for seed in page.seeds[1:]]
    return f", and the same with seed {' and '.join(others)}" if others else ""


def seeds_table(results: Sequence[Result]) -> str:
    """Balanced accuracy of every strategy by seed, and its change against the baseline, with medians."""
    seeds = [next(iter(result.strategies.values())).repeats[0].seed for result in results]
    lines = [
        "Balanced accuracy on the test images, in per cent, and the change against the baseline of the same seed in "
        "points:",
        "",
        "| strategy | " + " | ".join(f"seed {seed}" for seed in seeds) + " | median | median change |",
        "|---|" + "---:|" * (len(seeds) + 2),
    ]
    baseline = [result.strategies["baseline"].test.balanced_accuracy for result in results]
    for name in results[0].strategies:
        scores = [result.strategies[name].test.balanced_accuracy for result in results]
        change = statistics.median(score - base for score, base in zip(scores, baseline, strict=True))
        cells = [f"{100 * score:.1f}" for score in (*scores, statistics.median(scores))]
        lines.append(f"| {name} | {' | '.join(cells)} | {'' if name == 'baseline' else points(change)} |")
    return "\n".join(lines)


def _times(result: Result) -> str:
    groups = {"generator": ("GeneratorTrainer",), "classifiers": ("Trainer-",), "Evaluators": ("Evaluator-",)}
    told = {
        group: sum(seconds for stage, seconds in result.seconds.items() if stage.startswith(prefixes))
        for group, prefixes in groups.items()
    }
    told["everything else"] = sum(result.seconds.values()) - sum(told.values())
    return "Seconds: " + ", ".join(f"{group} {seconds:.0f}" for group, seconds in told.items()) + "."


def main() -> None:
    """Runs and writes the pages that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pages", nargs="*", default=["demo"], help=f"any of {', '.join(PAGES)}")
    parser.add_argument("--data", type=Path, help="folder with the data sets that do not come with evenhand")
    arguments = parser.parse_args()
    for name in arguments.pages:
        if name not in PAGES:
            parser.error(f"{name} is no page; use any of {', '.join(PAGES)}")
        page = PAGES[name]
        outputs = [run(name, page, seed, arguments.data) for seed in page.seeds]
        print(write_page(name, page, outputs, arguments.data))


if __name__ == "__main__":
    main()
