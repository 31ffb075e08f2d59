"""The images of a search: the first nodes of the run itself, so that the whole graph finds them in TFX's cache."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from evenhand.config import Generator, RunConfig, Section, digest
from evenhand.data.fingerprint import fingerprint
from evenhand.data.image_tables import load_table
from evenhand.data.splits import check_validation
from evenhand.errors import EvenhandError
from evenhand.models.preflight import check_run, what_needs_validation
from evenhand.models.search.deadline import OutOfTime, deadline
from evenhand.models.search.trial import TrialImages
from evenhand.pipeline import output_folder
from evenhand.pipeline.graph import Reach, create_images_pipeline
from evenhand.pipeline.runner import LocalRunner
from evenhand.pipeline.stages import OnStage, StageEvent, StageOutcome
from evenhand.report.search_part import TriedGenerator
from evenhand.whole_files import replace_text

_CLOCK_SECONDS = 0.5
_MADE_BY = ("GeneratorTrainer", "SyntheticExampleGen", "SyntheticFilter")


class _Stopped(Section):
    """A generator that was not done in time, on the disk.

    Attributes:
      seconds: that it was given.
      used: that it took.
    """

    seconds: float
    used: float


class SearchImages:
    """Real and synthetic images for the trials of a search.

    Args:
      config: of the run.
      claim: its output folder.
      on_stage: called when a node starts and ends.

    Attributes:
      real: the real images.

    Raises:
      UserError: if the source cannot be read, this machine lacks the devices, or there is no validation image.
    """

    def __init__(self, config: RunConfig, claim: output_folder.Claim, on_stage: OnStage | None) -> None:
        self._config, self._claim = config, claim
        self._on_stage = on_stage
        check_run(config)
        self._tables = claim.state / "tables"
        self._fingerprint = fingerprint(config.data)
        examples = self._run(config, "real")["ImbalancedExampleGen"].outputs["examples"]
        self.real = TrialImages(
            train=load_table(examples, ["train"], cache=self._tables),
            validation=load_table(examples, ["validation"], cache=self._tables),
            digest=digest(examples),
        )
        check_validation(len(self.real.validation), *what_needs_validation(config))

    def synthetic(self, generator: Generator, seconds: float) -> tuple[TrialImages | None, TriedGenerator]:
        """The images of a generator that filters keep, if it is trained and has drawn them within `seconds`.

        A generator that was not done is not begun again by the same search; with more time it goes on. One that cannot
        be trained, e.g. since its loss is not finite, is told of and ends no search.

        Args:
          generator: the section of the config.
          seconds: wall-clock time for it.
        """
        if seconds <= 0:
            return None, TriedGenerator(name=generator.name, seconds=0.0, fate="no time was left: give a larger budget")
        config = self._config.model_copy(update={"generator": generator})
        mark = self._claim.state / "search" / f"generator-{self._task(config)}.json"
        too_slow = f"not done after {seconds:.0f} s: give a larger budget or fewer generator.steps"
        if mark.is_file():
            stopped = _Stopped.model_validate_json(mark.read_bytes())
            if stopped.seconds >= seconds - _CLOCK_SECONDS:
                return None, TriedGenerator(name=generator.name, seconds=stopped.used, fate=too_slow)
        if config.synthetic.filter is not None:
            # Filters go by the baseline, which the run trains anyway: it takes none of the generator's time.
            self._run(self._config, "baseline")
        started = time.monotonic()
        try:
            with deadline(seconds):
                outcomes = self._run(config, "synthetic")
        except Exception as error:
            used = time.monotonic() - started
            failure = next((one for one in _causes(error) if isinstance(one, EvenhandError)), None)
            if failure is not None:
                return None, TriedGenerator(name=generator.name, seconds=used, fate=str(failure).rstrip("."))
            if not _is_out_of_time(error):
                raise
            used = max(seconds, used)
            mark.parent.mkdir(parents=True, exist_ok=True)
            replace_text(mark, _Stopped(seconds=seconds, used=used).model_dump_json())
            return None, TriedGenerator(name=generator.name, seconds=used, fate=too_slow)
        # What is served from the cache keeps the time that it took.
        made = [outcomes[name] for name in _MADE_BY if name in outcomes]
        used = sum(outcome.seconds for outcome in made)
        drawn = made[-1].outputs["synthetic"]
        images = replace(
            self.real,
            synthetic=load_table(drawn, ["train"], cache=self._tables),
            digest=digest(f"{self.real.digest} {drawn}"),
        )
        return images, TriedGenerator(name=generator.name, seconds=used, fate="trained")

    def _task(self, config: RunConfig) -> str:
        """A digest of all that decides how long a generator of the config takes to be trained and to draw."""
        sections = [part.canonical_json() for part in (config.generator, config.synthetic, config.device)]
        return digest(f"{self.real.digest} {config.seed} {config.deterministic} {' '.join(sections)}")

    def _run(self, config: RunConfig, reach: Reach) -> dict[str, StageOutcome]:
        """Runs the first nodes of the graph."""
        output: Path = self._claim.folder
        found: dict[str, StageOutcome] = {}

        def watch(event: StageEvent) -> None:
            self._claim.has_results |= event.state != "started"
            if self._on_stage is not None:
                self._on_stage(event)

        pipeline = create_images_pipeline(
            config,
            fingerprint=self._fingerprint,
            pipeline_root=str(output / "artifacts"),
            metadata_path=output / "metadata.sqlite",
            reach=reach,
        )
        LocalRunner(watch, lambda outcomes: found.update({outcome.name: outcome for outcome in outcomes})).run(pipeline)
        return found


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error, and what is behind it."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _is_out_of_time(error: BaseException) -> bool:
    """Whether `OutOfTime` is behind an error; Beam wraps what its workers raise, and keeps its name in the text."""
    return any(isinstance(one, OutOfTime) or OutOfTime.__name__ in str(one) for one in _causes(error))
