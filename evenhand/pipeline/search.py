"""Settles on strategies before the graph is drawn: `strategies: auto` and `tuning`, within `budget`.

The graph of a run is drawn from its config, so what is to be trained must be known before. Nothing here reads the test
split: all is decided on validation, by `validation_ranking`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from evenhand import config_file
from evenhand.config import Generator, RunConfig, Strategy, digest
from evenhand.evaluation import validation_ranking
from evenhand.models.arms import BASELINE, arm_of
from evenhand.models.search import ladder, tuned_fields
from evenhand.models.search.halving import Limits, Trial, halve
from evenhand.models.search.trial import Correct, TrialImages, TrialSettings, run_trial
from evenhand.models.train_classifier import ClassifierTraining
from evenhand.pipeline import output_folder
from evenhand.pipeline.search_images import SearchImages
from evenhand.pipeline.search_record import Contestant, tried, undecided
from evenhand.pipeline.stages import OnStage, StageEvent
from evenhand.report.search_part import FILE_NAME, SearchPart, Stage, Tried, TriedGenerator
from evenhand.whole_files import replace_text

_REMEDIES_SHARE = 0.4
_TUNING_SHARE = 0.35
_FEWEST_STEPS = 10
_LEAST_SHARE = 16


def settle(config: RunConfig, claim: output_folder.Claim, on_stage: OnStage | None = None) -> RunConfig:
    """Searches for the strategies of a run, or tunes their fields, and writes what came of it.

    Writes `search.json`, and `config.yaml` with what it settled on. Finished trials are kept under `state/search`: a
    search that was interrupted goes on from there, and one that is repeated trains nothing.

    Args:
      config: of the run, with `strategies: auto` or `tuning`.
      claim: the output folder.
      on_stage: called when a node or a trial starts and ends.

    Returns:
      The config with explicit strategies and nothing left to search.

    Raises:
      UserError: if the source cannot be read, there is no validation image, or a field cannot be tuned.
    """
    tuned_fields.check(config)
    search = _Search(config, claim, on_stage)
    settled = config if config.strategies else search.climb()
    if config.tuning is not None:
        settled = search.tune(settled)
    # Read again, so that what is settled on is a config like any other.
    final = config_file.resolve({**settled.model_dump(mode="json"), "budget": None, "tuning": None})
    replace_text(claim.folder / FILE_NAME, search.part(final).model_dump_json(indent=1))
    replace_text(claim.folder / output_folder.CONFIG, config_file.dump(final))
    return final


class _Search:
    """One search: what it has spent and tried so far."""

    def __init__(self, config: RunConfig, claim: output_folder.Claim, on_stage: OnStage | None) -> None:
        self._config, self._on_stage = config, on_stage
        self._state = claim.state / "search"
        self._images = SearchImages(config, claim, on_stage)
        self._spent = 0.0
        self._tried: list[Tried] = []
        self._generators: list[TriedGenerator] = []
        self._drawn: dict[str, TrialImages | None] = {}
        self._notes: list[str] = []
        self._settings = TrialSettings(
            training=ClassifierTraining(classifier=config.classifier, training=config.training, device=config.device),
            seed=config.seed,
            deterministic=config.deterministic,
        )

    def climb(self) -> RunConfig:
        """Walks up the ladder: remedies on real images, then generators, whose images join the best remedy."""
        config, real = self._config, self._images.real
        counts = real.train.class_counts.tolist()
        time = config.budget_seconds * (1 - (_TUNING_SHARE if config.tuning is not None else 0.0))
        generators = ladder.generators(config.generator, counts, config.data.image_size)
        remedies = ladder.remedies(counts)
        field_ = [Contestant(one, arm_of(config, one), real) for one in remedies]
        best = self._halve("remedies", field_, time * (_REMEDIES_SHARE if generators else 1.0))
        if not best:
            self._notes.append(f"There was no time to try a remedy: {remedies[0].name} stands first, and is taken.")
        remedy = best[0].strategy if best else remedies[0]
        field_ = self._synthetic_field(generators, remedy, lambda: time - self._spent)
        winner = self._halve("synthetic images", field_, time - self._spent)[:1]
        if not generators:
            self._notes.append(f"{sum(counts)} training images are too few for a generator: none was tried.")
        elif not winner:
            self._notes.append("No strategy on synthetic images could be tried in time: give a larger budget.")
        strategies = (BASELINE, remedy, *(one.strategy for one in winner))
        generator = next((one.generator for one in winner if one.generator is not None), config.generator)
        return config.model_copy(update={"strategies": strategies, "generator": generator})

    def _synthetic_field(
        self, generators: Sequence[Generator], remedy: Strategy, left: Callable[[], float]
    ) -> list[Contestant]:
        """Trains generators, each within an equal share of half the time; their strategies by turns."""
        strategies = ladder.with_synthetic(remedy)
        drawn: list[tuple[Generator, TrialImages]] = []
        for generator, share in zip(generators, range(2 * len(generators), len(generators), -1), strict=True):
            images = self._synthesise(generator, left() / share)
            if images is not None:
                drawn.append((generator, images))
        return [
            Contestant(strategy, arm_of(self._config, strategy), images, generator)
            for strategy in strategies
            for generator, images in drawn
        ]

    def _synthesise(self, generator: Generator, seconds: float) -> TrialImages | None:
        """The images of a generator, whose time is spent once, whoever asks for them."""
        key = generator.canonical_json()
        if key not in self._drawn:
            self._drawn[key], made = self._images.synthetic(generator, seconds)
            self._spent += made.seconds
            self._generators.append(made)
        return self._drawn[key]

    def tune(self, config: RunConfig) -> RunConfig:
        """Tunes every strategy by as many settings, in turns; halving is within each strategy."""
        tuned = tuned_fields.tuned_strategies(config)
        settings = self._settings_of(config, tuned)
        if not settings:
            return config
        images, generator = self._images.real, None
        if any(arm_of(config, one).uses_synthetic for one in tuned):
            found = self._synthesise(config.generator, (config.budget_seconds - self._spent) / 2)
            if found is None:
                self._notes.append(
                    "Nothing was tuned, as the generator gave no images in time: strategies on synthetic images could "
                    "not have been tuned as the others. Give a larger budget."
                )
                return config
            images, generator = found, config.generator
        field_ = []
        for turn in zip(*(settings[one.name] for one in tuned), strict=True):
            for one, setting in zip(tuned, turn, strict=True):
                strategy = tuned_fields.apply(config, one, setting)
                arm = arm_of(config, strategy)
                made = generator if arm.uses_synthetic else None
                is_configured = tuned_fields.is_as_configured(config, one, strategy)
                field_.append(Contestant(strategy, arm, images, made, setting, is_configured))
        winners = {
            one.strategy.name: one.strategy
            for one in self._halve("tuning", field_, config.budget_seconds - self._spent)
        }
        if len(winners) < len(tuned):
            late = ", ".join(one.name for one in tuned if one.name not in winners)
            self._notes.append(f"There was no time to tune {late}, so that nothing was tuned: give a larger budget.")
            return config
        return config.model_copy(
            update={"strategies": tuple(tuned_fields.with_tuned(s, winners) for s in config.strategies)}
        )

    def _settings_of(
        self, config: RunConfig, tuned: Sequence[Strategy]
    ) -> Mapping[str, Sequence[tuned_fields.Setting]]:
        """The settings of each strategy; none at all where it chose a strategy that no field changes."""
        tuning = config.tuning
        assert tuning is not None, "only what is tuned has settings"
        left_out = tuned_fields.without_effect(config, tuned)
        if left_out:
            self._notes.append(
                f"{', '.join(left_out)} was tuned for no strategy: {next(iter(left_out.values()))} has an augmentation "
                "of its own, and all are tuned alike."
            )
            fields = {path: values for path, values in tuning.fields.items() if path not in left_out}
            tuning = tuning.model_copy(update={"fields": fields})
        settings = tuned_fields.settings_of(tuning, tuned, config.seed, fewest=not self._config.strategies)
        if left_out and len(settings[tuned[0].name]) == 1:
            self._notes.append("Nothing was tuned, as no other field was left for all strategies.")
            return {}
        return settings

    def _halve(self, stage: Stage, contestants: Sequence[Contestant], seconds: float) -> list[Contestant]:
        """Halves a field within some seconds; what is left of it, one of each group."""
        field_ = {one.name: one for one in contestants}
        if not field_ or seconds <= 0:
            return []
        images = contestants[0].images
        full = self._config.training.steps
        begun = 0

        def train(name: str, steps: int, seconds_left: float) -> Trial[Correct]:
            nonlocal begun
            one = field_[name]
            label = f"search: {name}, {steps} steps"
            self._tell(StageEvent(label, begun, 0, "started"))
            trial, is_known = run_trial(
                one.arm, one.images, self._settings, steps=steps, seconds_left=seconds_left, state_dir=self._state
            )
            begun += 1
            total = max(begun, 2 + 2 * len(field_))
            self._tell(StageEvent(label, begun - 1, total, "cached" if is_known else "done", trial.seconds))
            return trial

        # The order of the ladder is a prior; that of the values to try is none, but for what the config has anyway.
        order = sorted(field_, key=lambda name: not field_[name].is_configured)

        def rank(scores: Mapping[str, Correct]) -> tuple[list[str], int]:
            labels = images.validation.labels
            return validation_ranking.ranked(labels, scores, order, order_decides=stage != "tuning")

        groups = {name: one.strategy.name if stage == "tuning" else "all" for name, one in field_.items()}
        least = min(max(_FEWEST_STEPS, full // _LEAST_SHARE), full)
        found = halve(groups, train, rank, Limits(seconds, least_steps=least, full_steps=full))
        self._spent += found.seconds
        self._tried += tried(stage, field_, found, images.validation.labels)
        self._notes += undecided(stage, field_, found)
        return [field_[name] for name in found.standing]

    def _tell(self, event: StageEvent) -> None:
        if self._on_stage is not None:
            self._on_stage(event)

    def part(self, settled: RunConfig) -> SearchPart:
        """What the search did, and the config that it settled on."""
        counts = self._images.real.validation.class_counts
        return SearchPart(
            budget=str(self._config.budget),
            seconds=round(self._spent, 3),
            validation_images=int(counts.sum()),
            smallest_class=int(counts[counts > 0].min()),
            tried=tuple(self._tried),
            generators=tuple(self._generators),
            chosen=tuple(strategy.name for strategy in settled.strategies),
            notes=tuple(self._notes),
            settled=digest(settled.canonical_json()),
        )
