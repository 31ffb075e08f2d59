"""Runs the graph on this machine, node by node, and tells how far it is and what each node left behind."""

from __future__ import annotations

import datetime
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ml_metadata.proto import metadata_store_pb2
from tfx.dsl.compiler import constants
from tfx.orchestration import metadata
from tfx.orchestration.local import runner_utils
from tfx.orchestration.local.local_dag_runner import LocalDagRunner
from tfx.orchestration.portable import launcher, runtime_parameter_utils
from tfx.orchestration.portable.mlmd import execution_lib

from evenhand.models.processor_time import ProcessorTime
from evenhand.pipeline.lean_beam import lean_beam
from evenhand.pipeline.stages import OnStage, StageEvent, StageOutcome

Execution = metadata_store_pb2.Execution

_SECONDS, _PROCESSOR_SECONDS = "seconds", "processor_seconds"


class LocalRunner(LocalDagRunner):
    """TFX's LocalDagRunner, which also tells how far it is and what each node left behind.

    Args:
      on_stage: called when a node starts and ends.
      on_finish: called once with the outcomes of all nodes, in order, after the last node.
    """

    def __init__(
        self,
        on_stage: OnStage | None = None,
        on_finish: Callable[[list[StageOutcome]], None] | None = None,
    ) -> None:
        super().__init__()
        self._on_stage = on_stage or (lambda event: None)
        self._on_finish = on_finish or (lambda outcomes: None)

    def run_with_ir(self, pipeline: Any, run_options: Any = None) -> None:
        """Launches the nodes one by one, in topological order.

        Args:
          pipeline: TFX's intermediate representation of the graph.
          run_options: partial runs are not supported; must be None.
        """
        if run_options is not None:
            raise ValueError("partial runs are not supported; the cache skips what is unchanged")
        runtime_parameter_utils.substitute_runtime_parameter(
            pipeline, {constants.PIPELINE_RUN_ID_PARAMETER_NAME: datetime.datetime.now().isoformat()}
        )
        deployment = runner_utils.extract_local_deployment_config(pipeline)
        which = deployment.metadata_connection_config.WhichOneof("connection_config")
        connection = getattr(deployment.metadata_connection_config, which)
        root = Path(pipeline.runtime_spec.pipeline_root.field_value.string_value)
        sweep_interrupted(connection, root)
        nodes = [node.pipeline_node for node in pipeline.nodes]
        outcomes = []
        for index, node in enumerate(nodes):
            name = node.node_info.id
            self._on_stage(StageEvent(name, index, len(nodes), "started"))
            start = time.monotonic()
            node_launcher = launcher.Launcher(
                pipeline_node=node,
                mlmd_connection=metadata.Metadata(connection),
                pipeline_info=pipeline.pipeline_info,
                pipeline_runtime_spec=pipeline.runtime_spec,
                executor_spec=runner_utils.extract_executor_spec(deployment, name),
                custom_driver_spec=runner_utils.extract_custom_driver_spec(deployment, name),
            )
            with _no_arguments(), lean_beam(), ProcessorTime() as processor:
                info = node_launcher.launch()
            with metadata.Metadata(connection) as handle:
                outcome, is_cached = _outcome(handle, name, info.execution_id, processor.seconds)
            outcomes.append(outcome)
            seconds = time.monotonic() - start
            self._on_stage(StageEvent(name, index, len(nodes), "cached" if is_cached else "done", seconds))
        self._on_finish(outcomes)


@contextmanager
def _no_arguments() -> Iterator[None]:
    """Hides the command line: TFX's Beam executors would read our `-v` as a flag of theirs."""
    arguments = sys.argv
    sys.argv = arguments[:1]
    try:
        yield
    finally:
        sys.argv = arguments


def _outcome(handle: Any, name: str, execution_id: int, processor_seconds: float) -> tuple[StageOutcome, bool]:
    """Reads from ML Metadata what an execution gave and how long the work took when it was done.

    What a new execution took, also of the processor, is written there first, for the runs that will reuse it.
    """
    [execution] = handle.store.get_executions_by_id([execution_id])
    artifacts = {
        key: values[0] for key, values in execution_lib.get_output_artifacts(handle, execution_id).items() if values
    }
    is_cached = execution.last_known_state == Execution.CACHED
    producer = _producer(handle, [artifact.id for artifact in artifacts.values()]) if is_cached else execution
    times = producer.custom_properties
    if not is_cached or _SECONDS not in times:
        # To write this moves the time of the last update, so that it is read once.
        passed = producer.last_update_time_since_epoch - producer.create_time_since_epoch
        times[_SECONDS].double_value = round(passed / 1000, 3)
        times[_PROCESSOR_SECONDS].double_value = 0.0 if is_cached else round(processor_seconds, 3)
        handle.store.put_executions([producer])
    return (
        StageOutcome(
            name=name,
            seconds=times[_SECONDS].double_value,
            processor_seconds=times[_PROCESSOR_SECONDS].double_value,
            outputs={key: artifact.uri for key, artifact in artifacts.items()},
            properties={
                key: {
                    name: artifact.get_string_custom_property(name)
                    for name in artifact.mlmd_artifact.custom_properties
                    if artifact.mlmd_artifact.custom_properties[name].HasField("string_value")
                }
                for key, artifact in artifacts.items()
            },
        ),
        is_cached,
    )


def _producer(handle: Any, artifact_ids: list[int]) -> Any:
    """The execution that really made these artifacts."""
    events = handle.store.get_events_by_artifact_ids(artifact_ids)
    outputs = {event.execution_id for event in events if event.type == metadata_store_pb2.Event.OUTPUT}
    executions = handle.store.get_executions_by_id(sorted(outputs))
    return next(execution for execution in executions if execution.last_known_state == Execution.COMPLETE)


def sweep_interrupted(connection: Any, root: Path) -> None:
    """Marks what a killed run left RUNNING as failed, and removes its half-written folders.

    Args:
      connection: ML Metadata's connection config.
      root: the pipeline root, with `<node>/<output>/<execution id>` below it.
    """
    with metadata.Metadata(connection) as handle:
        stale = [e for e in handle.store.get_executions() if e.last_known_state == Execution.RUNNING]
        for execution in stale:
            for pattern in (f"*/*/{execution.id}", f"*/.system/*/{execution.id}"):
                for folder in root.glob(pattern):
                    shutil.rmtree(folder, ignore_errors=True)
            execution.last_known_state = Execution.FAILED
        if stale:
            handle.store.put_executions(stale)
