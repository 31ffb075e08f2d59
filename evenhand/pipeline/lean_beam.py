"""Two of Beam's questions, which it asks thousands of times while it builds and runs a graph, answered once each.

Which state and timers a DoFn has Beam reads from the signatures of all its methods, eight times for each; and every
look at one group of the pipeline's options makes a parser of command lines, which reads all arguments. Together they
took a tenth of a run with next to no training (Beam 2.77, `benchmarks.pipeline_overhead`).
"""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any
from weakref import WeakKeyDictionary

from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.transforms import userstate


@contextmanager
def lean_beam() -> Iterator[None]:
    """Within it Beam keeps the state and timers of each DoFn, and each view of its options."""
    specs_of, view_of = userstate.get_dofn_specs, PipelineOptions.view_as
    specs: MutableMapping[Any, Any] = WeakKeyDictionary()
    views: MutableMapping[PipelineOptions, dict[type, PipelineOptions]] = WeakKeyDictionary()

    def kept_specs(dofn: Any) -> Any:
        if dofn not in specs:
            specs[dofn] = specs_of(dofn)
        return specs[dofn]

    def kept_view(options: PipelineOptions, group: type) -> PipelineOptions:
        known = views.setdefault(options, {})
        if group not in known:
            # The view shares the values of the options, so that what either is told later, both know.
            known[group] = view_of(options, group)
        return known[group]

    userstate.get_dofn_specs, PipelineOptions.view_as = kept_specs, kept_view
    try:
        yield
    finally:
        userstate.get_dofn_specs, PipelineOptions.view_as = specs_of, view_of
