"""Compiles the graph to Kubeflow Pipelines' intermediate representation."""

from __future__ import annotations

from pathlib import Path

from kfp.pipeline_spec import pipeline_spec_pb2
from tfx.orchestration.kubeflow.v2.kubeflow_v2_dag_runner import KubeflowV2DagRunner, KubeflowV2DagRunnerConfig
from tfx.orchestration.pipeline import Pipeline

from evenhand.config import Resources, RunConfig
from evenhand.data.fingerprint import fingerprint
from evenhand.errors import UserError
from evenhand.pipeline.graph import create_pipeline

DEFAULT_IMAGE = "evenhand:latest"
ResourceSpec = pipeline_spec_pb2.PipelineDeploymentConfig.PipelineContainerSpec.ResourceSpec


def compile_pipeline(
    config: RunConfig, output: Path, *, pipeline_root: str = "/evenhand", image: str = DEFAULT_IMAGE
) -> None:
    """Writes the pipeline as JSON that Kubeflow Pipelines and Vertex AI accept.

    Args:
      config: of the run; `resources` names nodes by id.
      output: the file to write.
      pipeline_root: bucket or mounted folder of the artifacts.
      image: the container with evenhand installed (`kubeflow/Dockerfile`).

    Raises:
      UserError: if `resources` names a node that the graph does not have.
    """
    pipeline = create_pipeline(
        config,
        fingerprint=fingerprint(config.data),
        pipeline_root=pipeline_root,
        push_to=f"{pipeline_root.rstrip('/')}/model",
    )
    _request_resources(pipeline, config.resources)
    runner = KubeflowV2DagRunner(
        KubeflowV2DagRunnerConfig(default_image=image, use_pipeline_spec_2_1=True),
        output_dir=str(output.parent),
        output_filename=output.name,
    )
    runner.run(pipeline)


def _request_resources(pipeline: Pipeline, resources: dict[str, Resources]) -> None:
    nodes = {node.id: node for node in pipeline.components}
    for node_id, wanted in resources.items():
        if node_id not in nodes:
            raise UserError(f"resources.{node_id}", "no node has this name", f"use one of {', '.join(nodes)}")
        spec = ResourceSpec(cpu_limit=wanted.cpu or 0.0, memory_limit=wanted.memory or 0.0)
        if wanted.accelerator:
            spec.accelerator.CopyFrom(
                ResourceSpec.AcceleratorConfig(type=wanted.accelerator, count=wanted.accelerator_count)
            )
        nodes[node_id].platform_config = spec
