"""Traces that are made once and played back: in programs, under tapes, for other shapes."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import nacre as keras
from nacre import layers, ops
from nacre.core import scope
from nacre.core.errors import TracedValueError
from nacre.core.played import Played, form_of
from nacre.core.variable import Variable


def _played(function, *arrays):
    return Played(lambda found: (list(function(*found)), "rest"), arrays, scope.ProgramRun(True))


def test_it_tells_what_is_read_and_what_is_changed():
    read, changed, set_only, untouched = (Variable(float(i)) for i in range(4))

    def call(x):
        changed.assign_add(x * read.value)
        set_only.assign(x)
        return [x + changed.value]

    trace = _played(call, jnp.float32(2.0))
    assert trace.read == [read] and trace.changed == [changed, set_only]
    assert untouched.numpy() == 3 and changed.numpy() == 1 and not trace.made_variables


def test_it_is_played_on_present_values():
    v = Variable(1.0)
    trace = _played(lambda x: [v.assign_add(x) * 10.0], jnp.float32(2.0))
    with scope.StatelessScope([(v, jnp.float32(5.0))]) as inner:
        leaves, rest = trace.play([jnp.float32(1.0)])
        assert (float(leaves[0]), rest) == (60.0, "rest")
        assert float(inner.get_current_value(v)) == 6.0
    assert v.numpy() == 1.0


def test_a_variable_first_read_within_a_loop_is_an_input():
    v = Variable(2.0)

    def call(x):
        return [jax.lax.fori_loop(0, 3, lambda _, y: y * v.value, x) + v.value]

    trace = _played(call, jnp.float32(1.0))
    with scope.StatelessScope([(v, jnp.float32(3.0))]):
        assert float(trace.play([jnp.float32(1.0)])[0][0]) == 30.0


def test_variables_made_within_are_told():
    assert _played(lambda x: [x + Variable(1.0).value], jnp.float32(1.0)).made_variables


def test_variables_made_of_tensors_have_the_value_that_these_had():
    scale, made = Variable(2.0), []

    def call(x):
        made.append(Variable(jnp.exp(jnp.zeros(2)) * scale.value + x))
        made[0].assign_add(jnp.ones(2))
        return [made[0].value]

    trace = _played(call, jnp.float32(5.0))
    assert trace.made_variables and made[0].numpy().tolist() == [7.0, 7.0]


def test_a_form_tells_shapes_dtypes_and_settings_apart():
    x = np.ones((2,), "float32")
    forms = {form_of([x]), form_of([x[:1]]), form_of([x.astype("int32")])}
    with jax.default_matmul_precision("highest"):
        forms.add(form_of([x]))
    assert len(forms) == 4 and form_of([jnp.ones(2)]) == form_of([x])


@pytest.mark.parametrize("first", ["plain", "tape"])
def test_gradients_random_numbers_and_states_are_those_of_each_run(first):
    traced = []
    model = keras.Sequential(
        [keras.Input((3,)), layers.BatchNormalization(), layers.Dropout(0.5), layers.Dense(2)]
    )
    x = np.arange(12, dtype="float32").reshape(4, 3)

    @keras.function
    def step(x):
        traced.append(1)
        return ops.sum(ops.square(model(x, training=True)))

    def taped():
        with keras.GradientTape() as tape:
            loss = step(x)
        return tape.gradient(loss, model.trainable_variables[-2])

    ways = [lambda: float(step(x)), lambda: float(np.abs(taped()).sum())]
    found = [way() for way in (ways if first == "plain" else ways[::-1]) for _ in range(2)]
    assert len(set(found)) == 4 and np.isfinite(found).all() and len(traced) == 1
    moving = model.layers[0].moving_mean.numpy()
    expected = x.mean(0) * (1 - 0.99**4)
    np.testing.assert_allclose(moving, expected, rtol=1e-4)


def test_what_one_shape_only_reads_another_changes():
    v = Variable(1.0)

    @keras.function
    def call(x):
        if x.shape[0] > 1:
            v.assign_add(1.0)
        return v.value + x[0]

    assert [float(call(np.zeros((n,), "float32"))) for n in (1, 2, 2, 1)] == [1, 2, 3, 3]
    assert v.numpy() == 3


def test_a_gradient_of_ones_own_is_played_back():
    @jax.custom_gradient
    def scaled(x):
        return x * 2, lambda d: d * 10 * x

    v = Variable(3.0)
    call = keras.function(lambda: scaled(v.value) + 1.0)
    assert float(call()) == 7
    with keras.GradientTape() as tape:
        y = call()
    assert float(tape.gradient(y, v)) == 30


def test_tensors_kept_by_objects_stand_for_nothing_afterwards():
    class Keeping(layers.Layer):
        def call(self, inputs):
            self.last = inputs * 2
            return self.last

    layer = Keeping()
    call = keras.function(lambda x: layer(x))
    layer.build((2,))
    call(np.ones(2, "float32"))
    with pytest.raises(TracedValueError, match="no value afterwards"):
        layer.last + 1
