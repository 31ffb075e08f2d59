"""A config is read, merged with `--set`, validated, and every mistake in it is told in one sentence."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from evenhand import config_file
from evenhand.config import GeometricProfile, RunConfig
from evenhand.errors import UserError


def write(folder: Path, text: str) -> str:
    """Writes a config file and returns its path."""
    path = folder / "run.yaml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_an_empty_config_is_the_demo() -> None:
    config = config_file.load()
    assert config == RunConfig() == config_file.load("digits")
    assert config.name == "digits"
    assert config.data.profile == GeometricProfile(ratio=0.65, largest=100)
    assert [strategy.name for strategy in config.strategies][0] == "baseline"


def test_only_the_digits_are_small_and_have_a_tail_by_default(tmp_path: Path) -> None:
    data = config_file.load(write(tmp_path, "data: {source: npz, path: x.npz}")).data
    assert data.profile is None
    assert data.image_size == 32
    assert config_file.load(assignments=["data.image_size=24"]).data.image_size == 24


@pytest.mark.parametrize(
    ("assignment", "sentence"),
    [
        ("device.xla=maybe", "device.xla: should be 'auto' or should be a valid boolean, not 'maybe'"),
        ("synthetic.per_class=bal", "synthetic.per_class: should be a valid integer or should be 'balance', not 'bal'"),
        ("data.profile.rato=0.5", "data.profile.rato: is an unknown key; did you mean 'ratio'."),
        ("data.profile.order=largest_first", "data.profile.order: should be 'classes' or 'largest-first' or should be"),
        ("strategies={name: focal}", "strategies: should be a list, not {'name': 'focal'}; see docs/configuration.md."),
        ("data.classes.include=cat", "data.classes.include: should be a list, not 'cat'"),
        ("resources={Trainer: {cpu: x}}", "resources.Trainer.cpu: should be a valid number, not 'x'"),
        ("training.learning_rate=.inf", "training.learning_rate: should be a finite number, not inf"),
        ("resources={Trainer: {memory: .nan}}", "resources.Trainer.memory: should be a finite number, not nan"),
        ("a=" + 3000 * "[", "--set a: is not YAML"),
    ],
)
def test_a_field_of_several_types_is_named_as_it_is_written(assignment: str, sentence: str) -> None:
    with pytest.raises(UserError) as caught:
        config_file.load(assignments=[assignment])
    assert str(caught.value).startswith(sentence)


def test_any_share_of_copies_can_be_allowed() -> None:
    assert config_file.load(assignments=["synthetic.max_copy_share=1"]).synthetic.max_copy_share == 1
    with pytest.raises(UserError, match=r"max_copy_share: should be less than or equal to 1, not 1\.5;"):
        config_file.load(assignments=["synthetic.max_copy_share=1.5"])


@pytest.mark.parametrize("text", ["2024-01-01", "2024-13-45"])
def test_what_looks_like_a_date_is_a_text(text: str) -> None:
    assert config_file.load(assignments=[f"name={text}"]).name == text


@pytest.mark.parametrize("name", sorted(config_file.recipes()))
def test_recipes_validate_and_have_a_summary(name: str) -> None:
    assert config_file.load(name).name == name
    assert config_file.recipes()[name].endswith(".")


def test_the_recipes_of_this_version_exist() -> None:
    assert set(config_file.recipes()) >= {
        "digits",
        "fashion-mnist-cgan-low",
        "fashion-mnist-cgan-high",
        "sign-language-digits",
    }


@pytest.mark.parametrize("name", sorted(config_file.recipes()))
def test_a_dumped_config_reads_back_equal(tmp_path: Path, name: str) -> None:
    config = config_file.load(name)
    assert config_file.load(write(tmp_path, config_file.dump(config))) == config


@pytest.mark.parametrize(
    ("assignment", "expected"),
    [
        ("training.steps=7", ("training", "steps", 7)),
        ("training.learning_rate=1e-3", ("training", "learning_rate", 0.001)),
        ("data.path=a=b", ("data", "path", "a=b")),
        ("data.path=null", ("data", "path", None)),
        ("evaluation.select=baseline", ("evaluation", "select", "baseline")),
    ],
)
def test_set_takes_a_yaml_value(assignment: str, expected: tuple[str, str, object]) -> None:
    section, field, value = expected
    assert getattr(getattr(config_file.load(None, [assignment]), section), field) == value


def test_the_home_folder_may_be_written_as_in_a_shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/of/user")
    file = write(tmp_path, "data: {source: folder, path: ~/photos, classes: {include: [a~/b]}}")
    config = config_file.load(
        file, ["data.keypoints={openpose: ~/poses}", "generator={name: folder, options: {path: ~/more}}"]
    )
    assert config.data.path == "/home/of/user/photos"
    assert config.data.keypoints is not None and config.data.keypoints.openpose == "/home/of/user/poses"
    assert config.generator.options["path"] == "/home/of/user/more"
    assert config.data.classes.include == ("a~/b",)


def test_set_replaces_what_stands_there_as_a_whole(tmp_path: Path) -> None:
    source = write(tmp_path, "data: {source: npz, path: x.npz, classes: {minimum: 5, exclude: [a]}}")
    classes = config_file.load(source, ["data.classes={minimum: 3}"]).data.classes
    assert classes.minimum == 3
    assert classes.exclude is None
    assert config_file.load(source, ["data.classes.minimum=3"]).data.classes.exclude == ("a",)


def test_set_reaches_into_a_default_that_stands_there() -> None:
    assert config_file.load(None, ["data.profile.ratio=0.5"]).data.profile == GeometricProfile(ratio=0.5, largest=100)
    options = config_file.load(None, ["beam.options.direct_num_workers=2"]).beam.options
    assert options == {"direct_running_mode": "in_memory", "direct_num_workers": 2}


def test_a_source_set_later_does_not_inherit_the_tail_of_the_digits() -> None:
    assert config_file.load(None, ["data.source=npz", "data.path=x.npz"]).data.profile is None


def test_strategies_may_be_bare_names_or_carry_options(tmp_path: Path) -> None:
    text = "strategies: [baseline, {name: oversample, options: {}}]"
    assert [s.name for s in config_file.load(write(tmp_path, text)).strategies] == ["baseline", "oversample"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("trainning: {}", "trainning in FILE: is an unknown key; did you mean 'training'."),
        ("data: {imagesize: 3}", "data.imagesize in FILE: is an unknown key; did you mean 'image_size'."),
        ("data: {validat: true}", "data.validat in FILE: is an unknown key; did you mean 'validate'."),
        (
            "data: {profile: {kind: geometric, ratioo: 0.5}}",
            "data.profile.ratio in FILE: is missing; add it.",
        ),
        (
            "data: {profile: {kind: geometric, ratio: 0.5, larges: 3}}",
            "data.profile.larges in FILE: is an unknown key; did you mean 'largest'.",
        ),
        ("data: {profile: {ratio: 0.5}}", "data.profile in FILE: needs a kind; write kind: geometric or kind: counts"),
        ("data: {profile: {}}", "data.profile in FILE: needs a kind; write kind: geometric or kind: counts"),
        ("strategies: [{name: baseline, option: {}}]", "strategies.0.option in FILE: is an unknown key; did you mean"),
        ("strategies: [oversample]", "strategies in FILE: baseline must be among the strategies"),
        ("strategies: [baseline, baseline]", "strategies in FILE: each strategy may stand once"),
        ("strategies: [baseline, oversampling]", "strategies in FILE: unknown name 'oversampling'; did you mean"),
        ("classifier: {name: efficientnet-b0}", "classifier.name in FILE: unknown name 'efficientnet-b0'; did you"),
        ("generator: {name: cgam}", "generator.name in FILE: unknown name 'cgam'; did you mean 'cgan'."),
        ("training: {steps: 0}", "training.steps in FILE: should be greater than or equal to 1, not 0; see"),
        ("training: {steps: many}", "training.steps in FILE: should be a valid integer"),
        ("training: 5", "training in FILE: "),
        ("data: {splits: {validation: 0}}", "FILE: without a validation split"),
        ("- a list", "FILE: must hold keys and values"),
        ("a: [1", "FILE: is not YAML in line"),
        ("seed: 1\nseed: 2", "FILE: is not YAML in line 1 (the key 'seed' stands twice)"),
        ("name: ../escape", "name in FILE: "),
    ],
)
def test_mistakes_are_told_in_one_sentence_that_names_the_field(tmp_path: Path, text: str, sentence: str) -> None:
    source = write(tmp_path, text)
    with pytest.raises(UserError) as caught:
        config_file.load(source)
    told = str(caught.value).replace(source, "FILE")
    assert sentence in told
    assert "\n" not in told
    assert told.endswith(".")


@pytest.mark.parametrize(
    ("assignment", "sentence"),
    [
        ("training.steps", "--set training.steps: must look like a.b=c"),
        ("training..steps=1", "must look like a.b=c"),
        ("name.first=1", "--set name: stands on a value"),
        ("training.stepz=1", "training.stepz: is an unknown key; did you mean 'steps'."),
        ("training.steps=[1", "--set training.steps: is not YAML"),
    ],
)
def test_mistakes_in_set_name_the_option(tmp_path: Path, assignment: str, sentence: str) -> None:
    source = write(tmp_path, "name: one")
    with pytest.raises(UserError) as caught:
        config_file.load(source, [assignment])
    assert sentence in str(caught.value).replace(f" in {source}", "")


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("nowhere.yaml", "nowhere.yaml: there is no such config file"),
        ("digit", "digit: is neither a config file nor a recipe; did you mean 'digits'."),
    ],
)
def test_missing_configs_are_told(source: str, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        config_file.load(source)


def test_a_config_that_is_not_text_is_told(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="cannot be read"):
        config_file.load(str(path))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: st.dictionaries(st.text(max_size=8), inner, max_size=3),
        max_leaves=6,
    )
)
def test_whatever_stands_in_a_config_is_accepted_or_told(values: object) -> None:
    try:
        config_file.resolve({"data": values})
    except UserError as error:
        assert "\n" not in str(error)


def test_a_config_is_frozen_and_equal_sections_give_equal_text() -> None:
    config = RunConfig()
    with pytest.raises(ValidationError):
        config.seed = 1  # type: ignore[misc]
    assert config.canonical_json() == RunConfig.model_validate(config.model_dump(mode="json")).canonical_json()


def test_the_documentation_has_every_key_with_its_default() -> None:
    text = (Path(__file__).parents[1] / "docs" / "configuration.md").read_text("utf-8")
    rows = dict(re.findall(r"^\| `([a-z_.]+)` \| (.+?) \|", text, flags=re.MULTILINE))
    documented = {key: yaml.safe_load(value.strip("`")) for key, value in rows.items()}
    assert documented.pop("strategies") == [
        {"name": strategy.name, "options": strategy.options} if strategy.options else strategy.name
        for strategy in RunConfig().strategies
    ]
    assert documented.pop("data.profile") is None
    config = yaml.safe_load(config_file.dump(RunConfig()))
    del config["strategies"]
    del config["data"]["profile"]
    assert documented == dict(_leaves(config, documented))


def _leaves(section: dict[str, Any], known: Collection[str], above: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in section.items():
        path = above + key
        if isinstance(value, dict) and path not in known:
            yield from _leaves(value, known, path + ".")
        else:
            yield path, value
