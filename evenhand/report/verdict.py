"""What a run says about synthetic images, in words that its numbers carry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from evenhand.report import audit
from evenhand.report.card_layout import part
from evenhand.report.comparison_part import ComparisonPart
from evenhand.report.part import Verdict
from evenhand.report.result import Result

MINIMUM_SEEDS = 5
"""With fewer seeds a verdict speaks of the models trained, not of the method."""

FALSE_ALARMS = {450: 0.27, 10_000: 0.85}
"""How often `helped` or `hurt` was said with one seed of a strategy against another seed of the same one, by the number
of test images: the demo's long tail of digits, by `python -m benchmarks.verdicts` (docs/statistics.md)."""

CLASS_FALSE_ALARMS = {450: 0.21, 10_000: 0.98}
"""How often any class was said to have been helped, in the same trials."""

_VERSUS = ("matched", "best_remedy", "baseline")


@dataclass(frozen=True)
class Judgement:
    """The synthetic strategy that the verdict is about, and against what.

    Attributes:
      strategy: its name.
      main: the comparison that decides: against the matched arm, else the best remedy, else the baseline.
      others: the remaining comparisons, in that order.
    """

    strategy: str
    main: ComparisonPart
    others: tuple[ComparisonPart, ...]

    @property
    def verdict(self) -> Verdict:
        """Of the deciding comparison."""
        return self.main.verdict

    @property
    def unbeaten_remedy(self) -> ComparisonPart | None:
        """The comparison with the best remedy, where the strategy is not clearly better than it."""
        return next((c for c in self.others if c.versus == "best_remedy" and c.verdict != "helped"), None)


def judge(result: Result) -> Judgement | None:
    """Picks the synthetic strategy that did best on validation.

    Without a validation split it is the one that the config selected, else the first: never one chosen on test.

    Args:
      result: a result with its comparison; its `verdict` is not read.

    Returns:
      The judgement; None if no strategy uses synthetic images, controls aside.
    """
    synthetic = {name: s for name, s in result.strategies.items() if s.uses_synthetic and not s.added}
    if not synthetic:
        return None
    scores = {
        name: strategy.validation.balanced_accuracy
        for name, strategy in synthetic.items()
        if strategy.validation is not None
    }
    if len(scores) == len(synthetic):
        strategy = max(scores, key=lambda name: scores[name])
    else:
        strategy = result.selected if result.selected in synthetic else next(iter(synthetic))
    found = [c for versus in _VERSUS for c in result.comparison if c.strategy == strategy and c.versus == versus]
    return Judgement(strategy, found[0], tuple(found[1:]))


def leak(result: Result) -> str | None:
    """Why nothing can be said of the judged strategy: test images among what it learnt from; None where none are."""
    return None if result.audit is None or judge(result) is None else audit.leak(result.audit)


def headline(result: Result) -> str:
    """The verdict in a few words; what the audit for copies found against it stands there too."""
    words, copied = leak(result) or _change_in_words(result), _too_many_copies(result)
    return f"{words}; {copied}" if copied else words


def _too_many_copies(result: Result) -> str | None:
    if result.audit is None or judge(result) is None:
        return None
    # A result gets its config last, and may be of a config without the key.
    return audit.too_many_copies(result.audit, part(result.config, "synthetic").get("max_copy_share"))


def _change_in_words(result: Result) -> str:
    judgement = judge(result)
    if judgement is None:
        only_controls = any(strategy.uses_synthetic for strategy in result.strategies.values())
        return "Only controls used synthetic images" if only_controls else "No synthetic images were used"
    words = {
        "helped": "Synthetic images helped",
        "hurt": "Synthetic images hurt",
        "no evidence": "No evidence that synthetic images helped",
    }[judgement.verdict]
    remedy = judgement.unbeaten_remedy
    if judgement.verdict == "helped" and remedy is not None:
        cheaper = "did better" if remedy.verdict == "hurt" else "may do as well"
        words += f", but a remedy without them {cheaper}"
    return words


def tone(result: Result) -> str:
    """The verdict's colour: `helped`, `hurt`, `none`, `leaked` where test images were learnt from.

    `mixed` where synthetic images helped, but a remedy without them keeps up or too many of them are copies.
    """
    judgement = judge(result)
    if leak(result):
        return "leaked"
    if judgement is None or judgement.verdict == "no evidence":
        return "none"
    has_caveat = judgement.unbeaten_remedy is not None or _too_many_copies(result) is not None
    return "mixed" if judgement.verdict == "helped" and has_caveat else judgement.verdict


def verdict(result: Result) -> str:
    """One sentence: what synthetic images changed, against what, how sure that is, and what it cannot say.

    Args:
      result: a result with its comparison and, for the share of copies that was allowed, its config; its `verdict` is
        not read.
    """
    judgement = judge(result)
    if judgement is None:
        score = result.strategies[result.selected].test.balanced_accuracy
        return (
            f"{headline(result)}, so nothing is said about them; {result.selected} was selected, with a balanced "
            f"accuracy of {percent(score)} on the test images."
        )
    if leak(result):
        return f"{headline(result)}: whether {judgement.strategy} is any better for synthetic images cannot be told."
    score = result.strategies[judgement.strategy].test.balanced_accuracy
    against = [_against(comparison) for comparison in (judgement.main, *judgement.others)]
    # The first interval says what kind of interval all of them are.
    against[0] = against[0].replace("(", f"({100 * result.confidence:g}% interval ", 1)
    changes = against[0] if len(against) == 1 else ", ".join(against[:-1]) + ", and " + against[-1]
    return (
        f"{headline(result)}: {judgement.strategy} reached a balanced accuracy of {percent(score)} on the test images, "
        f"{changes}; {scope(result)}."
    )


def percent(share: float, digits: int = 1) -> str:
    """A share in per cent, e.g. `91.4%`."""
    return f"{100 * share:.{digits}f}%"


def points(change: float, digits: int = 1) -> str:
    """A change of a share in points with its sign, e.g. `+3.1`."""
    text = f"{100 * change:+.{digits}f}"
    return text[1:] if float(text) == 0 else text.replace("-", "\N{MINUS SIGN}")


def _against(comparison: ComparisonPart) -> str:
    reference = {
        "matched": f"the same training on real images alone ({comparison.versus_name})",
        "baseline": comparison.versus_name,
        "best_remedy": f"the best remedy without synthetic images, {comparison.versus_name}",
    }[comparison.versus]
    interval = f"{points(comparison.low)} to {points(comparison.high)}"
    chosen = " (chosen on the test images, for want of validation images)" if comparison.chosen_on == "test" else ""
    return f"{points(comparison.balanced_accuracy_change)} points ({interval}) against {reference}{chosen}"


def scope(result: Result) -> str:
    """Whether the verdict is about this model or about the method, by the number of seeds."""
    seeds = result.num_seeds
    if seeds == 1:
        return (
            "with one seed this speaks of this model, not of the method: in our trials (small CNNs, a long tail of "
            f"digits) one strategy against itself with another seed was said to help or hurt {_rates(FALSE_ALARMS)}"
        )
    if seeds < MINIMUM_SEEDS:
        return f"with {seeds} seeds this speaks of these models, not of the method (that takes {MINIMUM_SEEDS} or more)"
    generator = "" if result.generator is None else " with this one generator, whose training has one seed"
    return f"over {seeds} seeds, so that it speaks of the method on these data{generator}"


def class_scope(result: Result) -> str | None:
    """What a single class's verdict cannot say with one seed; None with several."""
    if result.num_seeds > 1:
        return None
    return (
        "another seed of the same strategy may change single classes as well: in the same trials some class was said "
        f"to have been helped {_rates(CLASS_FALSE_ALARMS)}"
    )


def _rates(alarms: Mapping[int, float]) -> str:
    few, many = alarms
    return f"in {percent(alarms[few], 0)} of cases on {few} test images, and in {percent(alarms[many], 0)} on {many:,}"


def label_control(result: Result) -> str | None:
    """What the classes of its synthetic images teach the judged strategy, in words; None without the control.

    The control is the same training with shuffled labels on the synthetic images: a strategy that is no better than
    that learnt nothing from their classes.
    """
    judgement = judge(result)
    found = [c for c in result.label_controls if judgement is not None and c.strategy == judgement.strategy]
    if not found:
        return None
    control = found[0]
    meaning = {
        "helped": "their classes taught it something",
        "hurt": "it does better without their classes",
        "no evidence": "there is no evidence that their classes matter",
    }[control.verdict]
    return (
        f"against the same training with shuffled labels on its synthetic images ({control.versus_name}) it changes by "
        f"{points(control.balanced_accuracy_change)} points ({points(control.low)} to {points(control.high)}), so that "
        f"{meaning}"
    )
