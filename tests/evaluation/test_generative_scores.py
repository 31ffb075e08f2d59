"""Scores over all and per class: equal to the measures on the same rows, null where there are too few, biases said."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evenhand.evaluation.generative_scores import Features, GenerativeScores, ScoreSettings, generative_scores
from evenhand.evaluation.image_quality import frechet_distance, inception_score, kernel_distance, prdc

NAMES = ("circle", "square", "star")
MEASURES = ("fid", "kid", "inception_score", "precision", "recall", "density", "coverage")


def side(
    seed: int, counts: tuple[int, ...], *, shift: float = 0.0, extractor: str = "cnn-1", width: int = 4
) -> Features:
    """`counts[c]` images of class c, whose features lie around (c, c, ...)."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(counts)), counts)
    values = (rng.normal(size=(len(labels), width)) + labels[:, None] + shift).astype(np.float32)
    return Features(values, labels, extractor, rng.dirichlet(np.ones(3), len(labels)).astype(np.float32))


def test_equal_numbers_are_scored_as_they_are_over_all_and_per_class() -> None:
    real, synthetic = side(1, (40, 60, 20)), side(2, (40, 60, 20), shift=0.3)
    found = generative_scores(real, synthetic, NAMES)
    parts = [(found.overall, slice(None))]
    parts += [(scores, real.labels == label) for label, (_, scores) in enumerate(found.per_class)]
    assert [name for name, _ in found.per_class] == list(NAMES)
    for scores, rows in parts:
        x, y = real.values[rows], synthetic.values[rows]
        assert scores.num_real == scores.num_synthetic == scores.num_compared == scores.num_neighbour_images == len(x)
        assert scores.fid == frechet_distance(x, y)
        assert scores.kid == kernel_distance(x, y, num_subsets=1, subset_size=len(x))
        neighbours = {name: getattr(scores, name) for name in ("precision", "recall", "density", "coverage")}
        assert neighbours == prdc(x, y, k=5)
        assert synthetic.probabilities is not None
        assert scores.inception_score == pytest.approx(
            inception_score(synthetic.probabilities[rows], num_splits=1)[0], rel=1e-6
        )


def test_of_the_larger_side_as_many_are_drawn_as_the_smaller_has() -> None:
    real, synthetic = side(1, (500,)), side(2, (60,))
    found = generative_scores(real, synthetic, ("one",)).overall
    assert (found.num_real, found.num_synthetic, found.num_compared, found.num_neighbour_images) == (500, 60, 60, 60)
    # The real side's draw is all that chance has to do with: of the whole side the distance would be another.
    assert found.fid != frechet_distance(real.values, synthetic.values)
    assert found == generative_scores(real, synthetic, ("one",)).overall
    again = generative_scores(real, synthetic, ("one",), settings=ScoreSettings(seed=1)).overall
    assert again.fid != found.fid
    assert again.fid == pytest.approx(found.fid, rel=1.5)
    assert any("drawn from 500 real and 60 synthetic" in warning for warning in found.warnings)


def test_equal_numbers_take_away_the_bias_of_unequal_ones() -> None:
    # Both sides are of one law, so that the distance of 50 images in 16 features comes from their number alone.
    few = generative_scores(side(1, (50,), width=16), side(2, (50,), width=16), ("one",)).overall
    more = generative_scores(side(1, (5000,), width=16), side(2, (50,), width=16), ("one",)).overall
    assert few.fid is not None and more.fid is not None
    assert more.fid == pytest.approx(few.fid, rel=0.5)
    assert frechet_distance(side(1, (5000,), width=16).values, side(2, (50,), width=16).values) < 0.8 * more.fid


def test_neighbours_are_counted_over_at_most_so_many_images_and_that_is_said() -> None:
    found = generative_scores(
        side(1, (300,)), side(2, (300,)), ("one",), settings=ScoreSettings(most_neighbour_images=100, neighbours=3)
    )
    assert (found.overall.num_compared, found.overall.num_neighbour_images) == (300, 100)
    assert any("are of 100 images a side drawn from 300" in warning for warning in found.overall.warnings)
    assert found.to_dict()["most_neighbour_images"] == 100
    assert found.to_dict()["neighbours"] == 3


@pytest.mark.parametrize(
    ("counts", "absent", "words"),
    [
        ((0, 9), set(MEASURES) - {"inception_score"}, "0 real and 9 synthetic images: a distance needs two real ones"),
        ((9, 0), set(MEASURES), "9 real and 0 synthetic images: a distance needs two synthetic ones"),
        ((1, 9), set(MEASURES) - {"inception_score"}, "1 real and 9 synthetic"),
        ((5, 9), {"precision", "recall", "density", "coverage"}, "need more than 5 images a side, and there are 5"),
        ((6, 9), set(), "biased upwards"),
    ],
)
def test_too_few_images_give_null_and_a_sentence(counts: tuple[int, int], absent: set[str], words: str) -> None:
    found = generative_scores(side(1, (20, counts[0])), side(2, (20, counts[1])), ("full", "rare"))
    name, scores = found.per_class[1]
    assert name == "rare"
    assert {measure for measure in MEASURES if getattr(scores, measure) is None} == absent
    assert any(words in warning for warning in scores.warnings)
    row = json.loads(json.dumps(found.to_dict(), allow_nan=False))["per_class"][1]
    assert row["class"] == "rare"
    assert {measure for measure in MEASURES if row[measure] is None} == absent


def test_no_images_at_all_on_one_side_is_an_answer_too() -> None:
    found = generative_scores(side(1, (20,)), side(2, (0,)), ("one",))
    assert found.overall.fid is None
    json.dumps(found.to_dict(), allow_nan=False)


def test_without_probabilities_there_is_no_inception_score() -> None:
    real, synthetic = (dataclasses.replace(side(seed, (20,)), probabilities=None) for seed in (1, 2))
    found = generative_scores(real, synthetic, ("one",)).to_dict()
    assert found["inception_score"] is None and found["inception_score_std"] is None


def test_the_inception_score_does_not_depend_on_the_order_of_classes() -> None:
    # 2,000 images in four parts: were these consecutive rows, each would hold one class and score 1.
    labels = np.repeat(np.arange(4), 500)
    values = np.random.default_rng(0).normal(size=(2000, 3))
    sharp = Features(values, labels, "cnn-1", np.eye(4)[labels])
    found = generative_scores(sharp, sharp, ("a", "b", "c", "d"))
    assert found.overall.inception_score == pytest.approx(4.0, rel=0.01)
    assert found.per_class[2][1].inception_score == pytest.approx(1.0)


def test_bias_is_said_in_words() -> None:
    said = generative_scores(side(1, (30, 30), width=64), side(2, (30, 30), width=64), ("a", "b")).overall.warnings
    assert any("biased upwards (under 2,000)" in warning for warning in said)
    assert any("in 64 features knows no full covariance" in warning for warning in said)
    assert any("in 2 of 2 classes" in warning and "(a and b)" in warning for warning in said)
    enough = generative_scores(side(1, (2000,)), side(2, (2000,)), ("one",))
    assert enough.overall.warnings == ()


def test_other_shares_of_classes_are_said() -> None:
    mixed = generative_scores(side(1, (90, 10)), side(2, (50, 50)), ("a", "b")).overall.warnings
    assert any("they differ by 40%" in warning for warning in mixed)
    alike = generative_scores(side(1, (90, 10)), side(2, (45, 5)), ("a", "b")).overall.warnings
    assert not any("shares" in warning for warning in alike)


def test_images_of_a_class_that_one_side_lacks_count_over_all_alone() -> None:
    real, synthetic = side(1, (20, 20)), side(2, (20, 20))
    one_sided = dataclasses.replace(synthetic, labels=np.where(synthetic.labels == 1, -1, 0))
    found = generative_scores(dataclasses.replace(real, labels=np.where(real.labels == 1, -1, 0)), one_sided, ("a",))
    assert found.overall.num_real == found.overall.num_synthetic == 40
    assert [scores.num_real for _, scores in found.per_class] == [20]
    assert generative_scores(real, synthetic, ("a", "b")).overall.fid == found.overall.fid


def test_what_cannot_be_compared_is_refused() -> None:
    real, synthetic = side(1, (20,)), side(2, (20,))
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"extractor": "cnn-2"}, "different extractors: cnn-1 and cnn-2"),
        ({"values": synthetic.values[:, :2]}, "expected features"),
        ({"labels": synthetic.labels[:3]}, "expected labels"),
        ({"labels": synthetic.labels + 1}, "labels must be in"),
        ({"values": np.full_like(synthetic.values, np.nan)}, "finite"),
    ]
    for changes, message in wrong:
        with pytest.raises(ValueError, match=message):
            generative_scores(real, dataclasses.replace(synthetic, **changes), ("one",))


def test_results_of_other_extractors_sizes_or_settings_are_not_comparable() -> None:
    def scored(extractor: str = "cnn-1", **settings: Any) -> GenerativeScores:
        pair = (side(seed, (20,), extractor=extractor) for seed in (1, 2))
        return generative_scores(*pair, ("one",), images="8 x 8 pixels", **settings)

    assert scored().is_comparable(scored())
    assert not scored().is_comparable(scored("cnn-2"))
    assert not scored().is_comparable(dataclasses.replace(scored(), images="9 x 9 pixels"))
    assert not scored().is_comparable(scored(settings=ScoreSettings(neighbours=3)))


@settings(max_examples=40, deadline=None)
@given(
    counts=st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), min_size=1, max_size=4),
    width=st.integers(1, 6),
    constant=st.booleans(),
)
def test_whatever_the_counts_the_result_is_json_in_range(
    counts: list[tuple[int, int]], width: int, constant: bool
) -> None:
    real, synthetic = (side(i, tuple(pair[i] for pair in counts), width=width) for i in (0, 1))
    if constant:
        synthetic = dataclasses.replace(synthetic, values=np.ones_like(synthetic.values))
    found = generative_scores(real, synthetic, [str(label) for label in range(len(counts))])
    rows = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    for row, (num_real, num_synthetic) in zip(rows["per_class"], counts, strict=True):
        assert (row["num_real"], row["num_synthetic"]) == (num_real, num_synthetic)
        assert row["num_compared"] <= min(num_real, num_synthetic)
        for measure in ("precision", "recall", "coverage"):
            assert row[measure] is None or 0 <= row[measure] <= 1
        assert row["fid"] is None or row["fid"] >= 0
        assert row["inception_score"] is None or 1 - 1e-6 <= row["inception_score"] <= 3 + 1e-6
