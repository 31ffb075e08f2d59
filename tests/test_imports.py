"""What is imported when: the command line answers without TensorFlow, each room lives without what it must not know."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from evenhand import registry

REPOSITORY = Path(__file__).parents[1]
SLOW = ("tensorflow", "keras", "tfx", "apache_beam", "sklearn", "scipy", "matplotlib", "pandas")


def modules_after(code: str) -> set[str]:
    """Names of the top packages that a fresh interpreter holds after running `code`."""
    code += "\nimport sys; print('\\n'.join({name.partition('.')[0] for name in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=REPOSITORY)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "code",
    [
        "import evenhand",
        "from evenhand import RunConfig; RunConfig()",
        "import evenhand.cli.images, evenhand.cli.run, evenhand.cli.results",
        "import evenhand.config_file; evenhand.config_file.load('digits')",
        "import evenhand.pipeline.output_folder",
        "import evenhand.pipeline.layout",
    ],
)
def test_light_things_stay_light(code: str) -> None:
    assert not modules_after(code) & set(SLOW)


@pytest.mark.parametrize(
    ("module", "unknown"),
    [
        ("evenhand.evaluation.per_class", {"tensorflow", "keras", "tfx"}),
        ("evenhand.report.render", {"tensorflow", "keras", "tfx"}),
        ("evenhand.data.prepare", {"tensorflow", "keras", "tfx"}),
        ("evenhand.models.arms", {"tensorflow", "keras", "tfx"}),
    ],
)
def test_rooms_live_without_what_they_must_not_know(module: str, unknown: set[str]) -> None:
    assert not modules_after(f"import {module}") & unknown


def test_the_library_is_used_without_tfx() -> None:
    code = "import evenhand; evenhand.train_generator; evenhand.sample_generator; evenhand.train_classifier"
    assert not modules_after(code + "; evenhand.evaluate; evenhand.Result") & {"tfx", "apache_beam", "kfp"}


def test_files_hold_one_idea() -> None:
    long = {
        str(path.relative_to(REPOSITORY)): lines
        for path in (REPOSITORY / "evenhand").rglob("*.py")
        if (lines := len(path.read_text("utf-8").splitlines())) > 300
    }
    assert not long


def test_no_generator_imports_another() -> None:
    # What they share stands in rooms beside them, a part of one starts with an underscore; import-linter cannot tell.
    package = "evenhand.models.generators"
    for name in registry.names("models.generators"):
        source = (REPOSITORY / f"{package.replace('.', '/')}/{name}.py").read_text("utf-8")
        imported = set(re.findall(rf"{package}(?: import |\.)(\w+)", source))
        assert not {other for other in imported if not other.startswith("_")}, name
