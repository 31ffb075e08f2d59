"""Every benchmark still fits the package: it can be loaded, and says what it does and how it is called."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "benchmarks"
MODULES = sorted(
    ".".join(path.relative_to(FOLDER.parent).with_suffix("").parts)
    for path in FOLDER.rglob("*.py")
    if path.name not in ("__init__.py", "__main__.py")
)


@pytest.mark.parametrize("name", MODULES)
def test_benchmarks_can_be_loaded(name: str) -> None:
    if name.rpartition(".")[2].startswith("pytorch_"):
        pytest.importorskip("torch", reason="what it is compared with runs in an environment of its own")
    module = importlib.import_module(name)
    assert module.__doc__
    if hasattr(module, "main"):
        assert f"python -m {name}" in module.__doc__, "a benchmark's docstring gives its command"


def test_kernels_are_chosen_before_tensorflow_is_loaded() -> None:
    code = "import sys, benchmarks; assert 'evenhand' in sys.modules and 'tensorflow' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], cwd=FOLDER.parent, check=True)
