"""How close training comes to what this machine can do: arithmetic as fast as a matrix product, memory as a copy.

    python -m benchmarks.hardware_limit [NAME ...] [--size 32] [--batch 64] [--write]

The two limits are measured in the same turns as the steps: a product of two 2048x2048 matrices, and a copy of 256 MB.
A training step is taken to be three times the multiplications and additions of the forward pass, which TensorFlow's
profiler counts (the backward pass has two products for each of the forward one), and to move the outputs of all layers
five times (written and read forwards; read, and their gradients written and read, backwards). A step cannot be faster
than the arithmetic alone; one in which nothing is fused takes about the sum of the two.
"""

from __future__ import annotations

import os
import statistics
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf

from benchmarks.classifier_training import CHANNELS, CLASSES, NAMES, OURS, clocks_of
from benchmarks.pages import machine
from benchmarks.performance_page import parser_for, tell
from benchmarks.sides.keras_ways import DEFAULT
from benchmarks.turns import THREADS, in_turns, markdown
from evenhand.config import Classifier
from evenhand.models.training.classification import build_network

TITLE = "What the limit of this hardware is"
TURNS = 5
STEPS = 60
"""Of a turn at most; so many that beginning a training does not count."""
SIDE = 2048
COPIED_BYTES = 256 * 2**20
FORWARD_AND_BACKWARD = 3
MOVES = 5


def product_seconds() -> float:
    """Of a product of two square matrices of float32."""
    matrix = tf.random.stateless_normal((SIDE, SIDE), seed=(0, 0))
    tf.linalg.matmul(matrix, matrix).numpy()
    started = time.perf_counter()
    tf.linalg.matmul(matrix, matrix).numpy()
    return time.perf_counter() - started


def copy_seconds() -> float:
    """Of a copy by one core, from memory that no cache holds to such memory."""
    # Both are written first: the kernel hands out pages at the first touch.
    source, target = np.ones(COPIED_BYTES, np.uint8), np.ones(COPIED_BYTES, np.uint8)
    started = time.perf_counter()
    np.copyto(target, source)
    return time.perf_counter() - started


def forward_operations(network: keras.Model, batch: int) -> float:
    """Multiplications and additions of the forward pass of a batch."""
    call = tf.function(lambda images: network(images, training=True))
    graph = call.get_concrete_function(tf.TensorSpec((batch, *network.input_shape[1:]))).graph
    builder = tf.compat.v1.profiler.ProfileOptionBuilder
    options = builder(builder.float_operation()).with_empty_output().build()
    return float(tf.compat.v1.profiler.profile(graph, options=options).total_float_ops)


def output_bytes(network: keras.Model, batch: int) -> float:
    """Of the outputs of all layers for a batch, in float32; of a network within the network, of its own layers."""
    within = [layer for layer in network.layers if isinstance(layer, keras.Model)]
    outputs = [tensor for layer in network.layers if layer not in within for tensor in tf.nest.flatten(layer.output)]
    own = 4.0 * batch * sum(np.prod(tensor.shape[1:]) for tensor in outputs)
    return own + sum(output_bytes(inner, batch) for inner in within)


def row(name: str, size: int, batch: int) -> list[str]:
    """What a step takes, and would take at the limits."""
    clocks = clocks_of(OURS, name, size, batch)
    clocks.prepare(DEFAULT)
    times = in_turns(
        {"step": lambda: clocks.seconds(DEFAULT, STEPS), "product": product_seconds, "copy": copy_seconds}, TURNS
    )
    step, product, copy = (statistics.median(times[key]) for key in ("step", "product", "copy"))
    network = build_network(Classifier(name=name), (size, size, CHANNELS), CLASSES, seed=0)
    operations = FORWARD_AND_BACKWARD * forward_operations(network, batch)
    speed, bandwidth = 2 * SIDE**3 / product, 2 * COPIED_BYTES / copy
    arithmetic, moving = operations / speed, MOVES * output_bytes(network, batch) / bandwidth
    return [
        f"`{name}`",
        f"{1e3 * step:.0f}",
        f"{operations / 1e9:.1f}",
        f"{1e3 * arithmetic:.0f}",
        f"{1e3 * moving:.0f}",
        f"{operations / step / 1e9:.0f}",
        f"{speed / 1e9:.0f}",
        f"{bandwidth / 1e9:.0f}",
        f"{arithmetic / step:.0%}",
    ]


def main() -> None:
    parser = parser_for(__doc__)
    parser.add_argument("names", nargs="*", default=list(NAMES), help="classifiers")
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--batch", type=int, default=64)
    arguments = parser.parse_args()
    rows = [row(name, arguments.size, arguments.batch) for name in arguments.names]
    head = [
        "",
        "a step, ms",
        "its arithmetic, GFLOP",
        "at the limit, ms",
        "its memory at the limit, ms",
        "reached, GFLOP/s",
        "product, GFLOP/s",
        "copy, GB/s",
        "share of the arithmetic limit",
    ]
    images = f"{arguments.batch} grey images of {arguments.size} pixels"
    text = f"Batches of {images}, augmented, {THREADS} threads, {machine()}.\n\n{markdown(head, rows)}"
    tell(TITLE, "hardware_limit", text, write=arguments.write)


if __name__ == "__main__":
    main()
