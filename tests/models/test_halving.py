"""Successive halving: a hand-worked search, and what holds for every field and every clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evenhand.models.search.halving import LATE, Halving, Limits, Train, Trial, halve, num_rounds


def by_score(scores: Mapping[str, float]) -> tuple[Sequence[str], int]:
    """The highest score first; nobody ties."""
    return sorted(scores, key=lambda name: -scores[name]), 1


def trainer(
    rates: Mapping[str, float], scores: Mapping[str, float], calls: list[tuple[str, int]] | None = None
) -> Train[float]:
    """A training that takes `rates` seconds a step, ends when its time is over, and says what it was asked."""

    def train(name: str, steps: int, seconds_left: float) -> Trial[float]:
        if calls is not None:
            calls.append((name, steps))
        seconds = rates[name] * steps
        if seconds > seconds_left:
            return Trial(seconds_left, None, LATE)
        return Trial(seconds, scores[name])

    return train


def test_a_search_worked_by_hand() -> None:
    calls: list[tuple[str, int]] = []
    names = {name: "all" for name in "abcd"}
    train = trainer(dict.fromkeys("abcd", 1.0), {"a": 0.5, "b": 0.8, "c": 0.7, "d": 0.6}, calls)
    found = halve(names, train, by_score, Limits(seconds=430, least_steps=10, full_steps=1000))
    # Probes of 10 and 20 steps leave 400 s, two rounds 200 s each: 50 steps for each of four, 100 for each of two.
    assert calls == [("a", 10), ("a", 20), *((name, 50) for name in "abcd"), ("b", 100), ("c", 100)]
    assert found.standing == ("b",)
    assert dict(found.dropped) == {
        "a": "round 1: place 4 of 4",
        "d": "round 1: place 3 of 4",
        "c": "round 2: place 2 of 2",
    }
    assert found.seconds == 430
    assert [round_.steps for round_ in found.rounds] == [50, 100]


def test_no_trial_has_more_steps_than_the_training_it_is_for() -> None:
    calls: list[tuple[str, int]] = []
    train = trainer({"a": 0.1, "b": 0.1, "c": 0.1}, {"a": 1, "b": 2, "c": 3}, calls)
    found = halve(dict.fromkeys("abc", "all"), train, by_score, Limits(10_000, least_steps=10, full_steps=40))
    # The second round is the first over again: it takes no time.
    assert calls == [("a", 10), ("a", 20), ("a", 40), ("b", 40), ("c", 40)]
    assert found.standing == ("c",)
    assert [round_.steps for round_ in found.rounds] == [40]
    assert found.dropped == {"a": "round 1: place 3 of 3", "b": "round 1: place 2 of 3"}


def test_a_failure_is_no_score() -> None:
    def train(name: str, steps: int, seconds_left: float) -> Trial[float]:
        return Trial(1.0, None, "the loss was not finite") if name == "b" else Trial(1.0, 0.5)

    found = halve({"a": "all", "b": "all"}, train, by_score, Limits(100, least_steps=1, full_steps=10))
    assert found.standing == ("a",)
    assert found.dropped["b"] == "round 1: the loss was not finite"


def test_where_time_ends_amid_the_best_ones_longer_trial_it_still_stands() -> None:
    rates = {"a": 1.0, "b": 1.0, "c": 1.0}

    def train(name: str, steps: int, seconds_left: float) -> Trial[float]:
        # The longer trial is slower than the shorter ones let hope.
        seconds = rates[name] * steps * (1 if steps <= 20 else 9)
        return Trial(min(seconds, seconds_left), None if seconds > seconds_left else 0.5, LATE)

    found = halve(dict.fromkeys("abc", "all"), train, by_score, Limits(150, least_steps=10, full_steps=100))
    assert found.standing == ("a",)


def test_without_time_nothing_is_left() -> None:
    train = trainer({"a": 100.0, "b": 100.0}, {"a": 1.0, "b": 2.0})
    found = halve({"a": "all", "b": "all"}, train, by_score, Limits(5, least_steps=10, full_steps=10))
    assert found.standing == () and found.seconds <= 5
    assert set(found.dropped) == {"a", "b"}


def test_where_time_ends_amid_a_round_no_group_has_more_trials() -> None:
    groups = {"x1": "x", "y1": "y", "x2": "x", "y2": "y"}
    scores = {"x1": 0.1, "y1": 0.1, "x2": 0.9, "y2": 0.9}
    # Probes take 3 s, three trials of 10 steps 30 s; the fourth does not fit any more.
    found = halve(
        groups, trainer(dict.fromkeys(groups, 1.0), scores), by_score, Limits(35, least_steps=10, full_steps=10)
    )
    assert found.standing == ("x1", "y1")
    assert found.dropped == {"x2": "round 1: no time left", "y2": "round 1: no time left"}


def test_a_trial_that_is_late_is_none_for_its_group() -> None:
    groups = {"x1": "x", "y1": "y", "x2": "x", "y2": "y"}
    scores = {"x1": 0.1, "y1": 0.1, "x2": 0.9, "y2": 0.9}
    # The last one is as fast as the others as far as anybody knows, and is stopped.
    rates = {**dict.fromkeys(groups, 1.0), "y2": 1.3}
    found = halve(groups, trainer(rates, scores), by_score, Limits(43, least_steps=10, full_steps=10))
    assert found.standing == ("x2", "y2")
    found = halve(groups, trainer(rates, scores), by_score, Limits(42, least_steps=10, full_steps=10))
    assert found.standing == ("x1", "y1")
    assert found.dropped == {"x2": "round 1: no time left", "y2": f"round 1: {LATE}"}


def test_a_slow_one_keeps_nobody_from_a_trial() -> None:
    calls: list[tuple[str, int]] = []
    rates = {"a": 1.0, "b": 3.0, "c": 1.0, "d": 1.0}
    train = trainer(rates, {"a": 0.1, "b": 0.2, "c": 0.3, "d": 0.4}, calls)
    # Probes take 30 s and leave 260 s: 50 for `a`, 150 for `b`, and enough for one of the others, not for another `b`.
    found = halve(dict.fromkeys(rates, "all"), train, by_score, Limits(340, least_steps=10, full_steps=50, keep=2))
    assert calls[2:] == [(name, 50) for name in "abcd"]
    assert found.standing == ("d", "c") and found.seconds == 330


def test_how_many_are_near_the_best_is_told_of_each_group() -> None:
    def rank(scores: Mapping[str, float]) -> tuple[Sequence[str], int]:
        return by_score(scores)[0], len(scores)

    groups = {"x1": "x", "y1": "y", "x2": "x", "y2": "y"}
    train = trainer(dict.fromkeys(groups, 0.1), {"x1": 0.1, "y1": 0.1, "x2": 0.9, "y2": 0.9})
    found = halve(groups, train, rank, Limits(100, least_steps=10, full_steps=10))
    assert [dict(round_.near_best) for round_ in found.rounds] == [{"x": 2, "y": 2}]


def test_an_empty_field_is_refused() -> None:
    with pytest.raises(ValueError, match="no contestant"):
        halve({}, trainer({}, {}), by_score, Limits(1, 1, 1))


@pytest.mark.parametrize(("contestants", "keep", "rounds"), [(1, 1, 1), (2, 1, 1), (3, 1, 2), (5, 1, 3), (5, 2, 2)])
def test_the_number_of_rounds(contestants: int, keep: int, rounds: int) -> None:
    assert num_rounds(contestants, keep) == rounds


@st.composite
def searches(draw: st.DrawFn) -> tuple[dict[str, str], dict[str, float], dict[str, float], Limits]:
    """A field in one or more groups, how fast each of it trains, how good it is, and limits."""
    names = [f"c{index}" for index in range(draw(st.integers(1, 9)))]
    groups = {name: draw(st.sampled_from("xyz")) for name in names}
    rates = {name: draw(st.floats(0.01, 3.0)) for name in names}
    scores = {name: draw(st.floats(0, 1)) for name in names}
    least = draw(st.integers(1, 20))
    full = draw(st.integers(least, 400))
    return groups, rates, scores, Limits(draw(st.floats(0.5, 2000)), least, full, draw(st.integers(1, 2)))


def _search(search: tuple[dict[str, str], dict[str, float], dict[str, float], Limits], train=None) -> Halving[float]:
    groups, rates, scores, limits = search
    return halve(groups, train or trainer(rates, scores), by_score, limits)


@settings(max_examples=150, deadline=None)
@given(searches())
def test_what_always_holds(search: tuple[dict[str, str], dict[str, float], dict[str, float], Limits]) -> None:
    groups, _, _, limits = search
    found = _search(search)
    assert found.seconds <= limits.seconds + 1e-6
    assert set(found.standing) | set(found.dropped) == set(groups)
    assert not set(found.standing) & set(found.dropped)
    if any(trial.score is not None for round_ in found.rounds for trial in round_.trials.values()):
        assert found.standing or len(set(groups.values())) > 1
    for group in set(groups.values()):
        assert sum(groups[name] == group for name in found.standing) <= limits.keep
    steps = [round_.steps for round_ in found.rounds]
    assert steps == sorted(set(steps)) and all(step <= limits.full_steps for step in steps)
    for before, after in zip(found.rounds, found.rounds[1:], strict=False):
        assert set(after.trials) <= set(before.trials)
    assert found == _search(search)


@settings(max_examples=100, deadline=None)
@given(searches(), st.integers(0, 12))
def test_a_search_that_was_interrupted_ends_as_the_whole_one(
    search: tuple[dict[str, str], dict[str, float], dict[str, float], Limits], done: int
) -> None:
    groups, rates, scores, limits = search
    plain = trainer(rates, scores)
    disk: dict[tuple[str, int], Trial[float]] = {}

    class Killed(Exception):
        """The process ends here."""

    def dies(name: str, steps: int, seconds_left: float) -> Trial[float]:
        if len(disk) == done:
            raise Killed
        disk[name, steps] = plain(name, steps, seconds_left)
        return disk[name, steps]

    def goes_on(name: str, steps: int, seconds_left: float) -> Trial[float]:
        return disk[name, steps] if (name, steps) in disk else plain(name, steps, seconds_left)

    try:
        first = _search(search, dies)
    except Killed:
        first = _search(search, goes_on)
    assert first == _search(search)
