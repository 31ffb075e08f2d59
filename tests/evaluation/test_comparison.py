"""Paired tests against scipy and hand-worked values; verdicts on planted truths."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from evenhand.evaluation.comparison import compare, compare_weighted, holm, mcnemar, sign_flip
from evenhand.evaluation.needed_images import needed_images


def test_mcnemar_of_a_worked_example() -> None:
    # 8 images only a gets right, 1 only b: 2 (C(9,0) + C(9,1)) / 2^9 = 20 / 512.
    a = np.array([1] * 8 + [0] + [1] * 5 + [0] * 3, bool)
    b = np.array([0] * 8 + [1] + [1] * 5 + [0] * 3, bool)
    assert mcnemar(a, b) == pytest.approx(20 / 512)
    assert mcnemar(a, a) == 1.0


def test_mcnemar_refuses_arrays_of_two_lengths() -> None:
    with pytest.raises(ValueError, match="one length"):
        mcnemar([True], [True, False])


def test_holm_of_a_worked_example() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.9]) == pytest.approx([1.0, 1.0])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_holm_never_lowers_keeps_the_order_and_stops_below_bonferroni(p: list[float]) -> None:
    adjusted = holm(p)
    assert (adjusted >= np.array(p)).all()
    assert (adjusted <= np.minimum(1, np.array(p) * len(p)) + 1e-12).all() or adjusted.max() <= 1
    assert (np.diff(adjusted[np.argsort(p, kind="stable")]) >= 0).all()


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60))
def test_sign_flip_of_one_seed_is_mcnemar(pairs: list[tuple[bool, bool]]) -> None:
    a, b = np.array(pairs).T
    assert sign_flip(a.astype(int) - b) == pytest.approx(mcnemar(a, b))


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=9))
def test_sign_flip_counts_every_pattern(values: list[int]) -> None:
    sums = [
        abs(sum(s * v for s, v in zip(signs, values, strict=True)))
        for signs in itertools.product((-1, 1), repeat=len(values))
    ]
    assert sign_flip(values) == pytest.approx(np.mean(np.array(sums) >= abs(sum(values))))


def planted(
    change: float, num_images: int, seed: int = 0, num_seeds: int = 1
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = np.repeat([0, 1, 2], num_images)
    hardness = rng.random(len(labels))

    def predict(recall: float) -> np.ndarray:
        right = hardness + rng.normal(0, 0.05, (num_seeds, len(labels))) < recall
        return np.where(right, labels, (labels + 1) % 3)

    return labels, predict(0.7 + change), predict(0.7)


@pytest.mark.parametrize(("change", "verdict"), [(0.2, "helped"), (-0.2, "hurt")])
def test_a_large_change_is_seen_in_all_and_in_each_class(change: float, verdict: str) -> None:
    comparison = compare(*planted(change, 200), ["a", "b", "c"])
    assert comparison.verdict == verdict
    assert comparison.low <= comparison.balanced_accuracy_change <= comparison.high
    assert comparison.balanced_accuracy_change == pytest.approx(change, abs=0.06)
    assert [row.verdict for row in comparison.per_class] == [verdict] * 3
    assert holm([row.p_raw for row in comparison.per_class]) == pytest.approx([row.p for row in comparison.per_class])


def test_the_same_predictions_are_no_evidence() -> None:
    labels, a, _ = planted(0.0, 50)
    comparison = compare(labels, a, a, ["a", "b", "c"])
    assert comparison.balanced_accuracy_change == 0
    assert -0.05 < comparison.low < 0 < comparison.high < 0.05
    assert comparison.verdict == "no evidence"
    assert all(row.p == 1 and row.low < 0 < row.high for row in comparison.per_class)


def test_a_few_unanimous_images_are_no_evidence() -> None:
    labels = np.repeat(np.arange(4), 4)
    changed = np.where(labels == 3, 0, labels)
    comparison = compare(labels, changed, labels, list("abcd"))
    assert comparison.balanced_accuracy_change == -0.25
    assert comparison.low < -0.25 < 0 <= comparison.high
    assert comparison.verdict == "no evidence"


def test_no_ranking_is_drawn_from_few_test_images() -> None:
    labels = np.repeat([0, 1], [9, 40])
    comparison = compare(labels, labels, 1 - labels, ["few", "many"])
    few, many = comparison.per_class
    assert (few.verdict, many.verdict) == ("no evidence", "helped")
    assert few.p < 0.05
    assert few.reason == "only 9 test images, too few to rank"


def test_classes_too_small_to_rank_do_not_hide_the_others() -> None:
    # 8 of 40 images gained and none lost: p = 2 / 2^8 = 1/128. Corrected for all 22 classes it would be 0.17.
    labels = np.repeat(np.arange(22), [40, 40, 9, *[3] * 19])
    reference = labels.copy()
    reference[:8] = 1
    reference[labels == 2] = 0
    gained, same, tiny, *_ = compare(labels, labels, reference, [f"class {k}" for k in range(22)]).per_class
    assert (gained.p_raw, gained.p, gained.verdict) == (pytest.approx(1 / 128), pytest.approx(2 / 128), "helped")
    assert (same.p, same.verdict) == (1.0, "no evidence")
    assert tiny.p == tiny.p_raw == pytest.approx(2 / 2**9)
    assert (tiny.verdict, tiny.reason) == ("no evidence", "only 9 test images, too few to rank")
    assert gained.needed_images == needed_images(8 / 40, confidence=1 - 0.05 / 2)
    assert tiny.needed_images == needed_images(1.0, confidence=1 - 0.05 / 3)


def test_where_no_class_can_be_ranked_none_is() -> None:
    comparison = compare(np.repeat([0, 1], 9), np.repeat([0, 1], 9), np.repeat([1, 0], 9), ["a", "b"])
    assert [(row.p, row.verdict) for row in comparison.per_class] == [(2 / 2**9, "no evidence")] * 2
    assert comparison.per_class[0].needed_images == needed_images(1.0)


@pytest.mark.parametrize("seeds", [1, 2, 5])
@pytest.mark.parametrize("images", [1, 2, 3, 9])
def test_a_few_images_of_one_class_decide_nothing(seeds: int, images: int) -> None:
    labels = np.repeat([0, 1, 2], [100, 60, images])
    reference = np.tile(np.where(labels == 2, 0, labels), (seeds, 1))
    found = compare(labels, np.tile(labels, (seeds, 1)), reference, ["a", "b", "c"])
    group = compare_weighted(labels, np.tile(labels, (seeds, 1)), reference, [0.0, 0.0, 1.0])
    assert group is not None and group.change == 1.0
    assert group.verdict == "no evidence"
    assert found.per_class[2].verdict == "no evidence"
    if images == 1:
        assert found.verdict == "no evidence"
        assert found.low < 0


@pytest.mark.parametrize("seeds", [2, 5])
@pytest.mark.parametrize("images", [1, 3, 5])
def test_seeds_that_agree_on_a_small_class_cover_no_change(seeds: int, images: int) -> None:
    rng = np.random.default_rng(0)
    held, trials = 0, 200
    for _ in range(trials):
        labels = np.repeat([0, 1], [60, images])
        differs, gains = rng.random(len(labels)) < 0.3, rng.random(len(labels)) < 0.5
        strategy = np.where(differs & gains, 1 - labels, labels)
        reference = np.where(differs & ~gains, 1 - labels, labels)
        change = compare_weighted(labels, np.tile(strategy, (seeds, 1)), np.tile(reference, (seeds, 1)), [1.0, 1.0])
        assert change is not None
        held += change.low <= 0 <= change.high
    assert held >= stats.binom.ppf(0.001, trials, 0.93)


def test_a_class_without_test_images_has_no_change() -> None:
    comparison = compare([0] * 20, [0] * 20, [1] * 20, ["a", "b"])
    assert comparison.per_class[1].change is None
    assert comparison.balanced_accuracy_change == 1.0


def test_the_interval_of_one_class_is_the_paired_bootstrap() -> None:
    labels, a, b = planted(0.1, 100)
    rows = labels == 0
    ours = compare(np.zeros(100, int), np.where(a[0][rows] == 0, 0, 1), np.where(b[0][rows] == 0, 0, 1), ["a"])
    differences = (a[0][rows] == 0).astype(float) - (b[0][rows] == 0)
    theirs = stats.bootstrap(
        (differences,), np.mean, n_resamples=20_000, method="percentile", rng=1
    ).confidence_interval
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.011)


def test_chance_rarely_helps_over_five_seeds() -> None:
    helped = 0
    for trial in range(100):
        rng = np.random.default_rng(trial)
        labels = np.repeat(np.arange(5), 40)
        ease = rng.beta(4, 1, len(labels))

        def predict(rng: np.random.Generator = rng, ease: np.ndarray = ease, labels: np.ndarray = labels) -> np.ndarray:
            moved = ease + rng.normal(0, 0.03, (5, 1)) + rng.normal(0, 0.02, (5, 5))[:, labels]
            return np.where(rng.random((5, len(labels))) < moved, labels, (labels + 1) % 5)

        comparison = compare(labels, predict(), predict(), list("abcde"), num_resamples=1000)
        helped += comparison.verdict == "helped" or any(row.verdict == "helped" for row in comparison.per_class)
    assert helped <= 8


def test_several_seeds_that_agree_are_evidence_and_seeds_that_do_not_are_none() -> None:
    assert compare(*planted(0.2, 200, num_seeds=5), ["a", "b", "c"]).per_class[0].verdict == "helped"
    labels = np.zeros(40, int)
    lucky = np.zeros((2, 40), int)
    lucky[1, :] = 1  # one seed gains every image, the other loses none
    comparison = compare(labels, np.zeros((2, 40), int), lucky, ["a", "b"])
    assert sign_flip((np.zeros((2, 40), int) == labels).astype(int).sum(axis=0) - (lucky == labels).sum(axis=0)) < 0.05
    assert comparison.per_class[0].p > 0.05
    assert comparison.per_class[0].verdict == "no evidence"
    assert comparison.verdict == "no evidence"


def test_equal_seeds_give_equal_intervals() -> None:
    case = planted(0.1, 60)
    assert compare(*case, ["a", "b", "c"], seed=3) == compare(*case, ["a", "b", "c"], seed=3)


@pytest.mark.parametrize(
    ("labels", "a", "b"), [([0, 1], [[0, 1]], [[0, 1], [0, 1]]), ([0, 5], [0, 1], [0, 1]), ([], [], [])]
)
def test_refuses_what_does_not_fit(labels: list[int], a: list, b: list) -> None:
    with pytest.raises(ValueError, match="expected labels|must be in"):
        compare(labels, a, b, ["a", "b"])
