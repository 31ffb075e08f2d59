"""Draws a result as a self-contained web page, as Markdown, and in the terminal."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from rich.console import Console
from rich.table import Table
from rich.text import Text

from evenhand.report import audit, evidence, figures, filters, realism
from evenhand.report.blessing import not_blessed
from evenhand.report.citations import cite
from evenhand.report.copy_pairs import PairPictures
from evenhand.report.data_card import data_card
from evenhand.report.filter_pictures import FilterPicture
from evenhand.report.markdown import cell
from evenhand.report.model_card import model_card
from evenhand.report.pictures import Gallery, Picture, gallery
from evenhand.report.result import Result
from evenhand.report.samples import Sample
from evenhand.report.scores_part import ClassResult
from evenhand.report.setting_words import settings_in_words
from evenhand.report.validation_words import on_validation, validation_sentence
from evenhand.report.verdict import class_scope, headline, label_control, leak, percent, points, scope, tone
from evenhand.report.view import SYMBOLS, ClassRow, View, arrange, role, trained_on, word

_STYLES = {"helped": "green", "hurt": "red", "no evidence": "dim"}
_TONES = {"helped": "green", "hurt": "red", "leaked": "red", "mixed": "yellow", "none": ""}


def template_environment(autoescape: bool) -> Environment:
    """Where templates are found, with the filters that they share."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=autoescape,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(percent=percent, points=points, role=role, word=word, seconds=_duration)
    environment.filters.update(trained_on=trained_on, settings_in_words=settings_in_words)
    environment.filters.update(stroke=figures.stroke, swatch=figures.swatch)
    environment.globals.update(symbols=SYMBOLS, interval=_interval, legible=lambda name: name.replace("_", " "))
    return environment


def _interval(scores: ClassResult) -> str:
    """A recall's interval in whole per cent, e.g. `75-94`."""
    if scores.recall_low is None or scores.recall_high is None:
        return ""
    return f"{100 * scores.recall_low:.0f}\N{EN DASH}{100 * scores.recall_high:.0f}"


def _duration(seconds: float) -> str:
    """A time in words, e.g. `3 min 20 s`."""
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def _content(result: Result, view: View) -> dict[str, Any]:
    """What both templates read."""
    words = headline(result)
    return {
        "result": result,
        "view": view,
        "judgement": view.judgement,
        "headline": words,
        "tone": tone(result),
        "leak": leak(result),
        # The sentence starts with the headline, which stands above it.
        "sentence": result.verdict.removeprefix(f"{words}: "),
        "scope": scope(result),
        "class_scope": class_scope(result),
        "label_control": label_control(result),
        "not_blessed": not_blessed(result),
        "is_validated": all(strategy.validation is not None for strategy in result.strategies.values()),
        "validation_sentence": validation_sentence(result),
        "confidence": f"{100 * result.confidence:g}%",
        "audit_sentences": audit.sentences(result.audit) if result.audit else [],
        "filter_sentences": filters.sentences(result.filters) if result.filters else [],
        "realism_words": realism.words(result.realism, result.confidence) if result.realism else "",
    }


def render_html(
    result: Result,
    images: Sequence[Sample] = (),
    pairs: Sequence[PairPictures] = (),
    filtered: Sequence[FilterPicture] = (),
) -> str:
    """Draws the report.

    Args:
      result: the result of a run.
      images: samples of each class, shown side by side: real, synthetic, and the real ones nearest to these.
      pairs: pictures of flagged copies and their originals.
      filtered: pictures of images that filters kept and dropped.

    Returns:
      One HTML page that loads nothing, for light and dark screens and for paper. Every name from the data is escaped.
    """
    view = arrange(result)
    changes = [view.judgement.main, *view.judgement.others] if view.judgement else []
    per_class = [row.change for row in view.classes if row.change is not None]
    charts = figures.learning_curves(
        {name: strategy.history for name, strategy in result.strategies.items()}, width=300, height=120
    )
    template = template_environment(autoescape=True).get_template("template.html")
    script = (Path(__file__).parent / "table.js").read_text(encoding="utf-8")
    return template.render(
        _content(result, view) | _evidence(result, view),
        script=Markup(script),  # noqa: S704 - our own file
        # The page runs this script and nothing else, whatever names from the data contain.
        script_hash="sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        changes=changes,
        change_track=figures.around_zero([end for c in changes for end in (c.low, c.high)]),
        class_track=figures.around_zero([end for c in per_class for end in (c.low, c.high)]),
        recall_track=figures.Track(0.0, 1.0),
        realism_track=figures.Track(1.0, 5.0),
        audit_pairs=_audit_pairs(result, pairs),
        filtered=_filtered(filtered),
        accuracy_track=figures.of_shares([s.test.balanced_accuracy_low for s in result.strategies.values()]),
        most_images=max((max(row.train, row.synthetic) for row in view.classes), default=1) or 1,
        grid=_grid(images),
        charts=charts,
        strategy_numbers={name: number for number, name in enumerate(result.strategies)},
        cards={"Model card": model_card(result), "Data card": data_card(result), "Citations": cite(result)},
        config=yaml.safe_dump(result.config, sort_keys=False, allow_unicode=True) if result.config else "",
    )


def _evidence(result: Result, view: View) -> dict[str, Any]:
    """What the sections beneath the verdict read."""
    shown = evidence.shown_strategies(result, view)
    detailed = view.judgement.strategy if view.judgement else result.selected
    curves = {name: s.calibration.curve for name, s in shown.items() if s.calibration is not None}
    return {
        "shown_strategies": shown,
        "detailed": detailed,
        "groups": result.strategies[detailed].shot_groups,
        "priors": result.strategies[detailed].priors,
        "measure_titles": list(evidence.MEASURES.values()),
        "measure_changes": evidence.measure_changes(view.judgement.main) if view.judgement else {},
        "split_measures": {name: evidence.split_measures(s.test) for name, s in result.strategies.items()},
        "class_measures": evidence.class_measures(result.strategies[detailed], view, detailed),
        "confusions": evidence.confusions(result, view),
        "reliability": {name: evidence.reliability_curve(curve, 160.0) for name, curve in curves.items()},
        "on_validation": on_validation(result),
        "has_uncertainty": any(s.uncertainty is not None for s in shown.values()),
        "score_titles": evidence.SCORES,
        "generator_charts": figures.generator_curves(
            result.generator.history if result.generator else (), width=300, height=120
        ),
    }


def _grid(samples: Sequence[Sample]) -> Gallery:
    """Samples of each class: real, synthetic, and the real ones nearest to these."""
    shown = [Picture(sample.class_name, sample.source, sample.image_id, sample.png) for sample in samples]
    return gallery(shown, ("real", "synthetic", "nearest"), most=5_000_000)


def _audit_pairs(result: Result, pairs: Sequence[PairPictures]) -> list[dict[str, Any]]:
    """What is known of each flagged pair, with its pictures, in the order of the result: as many as fit."""
    parts = {part.synthetic_id: part for part in (result.audit.pairs if result.audit else ())}
    pictures = {pair.synthetic_id: pair for pair in pairs}
    shown = [
        Picture(name, kind, "", png)
        for name in parts
        if name in pictures
        for kind, png in (("synthetic", pictures[name].synthetic_png), ("real", pictures[name].real_png))
    ]
    return [
        {"part": parts[name], **{kind: row[kind][0]["uri"] for kind in ("synthetic", "real")}}
        for name, row in gallery(shown, ("synthetic", "real")).items()
    ]


def _filtered(pictures: Sequence[FilterPicture]) -> Gallery:
    """Pictures of each class, `used` and `dropped`, with what is to be said of each."""
    shown = []
    for picture in pictures:
        fate = f"dropped by {picture.dropped_by}" if picture.dropped_by else "used"
        words = f"{picture.image_id}: {fate}, score {picture.score:.3g}"
        shown.append(Picture(picture.class_name, "dropped" if picture.dropped_by else "used", words, picture.png))
    return gallery(shown, ("used", "dropped"))


def render_markdown(result: Result) -> str:
    """Draws the report as Markdown, for a pull request: the verdict and its tables.

    Args:
      result: the result of a run.
    """
    environment = template_environment(autoescape=False)
    environment.filters["cell"] = cell
    return environment.get_template("template.md").render(_content(result, arrange(result)))


def render_terminal(result: Result, console: Console) -> None:
    """Prints the per-class table, the strategies' balanced accuracy and the verdict.

    Args:
      result: the result of a run.
      console: where to print; strategies that do not fit its width go into a further table below.
    """
    view = arrange(result)
    names = list(result.strategies)
    label_width = max(8, *(min(len(row.name), 24) for row in view.classes)) + 18
    fitting = max(1, (console.width - label_width - 20) // 11)
    for start in range(0, len(names), fitting):
        shown = names[start : start + fitting]
        is_last = start + fitting >= len(names)
        console.print(_class_table(result, view, shown, with_change=is_last))
    if result.generator is not None:
        for finding in result.generator.findings:
            console.print(Text(f"{result.generator.name}: {finding}", style="yellow"))
    if result.realism is not None:
        console.print(Text(realism.words(result.realism, result.confidence)))
    # A verdict is read whole: words wrap, names with brackets stay as they are.
    console.print(Text(result.verdict, style=f"bold {_TONES[tone(result)]}"))


def _class_table(result: Result, view: View, names: Sequence[str], *, with_change: bool) -> Table:
    level = f"{100 * result.confidence:g}%"
    table = Table(
        title=f"Recall on the test images, in per cent, with its {level} interval",
        title_justify="left",
        title_style="bold",
        box=None,
        padding=(0, 2, 0, 0),
        show_footer=True,
    )
    table.add_column("class", footer=Text("balanced accuracy"), max_width=24)
    table.add_column("real", justify="right")
    table.add_column("synthetic", justify="right")
    for name in names:
        split = result.strategies[name].test
        ends = f"{100 * split.balanced_accuracy_low:.0f}\N{EN DASH}{100 * split.balanced_accuracy_high:.0f}"
        footer = Text(f"{100 * split.balanced_accuracy:.1f}\n{ends}", style="bold")
        header = Text(name.replace("_", "_\n") + ("\n(selected)" if name == result.selected else ""))
        table.add_column(header, footer=footer, justify="right", vertical="bottom")
    if with_change and view.judgement:
        main = view.judgement.main
        header = Text(f"change by\nsynthetic\nvs {main.versus}")
        footer = Text.assemble(
            (f"{points(main.balanced_accuracy_change)} {SYMBOLS[main.verdict]}", f"bold {_STYLES[main.verdict]}"),
            (f"\n{points(main.low)} to {points(main.high)}", "dim"),
        )
        table.add_column(header, footer=footer, justify="right")
    for row in view.classes:
        cells: list[Any] = [Text(row.name), str(row.train), str(row.synthetic)]
        cells += [_recall_cell(row.recalls[name]) for name in names]
        if with_change and view.judgement:
            cells.append(_change_cell(row))
        table.add_row(*cells)
    return table


def _recall_cell(scores: ClassResult) -> Text:
    if scores.recall is None:
        return Text("-")
    return Text.assemble(f"{100 * scores.recall:.0f} ", (f"{_interval(scores):>6}", "dim"))


def _change_cell(row: ClassRow) -> Text:
    change = row.change
    if change is None or change.change is None:
        return Text("-")
    return Text(f"{points(change.change, 0)} {SYMBOLS[change.verdict]}", style=_STYLES[change.verdict])
