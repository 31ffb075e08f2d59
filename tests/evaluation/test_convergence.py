"""When the baseline's best validation score is first reached."""

from __future__ import annotations

from evenhand.evaluation.convergence import convergence


def rows(name: str, *values: float) -> list[dict[str, float]]:
    return [{"step": 10.0 * (k + 1), "loss": 1.0, name: value} for k, value in enumerate(values)]


def test_the_first_step_that_is_as_good() -> None:
    baseline = rows("validation_loss", 0.9, 0.5, 0.6)
    found = convergence(rows("validation_loss", 0.7, 0.4, 0.3), baseline, epochs_per_step=0.25)
    assert (found.score, found.target, found.steps, found.epochs, found.reason) == (
        "validation_loss",
        0.5,
        20,
        5.0,
        None,
    )
    assert convergence(baseline, baseline).steps == 20


def test_more_is_better_for_accuracy_which_comes_before_the_loss() -> None:
    both = [
        {**a, **b} for a, b in zip(rows("validation_loss", 3, 2), rows("validation_accuracy", 0.8, 0.6), strict=True)
    ]
    found = convergence(both, rows("validation_accuracy", 0.5, 0.7) + rows("validation_loss", 0.1))
    assert (found.score, found.target, found.steps) == ("validation_accuracy", 0.7, 10)


def test_what_is_not_known_has_a_reason() -> None:
    never = convergence(rows("validation_loss", 0.9), rows("validation_loss", 0.5))
    assert never.steps is None and never.target == 0.5 and "never reached" in never.reason
    for history in ([], rows("validation_loss", float("nan"))):
        unknown = convergence(history, rows("validation_loss", 0.5))
        assert (unknown.score, unknown.steps) == (None, None)
        assert unknown.reason == "it logs no validation scores"
    assert convergence([], []).reason == "there is no validation split to log scores on"
