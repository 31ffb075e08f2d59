"""What TFMA hands a metric, image by image: its class and the probabilities it was given."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tensorflow_model_analysis.metrics import metric_types, metric_util
from tensorflow_model_analysis.proto import config_pb2


@dataclass(frozen=True)
class MetricRows:
    """Reads the images of TFMA's inputs, for one model of an evaluation.

    Attributes:
      eval_config: says where labels and predictions stand.
      model_name: of the model in it; empty for the only one.
      output_name: of the model's output; empty for the only one.
    """

    eval_config: config_pb2.EvalConfig | None
    model_name: str
    output_name: str

    def of(self, inputs: metric_types.StandardMetricInputs) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Label and probabilities float32[c] of each image; all count alike."""
        rows = metric_util.to_label_prediction_example_weight(
            inputs,
            eval_config=self.eval_config,
            model_name=self.model_name,
            output_name=self.output_name,
            flatten=False,
        )
        for label, probabilities, _ in rows:
            yield int(np.ravel(label)[0]), np.ravel(probabilities).astype(np.float32)
