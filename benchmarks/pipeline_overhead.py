"""What the pipeline itself costs: the whole graph from the command line, with next to no training, node by node.

    python -m benchmarks.pipeline_overhead [--classifier cnn] [--write]

The demo's digits, its generator and three strategies with two steps of each training, in a new folder, and then the
same command again, when every node is served from the cache. The target is 90 s for the first. What the table calls
start is everything outside the nodes: Python, TensorFlow, TFX, drawing the graph, laying out the results.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from benchmarks.performance_page import parser_for, tell
from benchmarks.turns import markdown

TITLE = "What the pipeline costs"
STRATEGIES = "[baseline, balanced_softmax, pretrain_finetune]"
TARGET_SECONDS = 90


def command(classifier: str, output: Path) -> list[str]:
    """The run, next to empty."""
    settings = {
        "strategies": STRATEGIES,
        "generator.steps": 2,
        "synthetic.per_class": 64,
        "training.steps": 2,
        "classifier.name": classifier,
    }
    sets = [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]
    return [sys.executable, "-m", "evenhand.cli", "run", "digits", *sets, "--quiet", "--output", str(output)]


def seconds_of(arguments: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run(arguments, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def main() -> None:
    parser = parser_for(__doc__)
    parser.add_argument("--classifier", default="cnn")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        run = command(arguments.classifier, Path(folder, "run"))
        first = seconds_of(run)
        stages = json.loads(Path(folder, "run", "result.json").read_text())["seconds"]
        again = seconds_of(run)
    times: Counter[str] = Counter()
    nodes: Counter[str] = Counter()
    for name, seconds in stages.items():
        kind = name.partition("-")[0]
        times[kind] += seconds
        nodes[kind] += 1
    rows = [[kind, nodes[kind], f"{seconds:.1f}", f"{seconds / first:.0%}"] for kind, seconds in times.most_common()]
    start = first - times.total()
    rows.append(["start", "", f"{start:.1f}", f"{start / first:.0%}"])
    rows.append(["in all", nodes.total(), f"{first:.1f}", "100%"])
    text = (
        "The digits, `cgan` and three strategies, with the twin on real images that one of them needs, two steps of "
        f"each training, `{arguments.classifier}`; the target is {TARGET_SECONDS} s.\n\n"
        f"{markdown(['component', 'nodes', 's', 'share'], rows)}\n\n"
        f"The same command again, with all nodes from the cache: {again:.1f} s."
    )
    tell(TITLE, "pipeline_overhead", text, write=arguments.write)


if __name__ == "__main__":
    main()
