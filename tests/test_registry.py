"""The registry finds entries by file name, without importing them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from evenhand import registry
from evenhand.errors import UserError


@pytest.mark.parametrize("kind", registry.KINDS)
def test_every_entry_has_a_summary_and_a_file(kind: str) -> None:
    folder = Path(registry.__file__).parent.joinpath(*kind.split("."))
    stems = {path.stem for path in folder.glob("[!_]*.py")}
    assert registry.names(kind) == sorted(registry.names(kind))
    assert {name.partition("-")[0] for name in registry.names(kind)} == stems
    for name in registry.names(kind):
        assert registry.summary(kind, name)


def test_variants_are_listed_instead_of_their_file() -> None:
    names = registry.names("models.classifiers")
    assert {"efficientnetv2-b0", "efficientnetv2-b3", "efficientnetv2-s", "efficientnetv2-l"} <= set(names)
    assert "efficientnetv2" not in names
    assert registry.variant("models.classifiers", "efficientnetv2-b0") == "b0"
    assert registry.variant("models.classifiers", "cnn") is None


def test_names_of_this_version() -> None:
    assert {"digits", "folder", "npz", "tfds", "tfrecord", "csv"} <= set(registry.names("data.sources"))
    assert "cgan" in registry.names("models.generators")
    assert {"baseline", "oversample", "balanced_softmax", "pretrain_finetune"} <= set(
        registry.names("models.strategies")
    )


def test_listing_and_summaries_import_no_entry() -> None:
    code = (
        "import sys; from evenhand import registry\n"
        "for kind in registry.KINDS:\n"
        "    for name in registry.names(kind): registry.summary(kind, name)\n"
        "print([m for m in sys.modules if m.startswith('evenhand.') and m.count('.') > 1])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(UserError, match=r"classifier\.name: unknown name 'resnet5'; did you mean 'resnet50'\."):
        registry.check("models.classifiers", "resnet5", "classifier.name")


def test_an_unknown_kind_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="models.optimizers"):
        registry.names("models.optimizers")


def test_user_code_is_named_by_its_dotted_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_sources").mkdir()
    code = "def open_source(config): ...\ndef fingerprint(config): ...\nORIGIN = 'user'\n"
    (tmp_path / "my_sources" / "satellite.py").write_text(code)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert registry.load("data.sources", "my_sources.satellite").ORIGIN == "user"
    with pytest.raises(UserError, match="os.path: the module has no open_source and no fingerprint"):
        registry.load("data.sources", "os.path")
    with pytest.raises(UserError, match=r"my_sources\.moon: cannot be imported"):
        registry.load("data.sources", "my_sources.moon")


@pytest.mark.parametrize(
    ("code", "reason"),
    [("def f(:", "SyntaxError: .*line 1"), ("missing", "NameError: .*missing"), ("raise ValueError('boom')", "boom")],
)
def test_what_the_users_own_module_raises_is_told(
    code: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my_broken").mkdir()
    (tmp_path / "my_broken" / "source.py").write_text(code)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(UserError, match=rf"data\.sources my_broken\.source: fails while it is imported \(.*{reason}"):
        registry.load("data.sources", "my_broken.source")
