"""Components with one named input per strategy.

Kubeflow refuses a union of channels, so a node that needs many models or predictions gets a spec of its own,
built with the graph, whose input keys (`model__baseline`, …) tell which strategy each belongs to.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tfx.dsl.components.base import base_component, base_executor, executor_spec
from tfx.types import artifact_utils
from tfx.types.channel import BaseChannel, Channel
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

SEPARATOR = "__"


def key(kind: str, arm: str) -> str:
    """The input key of what `kind` says about `arm`."""
    return f"{kind}{SEPARATOR}{arm}"


def by_arm(kind: str, input_dict: Mapping[str, list[Any]]) -> dict[str, Any]:
    """The artifacts of one kind, by arm, in no order to rely on."""
    prefix = kind + SEPARATOR
    return {
        name.removeprefix(prefix): artifact_utils.get_single_instance(artifacts)
        for name, artifacts in input_dict.items()
        if name.startswith(prefix)
    }


def component(
    name: str,
    executor: type[base_executor.BaseExecutor],
    inputs: Mapping[str, BaseChannel],
    outputs: Mapping[str, type],
    settings: str,
) -> base_component.BaseComponent:
    """A node of class `name` with exactly these inputs and outputs and one JSON parameter, `settings`."""
    spec = type(
        f"{name}Spec",
        (ComponentSpec,),
        {
            "PARAMETERS": {"settings": ExecutionParameter(type=str)},
            "INPUTS": {key: ChannelParameter(type=channel.type) for key, channel in inputs.items()},
            "OUTPUTS": {key: ChannelParameter(type=artifact) for key, artifact in outputs.items()},
        },
    )
    node = type(
        name,
        (base_component.BaseComponent,),
        {
            "SPEC_CLASS": spec,
            "EXECUTOR_SPEC": executor_spec.ExecutorClassSpec(executor),
            "__module__": executor.__module__,
        },
    )
    channels = {key: Channel(type=artifact) for key, artifact in outputs.items()}
    return node(spec(settings=settings, **inputs, **channels))
