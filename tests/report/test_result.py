"""`result.json`: the contract's keys, the documented schema, and what a wrong file says."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest

from evenhand.errors import UserError
from evenhand.report import result as result_module
from evenhand.report.collect import Evidence, build_result
from evenhand.report.result import Result, schema

SCHEMA = Path(result_module.__file__).with_name("result.schema.json")


@pytest.fixture(scope="module")
def result(make_evidence: Callable[..., Evidence]) -> Result:
    return build_result(make_evidence()).completed("demo", {"seed": 0}, {"evenhand": "0.1.0"}, {"Trainer": 1.5})


def test_the_schema_file_is_that_of_the_code() -> None:
    assert json.loads(SCHEMA.read_text(encoding="utf-8")) == schema()


def test_every_field_is_documented() -> None:
    for name, part in schema()["$defs"].items():
        assert all("description" in field for field in part["properties"].values()), name


def test_the_file_fits_the_schema_and_has_the_keys_of_the_contract(result: Result) -> None:
    entry = json.loads(result.to_json())
    jsonschema.validate(entry, json.loads(SCHEMA.read_text(encoding="utf-8")))
    assert entry["schema_version"] == 1
    assert set(entry) >= {
        "name", "config", "versions", "seconds", "data", "generator", "strategies", "comparison", "selected", "verdict",
    }  # fmt: skip
    assert entry["data"]["classes"][9] == {
        "name": "digit 9",
        "train": 3,
        "validation": 4,
        "test": 45,
        "synthetic": 1000,
    }
    strategy = entry["strategies"]["baseline"]
    assert set(strategy) >= {"test", "validation", "steps", "blessed", "phases", "repeats"}
    assert set(strategy["test"]["per_class"][0]) >= {
        "class", "support", "recall", "recall_low", "recall_high", "precision", "f1",
    }  # fmt: skip
    assert set(strategy["repeats"][0]) == {"seed", "test", "validation"}
    comparison = entry["comparison"][0]
    assert set(comparison) >= {
        "strategy",
        "versus",
        "versus_name",
        "balanced_accuracy_change",
        "low",
        "high",
        "per_class",
    }
    assert set(comparison["per_class"][0]) >= {"class", "change", "p", "p_raw", "verdict"}


def test_load_takes_the_folder_or_the_file_and_gives_back_what_was_written(result: Result, tmp_path: Path) -> None:
    (tmp_path / "result.json").write_text(result.to_json(), encoding="utf-8")
    assert Result.load(tmp_path) == result
    assert Result.load(str(tmp_path / "result.json")) == result


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (None, "no result to read"),
        ("{", "not a result"),
        ('{"schema_version": 2}', "schema_version"),
        ("[]", "not a result"),
    ],
)
def test_a_wrong_file_is_named(text: str | None, problem: str, tmp_path: Path) -> None:
    if text is not None:
        (tmp_path / "result.json").write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=problem) as error:
        Result.load(tmp_path)
    assert str(tmp_path / "result.json") in str(error.value)
    assert "\n" not in str(error.value)
