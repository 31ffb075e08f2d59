"""The file for TFX's own command line; `evenhand run` shows progress and a verdict besides.

    EVENHAND_CONFIG=config.yaml tfx pipeline create --engine local --pipeline_path evenhand/pipeline/local_runner.py
    EVENHAND_CONFIG=config.yaml tfx run create --engine local --pipeline_name NAME

`EVENHAND_OUTPUT` names the output folder; without it, it is `runs/<name>`.
"""

from __future__ import annotations

import os
from pathlib import Path

from evenhand import config_file
from evenhand.pipeline.output_folder import occupied
from evenhand.pipeline.run import build


def main() -> None:
    """Runs the pipeline that `EVENHAND_CONFIG` describes; TFX expects the runner to be called exactly once."""
    config = config_file.load(os.environ.get("EVENHAND_CONFIG"))
    output = Path(os.environ.get("EVENHAND_OUTPUT", f"runs/{config.name}"))
    with occupied(output, config_file.dump(config)) as claim:
        runner, pipeline = build(config, claim)
        runner.run(pipeline)


if __name__ == "__main__":
    main()
