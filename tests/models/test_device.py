"""What `auto` means, and that precision and distribution reach the model."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace

import keras
import pytest
import tensorflow as tf

from evenhand.config import Device
from evenhand.errors import UserError
from evenhand.models.training import device

has_accelerator = bool(tf.config.list_logical_devices("GPU"))


@pytest.mark.skipif(has_accelerator, reason="tells what auto means on a CPU")
def test_auto_on_a_cpu() -> None:
    resolved = device.resolve(Device(), "efficientnetv2-b0")
    assert resolved.describe() == {
        "distribution": "none",
        "replicas": 1,
        "xla": False,
        "precision": "float32",
        "steps_per_execution": 1,
    }
    assert device.resolve(Device(), "cgan").steps_per_execution > 1


def test_auto_lets_looks_happen_at_the_steps_that_are_asked_for() -> None:
    free = device.resolve(Device(), "cgan").steps_per_execution
    for every in (7, 50, 64, 1000):
        steps = device.resolve(Device(), "cgan", looks_every=every).steps_per_execution
        assert every % steps == 0 and steps <= free
        assert not any(every % more == 0 for more in range(steps + 1, free + 1))
    assert device.resolve(Device(steps_per_execution=9), "cgan", looks_every=50).steps_per_execution == 9


def test_explicit_settings_win(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "is_op_determinism_enabled", lambda: False)
    resolved = device.resolve(
        Device(distribution="none", xla=True, precision="mixed_bfloat16", steps_per_execution=7), "cgan"
    )
    assert (resolved.jit_compile, resolved.precision, resolved.steps_per_execution) == (True, "mixed_bfloat16", 7)


def test_scope_sets_the_precision_and_puts_it_back() -> None:
    resolved = device.resolve(Device(precision="mixed_bfloat16"), "cnn")
    before = keras.config.dtype_policy().name
    with resolved.scope():
        layer = keras.layers.Dense(2)
    assert layer.compute_dtype == "bfloat16"
    assert layer.variable_dtype == "float32"
    assert keras.config.dtype_policy().name == before


def test_mirrored_builds_variables_in_its_scope() -> None:
    resolved = device.resolve(Device(distribution="mirrored"), "cnn")
    assert isinstance(resolved.distribution, tf.distribute.MirroredStrategy)
    assert resolved.steps_per_execution == 1
    with resolved.scope():
        assert tf.distribute.get_strategy() is resolved.distribution
    assert tf.distribute.get_strategy() is not resolved.distribution


@pytest.mark.parametrize("distribution", ["mirrored", "multi_worker"])
def test_what_devices_cannot_share_is_told(distribution: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "_multi_worker", lambda: tf.distribute.MirroredStrategy())
    with pytest.raises(UserError, match=r"device\.steps_per_execution: 4 steps"):
        device.resolve(Device(distribution=distribution, steps_per_execution=4), "cnn")


def test_unequal_shares_of_a_batch_are_refused() -> None:
    three = device.ResolvedDevice(SimpleNamespace(num_replicas_in_sync=3), False, "float32", 1)
    device.check_batch_size(6, three, "training.batch_size")
    with pytest.raises(UserError, match=r"training\.batch_size: 64 images .* 3 devices; use a multiple of 3"):
        device.check_batch_size(64, three, "training.batch_size")


@pytest.mark.parametrize("is_late", [False, True])
def test_workers_are_set_up_before_tensorflow_is_used_or_not_at_all(is_late: bool) -> None:
    code = f"""
import json, os, socket
with socket.socket() as free:
    free.bind(("localhost", 0))
    address = f"localhost:{{free.getsockname()[1]}}"
os.environ["TF_CONFIG"] = json.dumps({{"cluster": {{"worker": [address]}}, "task": {{"type": "worker", "index": 0}}}})
import tensorflow as tf
from evenhand.config import Device
from evenhand.errors import UserError
from evenhand.models.training import device
if {is_late}:
    tf.zeros(1)
try:
    first = device.resolve(Device(distribution="multi_worker"), "cnn")
    assert first.steps_per_execution == 1, first
    assert device.resolve(Device(distribution="multi_worker"), "cgan").distribution is first.distribution
    print("set up")
except UserError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    late = "device.distribution: multi_worker must be set up before TensorFlow has been used"
    assert done.stdout.startswith(late if is_late else "set up")


def test_xla_compiles_deterministic_trainings_where_it_is_asked_for() -> None:
    code = """
import numpy as np
from evenhand.config import Device, Generator
from evenhand.data.image_table import ImageTable
from evenhand.models.train_generator import train_generator
from evenhand.models.training.device import make_deterministic, resolve

labels = np.arange(16, dtype=np.int32) % 2
table = ImageTable(np.full((16, 8, 8, 1), 9, np.uint8), labels, np.arange(16).astype(str), ("a", "b"))
config = Generator(name="cgan", steps=3, batch_size=8, monitor=None)
for _ in range(2):
    run = train_generator(table, config, device=Device(xla=True), deterministic=True)
    print(run.device["xla"], run.model.jit_compile, run.history[-1]["generator_loss"])
make_deterministic(Device())
print(resolve(Device(xla=True), "cgan").describe()["xla"])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    first, second, after = done.stdout.splitlines()
    assert first == second
    assert first.startswith("True True ")
    assert after == "False"
    assert "nothing is compiled" in done.stderr


@pytest.mark.parametrize(("is_deterministic", "compiles"), [(True, False), (False, True)])
def test_auto_compiles_on_accelerators_where_results_need_not_repeat(
    is_deterministic: bool, compiles: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device, "is_op_determinism_enabled", lambda: is_deterministic)
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: ["/GPU:0"] if kind == "GPU" else [])
    assert device.resolve(Device(), "cnn").jit_compile is compiles


@pytest.mark.skipif(has_accelerator, reason="splits the CPU into two devices")
def test_generator_trains_on_two_replicas() -> None:
    """In a process of its own, since devices are fixed when TensorFlow starts."""
    code = """
import numpy as np, tensorflow as tf
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2)
from evenhand import registry
from evenhand.models.training.checkpoint import to_array
from tests.tables import noise
from evenhand.models.training.device import ResolvedDevice
device = ResolvedDevice(tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]), False, "float32", 1)
cgan = registry.load("models.generators", "cgan")
with device.scope():
    model = cgan.build(cgan.Options(), noise((8, 8, 1), (3, 2, 1)), seed=0)
    model.prepare(steps_per_execution=1)
images, labels = np.zeros((32, 8, 8, 1), "float32"), np.arange(32, dtype="int32") % 3
before = [to_array(weight) for weight in model.generator.trainable_weights]
model.fit(tf.data.Dataset.from_tensor_slices((images, labels)).batch(8), verbose=0, shuffle=False)
assert model.steps_done == 4
after = [to_array(weight) for weight in model.generator.trainable_weights]
assert all(np.isfinite(value).all() for value in after)
assert any((old != new).any() for old, new in zip(before, after))

# One update's gradient is the mean over the replicas, not their sum: two see what one would.
import keras
from evenhand.models.training.conditional_generator import ConditionalGenerator
from evenhand.models.training.update import Update

class Falling(ConditionalGenerator):
    def __init__(self):
        super().__init__(image_shape=(1, 1, 1), num_classes=2, seed=0)
        self.own = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
        self.set_updates([Update("own", (self.own,), keras.optimizers.SGD(1.0))])
    def update_loss(self, update, batch, seed):
        return tf.reduce_sum(self.own.trainable_weights[0].value), {}
    def sample(self, labels, seeds):
        return tf.zeros((2, 1, 1, 1))

with device.scope():
    falling = Falling()
    falling.prepare()
start = to_array(falling.own.trainable_weights[0])
pixels, classes = np.zeros((4, 1, 1, 1), "float32"), np.zeros(4, "int32")
falling.fit(tf.data.Dataset.from_tensors((pixels, classes)), verbose=0, shuffle=False)
np.testing.assert_allclose(to_array(falling.own.trainable_weights[0]), start - 1.0, rtol=1e-6)

# Where networks learn in turns, the replicas' gradients cannot be merged: one device trains.
from evenhand.config import Generator
from evenhand.models import train_generator
train_generator.resolve = lambda section, name: device if section.distribution == "auto" else one
one = ResolvedDevice(None, False, "float32", 1)
config = Generator(name="bagan", steps=2, batch_size=4, options={"warm_up_steps": 1}, monitor=None)
run = train_generator.train_generator(noise((8, 8, 1), (3, 2, 1)), config)
assert run.device["replicas"] == 1 and run.model.steps_done == 2
print("two replicas:", device.num_replicas)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "two replicas: 2" in done.stdout
