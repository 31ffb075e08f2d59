"""What is wrong with the `beam` section is told before anything runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from evenhand.config import Beam
from evenhand.errors import UserError
from evenhand.pipeline.beam import beam_arguments, check_beam
from tests.pipeline.conftest import evenhand


def test_the_default_is_fine_and_packages_nothing() -> None:
    check_beam(Beam())
    assert "--sdk_container_image=none" in beam_arguments(Beam())


def test_a_container_of_the_users_own_stays() -> None:
    options = {"sdk_container_image": "mine"}
    assert beam_arguments(Beam(options=options)) == ["--runner=FnApiRunner", "--sdk_container_image=mine"]


def test_the_default_fetches_no_runner_from_the_network() -> None:
    program = (
        "import sys, apache_beam as beam\n"
        "from apache_beam.options.pipeline_options import PipelineOptions\n"
        f"with beam.Pipeline(options=PipelineOptions({beam_arguments(Beam())})) as pipeline:\n"
        "    pipeline | beam.Create([1]) | beam.Map(print)\n"
        "print('apache_beam.runners.portability.prism_runner' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1", "False"]


@pytest.mark.parametrize(
    ("section", "sentence"),
    [
        ({"runner": "Nope"}, "beam.runner: 'Nope' cannot be used"),
        ({"options": {"direct_running_mode": "bogus"}}, "beam.options: is refused by Beam"),
        ({"options": {"direct_num_worker": 2}}, "beam.options.direct_num_worker: is no option of Beam's; did you mean"),
    ],
)
def test_a_mistake_is_told_in_one_sentence(section: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UserError) as caught:
        check_beam(Beam(**section))
    assert str(caught.value).startswith(sentence)
    assert "\n" not in str(caught.value)


def test_a_run_with_a_mistake_leaves_nothing_behind(tmp_path: Path) -> None:
    output = tmp_path / "run"
    done = evenhand("run", "digits", "--output", output, "--set", "beam.options={direct_running_mode: bogus}")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1 and done.stderr.startswith("evenhand: beam.options: is refused by Beam")
    assert not output.exists()
