"""Adam in one operation against Keras' own, and against a step worked by hand."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from evenhand.models.training.fused_adam import FusedAdam

SETTINGS = {"learning_rate": 0.01, "beta_1": 0.5, "beta_2": 0.9, "epsilon": 1e-3}


def steps(optimizer, gradients) -> np.ndarray:
    variable = keras.Variable(np.array([1.0, -2.0, 0.5], np.float32))
    optimizer.build([variable])

    @tf.function
    def step(gradient):
        optimizer.apply_gradients([(gradient, variable)])

    for gradient in gradients:
        step(tf.constant(gradient))
    return np.asarray(variable)


def test_first_step_by_hand():
    # For g = 2: m = 0.5 g = 1, v = 0.1 g^2 = 0.4, corrected rate 0.01 sqrt(1 - 0.9) / (1 - 0.5).
    change = 0.01 * 0.1**0.5 / 0.5 * 1.0 / (0.4**0.5 + 1e-3)
    found = steps(FusedAdam(**SETTINGS), [np.array([2.0, 0.0, -2.0], np.float32)])
    np.testing.assert_allclose(found, [1.0 - change, -2.0, 0.5 + change], rtol=1e-6)


@pytest.mark.parametrize("clip", [{}, {"global_clipnorm": 0.5}])
def test_many_steps_are_those_of_keras(clip):
    gradients = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
    ours, theirs = (steps(kind(**SETTINGS, **clip), gradients) for kind in (FusedAdam, keras.optimizers.Adam))
    np.testing.assert_allclose(ours, theirs, rtol=1e-5)
    assert not np.allclose(ours, [1.0, -2.0, 0.5], atol=1e-3)


def test_sparse_gradients_change_their_rows_as_keras_does():
    def trained(kind) -> np.ndarray:
        table = keras.Variable(np.ones((4, 2), np.float32))
        optimizer = kind(**SETTINGS)
        optimizer.build([table])
        for _ in range(3):
            gradient = tf.IndexedSlices(tf.constant([[1.0, -1.0]]), tf.constant([2]), tf.constant([4, 2]))
            optimizer.apply_gradients([(gradient, table)])
        return np.asarray(table)

    np.testing.assert_array_equal(trained(FusedAdam), trained(keras.optimizers.Adam))


def test_the_update_of_a_variable_is_one_operation_and_what_all_share_is_computed_once():
    variables = [keras.Variable(np.zeros(3, np.float32)) for _ in range(3)]
    optimizer = FusedAdam(0.1)
    optimizer.build(variables)

    def step(gradient):
        optimizer.apply_gradients([(gradient, variable) for variable in variables])

    graph = tf.function(step).get_concrete_function(tf.zeros(3)).graph
    kinds = [operation.type for operation in graph.get_operations()]
    assert kinds.count("ResourceApplyAdam") == 3
    assert kinds.count("AssignSubVariableOp") == 0
    assert kinds.count("Pow") == 2
