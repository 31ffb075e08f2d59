"""Our training steps against the same networks in PyTorch, on this machine's CPU, side by side.

    make pytorch                                        # once: PyTorch, in an environment of its own
    python -m benchmarks.versus_pytorch cnn             # at 32 and other sizes: --size, --channels, --batch
    python -m benchmarks.versus_pytorch reacgan --write # the table goes into docs/performance.md

Before anything is timed, PyTorch's network gets our weights: the numbers of parameters must be equal, and outputs and
losses may differ by 1e-4. Both sides hold their images in memory and have two threads. They take turns step block by
step block, each in every way that it can run; a ratio is the median over the turns of PyTorch's time over ours. PyTorch
steps only: it keeps no metrics, while ours also reports losses and accuracies, and restores other networks' statistics.
Ours runs once more with TensorFlow's own kernels, which it takes by itself on CPUs without instructions for networks.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.performance_page import parser_for, tell
from benchmarks.turns import THREADS, Worker, in_turns, markdown, ratio

ROOT = Path(__file__).parents[1]
PYTORCH = Path(".venv-pytorch", "bin", "python")
AGREEMENT = 1e-4
DEFAULT, XLA, EAGER = "default", "XLA", "eager"
OWN_KERNELS = {"TF_ENABLE_ONEDNN_OPTS": "0"}
"""evenhand has TensorFlow take oneDNN's, as PyTorch does."""


@dataclass(frozen=True)
class Network:
    """A network that both sides train.

    Attributes:
      title: of its section in the docs.
      ours: ways of ours that are tried; None for all.
      theirs: ways of PyTorch's; None for all.
      steps: of a turn.
      settings: size and channels of images, classes, images in a batch.
    """

    title: str
    steps: int
    settings: dict[str, int]
    ours: tuple[str, ...] | None = None
    theirs: tuple[str, ...] | None = None


NETWORKS = {
    "cnn": Network(
        "Training `cnn`, beside PyTorch", steps=40, settings={"size": 32, "channels": 1, "classes": 10, "batch": 64}
    ),
    "reacgan": Network(
        "A training step of `reacgan`, beside PyTorch",
        steps=6,
        settings={"size": 32, "channels": 1, "classes": 10, "batch": 64},
        ours=(DEFAULT, "bfloat16"),
        theirs=(EAGER, "channels last", "compiled, channels last", "bfloat16, compiled, channels last"),
    ),
}


def pytorch() -> str:
    """The Python that has PyTorch."""
    python = os.environ.get("EVENHAND_PYTORCH", str(ROOT / PYTORCH))
    if not Path(python).exists():
        sys.exit(f"{python} is not there: run `make pytorch`, or name a Python with PyTorch in EVENHAND_PYTORCH")
    return python


def check(ours: Worker, theirs: Worker) -> str:
    """Makes sure that both sides are the same network; says so."""
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/weights.npz"
        own, other = ours.ask("agree", path=path), theirs.ask("agree", path=path)
    if own["parameters"] != other["parameters"]:
        sys.exit(f"not the same network: {own['parameters']:,} parameters here, {other['parameters']:,} there")
    if not other["difference"] <= AGREEMENT:
        sys.exit(f"not the same network: with equal weights the outputs differ by {other['difference']:.1e}")
    return f"{own['parameters']:,} parameters; with equal weights, outputs differ by {other['difference']:.0e} at most"


def prepared(worker: Worker, ways: list[str], side: str) -> list[str]:
    """The ways that work on this machine; the others are named."""
    working = []
    for way in ways:
        print(f"preparing {side}, {way}", file=sys.stderr, flush=True)
        try:
            worker.ask("prepare", way=way)
            working.append(way)
        except RuntimeError as error:
            print(f"{side}, {way}, does not run here: {error}", file=sys.stderr, flush=True)
    return working


def race(name: str, settings: dict[str, int], steps: int, turns: int) -> str:
    """The section of the docs."""
    network, arguments = NETWORKS[name], json.dumps(settings)
    own_program = [sys.executable, "-m", f"benchmarks.sides.keras_{name}", arguments]
    other_program = [pytorch(), "-m", f"benchmarks.sides.pytorch_{name}", arguments]
    with (
        Worker(own_program) as ours,
        Worker(own_program) as compiled,
        Worker(own_program, OWN_KERNELS) as without_onednn,
        Worker(other_program) as theirs,
    ):
        same = check(ours, theirs)
        described: dict[str, Any] = ours.ask("ways")
        own = [way for way in described if network.ours is None or way in network.ours]
        others = [way for way in theirs.ask("ways") if network.theirs is None or way in network.theirs]
        racers = (
            ("evenhand", ours, [way for way in own if way != XLA]),
            # Of its own: a process that has once been deterministic compiles nothing.
            ("evenhand", compiled, [way for way in own if way == XLA]),
            ("evenhand, without oneDNN", without_onednn, [DEFAULT]),
            ("PyTorch", theirs, others),
        )
        clocks = {
            f"{side}, {way}": lambda worker=worker, way=way: worker.ask("seconds", way=way, steps=steps)
            for side, worker, ways in racers
            for way in prepared(worker, ways, side)
        }
        times = in_turns(clocks, turns)
    return _section(times, described[DEFAULT], same, settings["batch"])


def _section(times: dict[str, list[float]], default: str, same: str, batch: int) -> str:
    base = times[f"evenhand, {DEFAULT}"]
    rows = [
        [name, f"{1e3 * statistics.median(spent):.1f}", f"{batch / statistics.median(spent):.0f}", ratio(spent, base)]
        for name, spent in times.items()
    ]
    theirs = {name: spent for name, spent in times.items() if name.startswith("PyTorch")}
    exact = {name: spent for name, spent in theirs.items() if "bfloat16" not in name}
    best, best_exact = (min(group, key=lambda name: statistics.median(group[name])) for group in (theirs, exact))
    sentences = [
        f"{same}. Our default here is {default}.",
        f"PyTorch as it comes ({EAGER}) takes {ratio(theirs[f'PyTorch, {EAGER}'], base)} times as long as our default, "
        f"PyTorch's best float32 ({best_exact.partition(', ')[2]}) {ratio(exact[best_exact], base)}, "
        f"its best at all ({best.partition(', ')[2]}) {ratio(theirs[best], base)}.",
    ]
    return markdown(["", "a step, ms", "images/s", "times our default's time"], rows) + "\n\n" + "\n".join(sentences)


def main() -> None:
    parser = parser_for(__doc__)
    parser.add_argument("network", choices=NETWORKS)
    parser.add_argument("--size", type=int)
    parser.add_argument("--channels", type=int)
    parser.add_argument("--batch", type=int)
    parser.add_argument("--steps", type=int, help="of a turn")
    parser.add_argument("--turns", type=int, default=5)
    arguments = parser.parse_args()
    network = NETWORKS[arguments.network]
    given = {name: value for name in network.settings if (value := getattr(arguments, name, None))}
    settings = {**network.settings, **given}
    text = race(arguments.network, settings, arguments.steps or network.steps, arguments.turns)
    shape = f"{settings['size']}x{settings['size']}x{settings['channels']}"
    what = f"Images of {shape} pixels in batches of {settings['batch']}, {THREADS} threads, {arguments.turns} turns."
    tell(network.title, f"versus_pytorch {arguments.network}", f"{what}\n\n{text}", write=arguments.write)


if __name__ == "__main__":
    main()
