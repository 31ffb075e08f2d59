"""Beam answers the same within `lean_beam` as outside it, and is itself again afterwards."""

from __future__ import annotations

from collections.abc import Iterator

import apache_beam as beam
import pytest
from apache_beam.coders import VarIntCoder
from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions, TypeOptions
from apache_beam.testing.util import assert_that, equal_to
from apache_beam.transforms import userstate
from apache_beam.transforms.userstate import ReadModifyWriteStateSpec

from evenhand.pipeline.lean_beam import lean_beam


class RunningSum(beam.DoFn):
    """Needs state, so that Beam must go on telling it from those without."""

    TOTAL = ReadModifyWriteStateSpec("total", VarIntCoder())

    def process(self, element: tuple[str, int], total=beam.DoFn.StateParam(TOTAL)) -> Iterator[int]:  # noqa: B008 - Beam's way
        total.write((total.read() or 0) + element[1])
        yield total.read()


class TwiceTheName(RunningSum):
    """Has two states of one name, which Beam refuses."""

    OTHER = ReadModifyWriteStateSpec("total", VarIntCoder())

    def finish_bundle(self, other=beam.DoFn.StateParam(OTHER)) -> None: ...  # noqa: B008 - Beam's way


def test_views_share_what_they_are_told():
    with lean_beam():
        options = PipelineOptions(["--runner=FnApiRunner", "--no_pipeline_type_check"])
        view = options.view_as(StandardOptions)
        assert view is options.view_as(StandardOptions)
        assert view.runner == "FnApiRunner"
        assert options.view_as(TypeOptions).pipeline_type_check is False
        view.streaming = True
        assert options.view_as(StandardOptions).streaming is True
        assert PipelineOptions([]).view_as(StandardOptions).streaming is False


def test_a_function_with_state_keeps_it():
    with lean_beam():
        assert userstate.is_stateful_dofn(RunningSum())
        assert not userstate.is_stateful_dofn(beam.DoFn())
        with beam.Pipeline("FnApiRunner") as pipeline:
            sums = pipeline | beam.Create([("key", 1), ("key", 2), ("key", 4)]) | beam.ParDo(RunningSum())
            assert_that(sums, equal_to([1, 3, 7]))


def test_what_beam_refuses_is_still_refused():
    with lean_beam(), pytest.raises(ValueError, match="multiple StateSpecs with the same name"):
        userstate.validate_stateful_dofn(TwiceTheName())


def test_beam_is_itself_again_after_an_error():
    before = userstate.get_dofn_specs, PipelineOptions.view_as
    with pytest.raises(ZeroDivisionError), lean_beam():
        assert userstate.get_dofn_specs is not before[0]
        1 / 0  # noqa: B018
    assert (userstate.get_dofn_specs, PipelineOptions.view_as) == before
