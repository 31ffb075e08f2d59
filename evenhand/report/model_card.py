"""The model card of a run: what was trained, what it reaches, whether synthetic images helped, and its limits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from evenhand.evaluation.comparison import MINIMUM_TEST_IMAGES
from evenhand.report import audit, realism
from evenhand.report.blessing import blessing
from evenhand.report.card_layout import ASKED, FOLDER, Section, document, part, table
from evenhand.report.citations import SCORES
from evenhand.report.markdown import cell
from evenhand.report.result import Result
from evenhand.report.scores_part import SplitResult
from evenhand.report.setting_words import settings_in_words
from evenhand.report.verdict import MINIMUM_SEEDS, judge, leak, percent, points, scope
from evenhand.report.view import role, trained_on, word


def model_card(result: Result) -> str:
    """The model card: model, generator, training, metrics with intervals, verdict, limits, intended use.

    Args:
      result: of the run.
    """
    return document(f"Model card: {cell(result.name)}, {cell(result.selected)}", _model_sections(result))


def _model_sections(result: Result) -> Iterator[Section]:
    yield "Model", list(_model(result))
    if result.generator is not None:
        yield "Generator", list(_generator(result))
    yield "Metrics on the test images", _metrics(result)
    yield "Recall and precision of each class", _per_class(result)
    yield "Do synthetic images help?", list(_verdict(result))
    if result.audit is not None:
        yield "Copies of real images", [f"- {cell(sentence)}" for sentence in audit.sentences(result.audit)]
    if result.realism is not None:
        yield "Human study", [cell(realism.words(result.realism, result.confidence))]
    yield (
        "Intended use",
        [
            f"- Telling {len(result.data.classes)} classes apart in images like those of {cell(result.data.source)}.",
            "- Not for images of another kind, other classes, or a share of the classes that differs much from equal "
            "without looking at the calibration; not for decisions about people without a study of its own.",
            ASKED + "the purpose, its users, and whom errors would harm.*",
        ],
    )
    yield "Limits", list(_limits(result))


def _model(result: Result) -> Iterator[str]:
    classifier, training = part(result.config, "classifier"), part(result.config, "training")
    strategy = result.strategies[result.selected]
    if "name" in classifier:
        weights = classifier.get("weights")
        start = f"weights from {cell(weights)}" if weights else "random initial weights"
        yield f"- Classifier: {cell(classifier['name'])}, {start}."
    found = blessing(result, result.selected)
    yield (
        f"- Strategy: {cell(result.selected)}, trained on {trained_on(strategy)}, chosen without the test images"
        f"{f'; {found}' if found else ''}."
    )
    for number, phase in enumerate(strategy.phases, start=1):
        told = settings_in_words({key: value for key, value in phase.items() if key != "seconds"})
        yield f"- Phase {number}: {cell(told)}."
    budget = settings_in_words(_single(training))
    told = f" ({cell(budget)})" if budget else ""
    yield f"- Budget: {strategy.steps} gradient steps in all, as every network of the run may take{told}."
    yield f"- Seeds: {', '.join(str(repeat.seed) for repeat in strategy.repeats)}."
    if result.seconds:
        hours = sum(result.processor_seconds.values()) / 3600
        time = f"{sum(result.seconds.values()):.0f} s" + (f", {hours:.2f} core-hours" if hours else "")
        yield f"- Time of all stages, every strategy and the generator together: {time}."
    if result.versions:
        yield f"- Software: {', '.join(f'{cell(name)} {cell(number)}' for name, number in result.versions.items())}."


def _single(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Those that are one number or word."""
    return {name: value for name, value in settings.items() if isinstance(value, int | float | str)}


def _learned(generator: str) -> str:
    if generator == FOLDER:
        return "its images were made elsewhere, and nothing here says what from"
    return "trained on the real training images alone"


def _generator(result: Result) -> Iterator[str]:
    assert result.generator is not None, "asked only where there is one"
    config = _single(part(result.config, "generator"))
    # Of images that were made elsewhere, steps and batches say nothing.
    is_trained = result.generator.name != FOLDER
    told = settings_in_words({key: value for key, value in config.items() if key != "name"}) if is_trained else ""
    yield f"- {cell(result.generator.name)}{f': {cell(told)}' if told else ''}; {_learned(result.generator.name)}."
    scores = result.generator.scores or {}
    numbers = {name: scores[name] for name in SCORES if isinstance(scores.get(name), int | float)}
    if numbers:
        told = ", ".join(f"{cell(name)} {value:.4g}" for name, value in numbers.items())
        extractor = cell(scores.get("extractor", "an unnamed extractor"))
        yield f"- Scores on features of {extractor}, which compare with scores on the same features only: {told}."
    else:
        yield "- Its images were not scored."
    for finding in result.generator.findings:
        yield f"- Finding: {cell(finding)}."


def _metrics(result: Result) -> list[str]:
    rows = []
    for name, strategy in result.strategies.items():
        chosen = " (this model)" if name == result.selected else ""
        row = [cell(name) + chosen]
        for measure in ("balanced_accuracy", "worst_class_recall", "macro_f1", "accuracy"):
            row.append(_with_interval(strategy.test, measure))
        rows.append(row)
    level = f"{100 * result.confidence:g}%"
    head = ("strategy", "balanced accuracy", "worst class", "macro F1", "accuracy")
    return [*table(head, rows), "", f"In per cent, with {level} intervals where there are any."]


def _with_interval(test: SplitResult, measure: str) -> str:
    low, high = getattr(test, f"{measure}_low", None), getattr(test, f"{measure}_high", None)
    return _shown(getattr(test, measure), low, high)


def _shown(value: float | None, low: float | None, high: float | None) -> str:
    if value is None:
        return "none"
    ends = "" if low is None or high is None else f" ({100 * low:.1f} to {100 * high:.1f})"
    return f"{100 * value:.1f}{ends}"


def _per_class(result: Result) -> list[str]:
    counts = {c.name: c for c in result.data.classes}
    rows = [
        (
            cell(c.class_),
            counts[c.class_].train,
            c.support,
            _shown(c.recall, c.recall_low, c.recall_high),
            _shown(c.precision, getattr(c, "precision_low", None), getattr(c, "precision_high", None)),
        )
        for c in result.strategies[result.selected].test.per_class
    ]
    return table(("class", "training images", "test images", "recall", "precision"), rows)


def _verdict(result: Result) -> Iterator[str]:
    yield cell(result.verdict)
    judgement = judge(result)
    if judgement is None or leak(result):
        return
    yield ""
    rows = [
        (
            f"{role(c)} ({cell(c.versus_name)}{f', chosen on {c.chosen_on}' if c.chosen_on else ''})",
            points(c.balanced_accuracy_change),
            f"{points(c.low)} to {points(c.high)}",
            word(c),
        )
        for c in (judgement.main, *judgement.others)
    ]
    yield from table((f"{cell(judgement.strategy)} against", "points", "interval", "verdict"), rows)
    told: dict[str, list[str]] = {"helped": [], "hurt": []}
    for change in judgement.main.per_class:
        told.get(change.verdict, []).append(cell(change.class_))
    yield ""
    yield "; ".join(f"{verdict}: {', '.join(names) or 'no class'}" for verdict, names in told.items()) + "."


def _limits(result: Result) -> Iterator[str]:
    yield f"- The verdict is about this classifier, this budget and this source; {scope(result)}."
    yield "- “No evidence” is not “no effect”: a change smaller than the test images can show stays unseen."
    few = [c.name for c in result.data.classes if c.test < MINIMUM_TEST_IMAGES]
    if few:
        names = ", ".join(cell(name) for name in few)
        yield f"- Fewer than {MINIMUM_TEST_IMAGES} test images, so that nothing is said of them: {names}."
    if result.num_seeds < MINIMUM_SEEDS:
        yield f"- Intervals hold little or no doubt about seeds: a claim about the method takes {MINIMUM_SEEDS}."
    worst = result.strategies[result.selected].test
    enough = (c for c in worst.per_class if c.class_ not in few and c.recall is not None)
    weakest = min(enough, key=lambda c: c.recall or 0.0, default=None)
    if weakest is not None and weakest.recall is not None:
        name = cell(weakest.class_)
        yield f"- Weakest class: {name}, of which {percent(weakest.recall)} of the test images are recognised."
    if worst.calibration_error is not None:
        yield f"- Expected calibration error on the test images: {percent(worst.calibration_error)}."
    if result.generator is not None:
        yield "- Synthetic images repeat what the real ones show, also their mistakes, and may repeat single images."
