"""Processes on this machine, as two machines would be, share one training; one that is alone trains as well."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

pytestmark = pytest.mark.skipif(bool(tf.config.list_physical_devices("GPU")), reason="both would want the accelerator")

TRAIN = """
import json, sys
import numpy as np
import tensorflow as tf

distribution, replicas = sys.argv[1], int(sys.argv[2])
if distribution == "mirrored":
    tf.config.set_logical_device_configuration(
        tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2)
from evenhand.config import Device, Generator
from evenhand.models.training import device

section = Device(distribution=distribution)
if distribution == "mirrored":
    mirrored = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    device._distribution = lambda name: mirrored
assert device.resolve(section, "cnn").num_replicas == replicas
from evenhand.data.blend import Blend
from evenhand.models.phase import Phase
from evenhand.models.train_classifier import train_classifier
from evenhand.models.train_generator import train_generator
from evenhand.models.training.checkpoint import to_array
from tests.models.test_strategy_training import REAL, SYNTHETIC, config

phase = Phase(on="both", blend=Blend(weight=0.5), loss="balanced_softmax")
run = train_classifier(REAL, phase, config().model_copy(update={"device": section}), steps=4, synthetic=SYNTHETIC)
settings = Generator(name="cgan", steps=2, batch_size=8, monitor=None)
generator = train_generator(REAL, settings, device=section).model.generator
print(json.dumps({
    "device": run.device,
    "loss": run.history[-1]["loss"],
    "classifier": [float(np.square(weight).sum()) for weight in run.model.trainable_weights],
    "averages": [float(np.square(weight).sum()) for weight in run.model.non_trainable_weights],
    "generator": [float(np.square(to_array(weight)).sum()) for weight in generator.trainable_weights],
}))
"""


def start(distribution: str, replicas: int = 2, **environment: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", TRAIN, distribution, str(replicas)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **environment}
    )


def told(process: subprocess.Popen[str]) -> dict:
    output, errors = process.communicate(timeout=600)
    assert process.returncode == 0, errors[-3000:]
    return json.loads(output.splitlines()[-1])


def free_addresses(count: int) -> list[str]:
    listening = [socket.create_server(("localhost", 0)) for _ in range(count)]
    addresses = [f"localhost:{server.getsockname()[1]}" for server in listening]
    for server in listening:
        server.close()
    return addresses


def worker(addresses: list[str], index: int) -> subprocess.Popen[str]:
    task = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
    return start("multi_worker", len(addresses), TF_CONFIG=json.dumps(task))


def test_two_workers_train_one_model_as_two_devices_of_one_machine_do() -> None:
    addresses = free_addresses(2)
    workers = [worker(addresses, index) for index in range(2)]
    first, second = (told(process) for process in workers)
    mirrored = told(start("mirrored"))
    assert first["device"]["distribution"] == "CollectiveAllReduceStrategy"
    assert first["device"]["replicas"] == 2
    for part in ("loss", "classifier", "generator"):
        np.testing.assert_allclose(first[part], second[part], rtol=1e-6, err_msg=part)
        np.testing.assert_allclose(first[part], mirrored[part], rtol=1e-4, err_msg=part)
    # Keras moves the averages of batch normalisation by each replica's share of a batch; the first one's are kept.
    np.testing.assert_allclose(first["averages"], mirrored["averages"], rtol=1e-4)
    np.testing.assert_allclose(first["averages"], second["averages"], rtol=0.05)


@pytest.mark.slow
def test_a_worker_that_is_alone_trains_as_one_device_does() -> None:
    alone = told(worker(free_addresses(1), 0))
    single = told(start("none", 1))
    assert alone["device"]["distribution"] == "CollectiveAllReduceStrategy"
    for part in ("loss", "classifier", "averages", "generator"):
        np.testing.assert_allclose(alone[part], single[part], rtol=1e-4, err_msg=part)
