"""The compiled step of Adam: the formula's numbers, in place, where it takes part and where not."""

from __future__ import annotations

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import nacre
from nacre import layers
from nacre.core.variable import Variable
from nacre.ops.kernels import adam_native
from nacre.ops.kernels.native import library
from nacre.ops.kernels.placement import inside_loop, own_program
from nacre.optimizers import Adam, AdamW, LossScaleOptimizer
from tests import native

pytestmark = pytest.mark.full_effort  # numbers to the last bits, as XLA rounds a person's

SHAPES = [(300, 70), (7,), (), (33, 5), (2**14 + 3,)]  # the last in two pieces


def built(optimizer, shapes=SHAPES, dtype="float32"):
    """An optimizer, and values as `stateless_apply` takes them: its own, gradients, parameters."""
    generator = np.random.default_rng(0)
    variables = [
        Variable(np.zeros(shape), dtype=dtype, name=f"v{i}") for i, shape in enumerate(shapes)
    ]
    optimizer.build(variables)

    def some(shape, scale=1.0):
        sizes = np.exp(3 * generator.standard_normal(shape))
        return jnp.asarray(scale * sizes * generator.standard_normal(shape), dtype)

    own = [v.value for v in optimizer.variables]
    own = [a + abs(some(a.shape, 0.1)).astype(a.dtype) if v.name.endswith(("momentum", "velocity")) else a
           for v, a in zip(optimizer.variables, own, strict=True)]  # fmt: skip
    return own, [some(shape) for shape in shapes], [some(shape) for shape in shapes]


def step(optimizer, *values):
    with own_program():
        return optimizer.stateless_apply(*values)


def two_steps(optimizer, own, gradients, parameters):
    """Two programs of one step: what XLA rounds otherwise, where it fuses two, is not meant."""
    once = jax.jit(lambda *v: step(optimizer, *v))
    parameters, own = once(own, gradients, parameters)
    return once(own, [gradient * 0.7 for gradient in gradients], parameters)


def uses_kernel(optimizer, values):
    return "ffi_call" in str(jax.make_jaxpr(lambda *v: step(optimizer, *v))(*values))


def assert_within_two_ulp(actual, expected):
    for a, e in zip(jax.tree.leaves(actual), jax.tree.leaves(expected), strict=True):
        np.testing.assert_array_max_ulp(np.asarray(a), np.asarray(e), maxulp=2)


@pytest.fixture(autouse=True)
def _kernel():
    native.need(library.ADAM)


OPTIMIZERS = {
    "Adam": lambda: Adam(0.01),
    "another beta and epsilon": lambda: Adam(0.01, beta_1=0.5, beta_2=0.9, epsilon=1e-3),
    "AdamW": lambda: AdamW(0.01),
    "clipped": lambda: Adam(global_clipnorm=1.0),
    "averaged": lambda: Adam(use_ema=True),
    "accumulating": lambda: Adam(gradient_accumulation_steps=2),
    "two rates": lambda: AdamW(learning_rate_multipliers={"v0": 0.5}),
    "scheduled": lambda: Adam(nacre.optimizers.schedules.ExponentialDecay(0.1, 10, 0.5)),
    "scaled": lambda: LossScaleOptimizer(Adam()),
}


@pytest.mark.parametrize("kind", [kind for kind in OPTIMIZERS if kind != "clipped"])
def test_a_step_gives_the_numbers_of_the_plain_form(kind, monkeypatch):
    optimizer = OPTIMIZERS[kind]()
    values = built(optimizer)
    assert uses_kernel(optimizer, values)

    compiled = two_steps(optimizer, *values)
    monkeypatch.setenv("NACRE_NATIVE", "0")
    assert not uses_kernel(optimizer, values)
    assert_within_two_ulp(compiled, two_steps(optimizer, *values))


def test_clipped_gradients_give_the_numbers_of_the_plain_form(monkeypatch):
    optimizer = OPTIMIZERS["clipped"]()
    values = built(optimizer)
    compiled = two_steps(optimizer, *values)
    monkeypatch.setenv("NACRE_NATIVE", "0")
    plain = two_steps(optimizer, *values)
    # XLA rounds the clipped gradient once where it is alone, and not where it is fused.
    sizes = compiled[0], [abs(a) + 1 for a in compiled[1]]
    for a, e, size in zip(*map(jax.tree.leaves, (compiled, plain, sizes)), strict=True):
        np.testing.assert_allclose(a / size, e / size, rtol=3e-7, atol=3e-7)


def test_gradients_that_are_no_numbers_or_zero_give_what_the_plain_form_gives(monkeypatch):
    optimizer = Adam()
    own, gradients, parameters = built(optimizer)
    own = [jnp.zeros_like(a) if a.shape == SHAPES[0] else a for a in own]
    odd = jnp.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-30, 3e38], jnp.float32)
    gradients[0] = gradients[0].at[0, : odd.size].set(odd)
    compiled = jax.jit(lambda *v: step(optimizer, *v))(own, gradients, parameters)
    monkeypatch.setenv("NACRE_NATIVE", "0")
    plain = jax.jit(lambda *v: step(optimizer, *v))(own, gradients, parameters)
    assert_within_two_ulp(compiled, plain)
    assert np.isnan(compiled[0][0][0, :3]).all() and np.isfinite(compiled[0][0][0, 3:6]).all()


@pytest.mark.parametrize("kind", ["Adam", "AdamW", "clipped", "averaged"])
def test_nothing_of_a_parameters_size_is_copied_in_a_loop(kind):
    optimizer = OPTIMIZERS[kind]()
    own, _, parameters = built(optimizer, [(200, 128), (128, 10)])
    x = jnp.ones((32, 200))

    def loss(weights):
        return (jnp.tanh(x @ weights[0]) @ weights[1]).sum()

    def run(own, parameters):
        def body(_, carry):
            own, parameters = carry
            parameters, own = optimizer.stateless_apply(own, jax.grad(loss)(parameters), parameters)
            return own, parameters

        with inside_loop():
            return jax.lax.fori_loop(0, 3, body, (own, parameters))

    text = jax.jit(run, donate_argnums=(0, 1)).lower(own, parameters).compile().as_text()
    assert "adam" in text and "custom-call" in text
    assert not re.findall(r"f32\[(?:200,128|128,10)\]\S* copy\(", text)


def test_what_the_caller_keeps_is_not_written_over():
    optimizer = Adam()
    values = built(optimizer)
    before = jax.tree.map(np.array, values)
    jax.block_until_ready(jax.jit(lambda *v: step(optimizer, *v))(*values))
    jax.block_until_ready(step(optimizer, *values))  # without a compiled program too
    jax.tree.map(np.testing.assert_array_equal, jax.tree.map(np.array, values), before)


def test_a_gradient_through_steps_is_that_of_the_plain_form(monkeypatch):
    optimizer = AdamW(0.01)
    own, gradients, parameters = built(optimizer, [(128, 128), (3,)])

    def after(parameters):
        slopes = [g * p for g, p in zip(gradients, parameters, strict=True)]
        parameters, new = step(optimizer, own, slopes, parameters)
        parameters, _ = step(optimizer, new, gradients, parameters)
        return sum(jnp.tanh(p).sum() for p in parameters)

    def both():  # a new function, as the switch is read at every trace
        run = lambda p: (jax.grad(after)(p), jax.jvp(after, (p,), (gradients,))[1])
        return jax.jit(run)(parameters)

    compiled = both()
    monkeypatch.setenv("NACRE_NATIVE", "0")
    for a, e in zip(jax.tree.leaves(compiled), jax.tree.leaves(both()), strict=True):
        np.testing.assert_allclose(a, e, rtol=1e-4, atol=1e-4)


def test_steps_of_several_models_at_once_are_those_of_each():
    optimizer = Adam()
    own, gradients, parameters = built(optimizer, [(128, 128), ()])
    scales = jnp.array([1.0, -2.0, 0.5])
    run = lambda scale: step(optimizer, own, [g * scale for g in gradients], parameters)
    together = jax.jit(jax.vmap(run))(scales)
    for i, scale in enumerate(scales):
        assert_within_two_ulp(jax.tree.map(lambda a: a[i], together), jax.jit(run)(scale))  # noqa: B023


class Halved(Adam):
    """A rule of the user's on top of Adam's."""

    def update_array(self, gradient, state, parameter, scalars):
        new, state = super().update_array(gradient, state, parameter, scalars)
        return (new + parameter) / 2, state


PLAIN = {
    "amsgrad": (lambda: Adam(amsgrad=True), SHAPES, "float32"),
    "a rule of its own": (Halved, SHAPES, "float32"),
    "16 bits": (Adam, SHAPES, "bfloat16"),
    "few numbers": (Adam, [(64, 60)], "float32"),
    "nothing in an array": (Adam, [*SHAPES, (0, 4)], "float32"),
}


@pytest.mark.parametrize("kind", PLAIN)
def test_elsewhere_the_plain_form_runs(kind):
    make, shapes, dtype = PLAIN[kind]
    optimizer = make()
    values = built(optimizer, shapes, dtype)
    assert not uses_kernel(optimizer, values)


def test_a_program_of_somebody_elses_has_no_compiled_call():
    optimizer = Adam()
    values = built(optimizer)
    assert "ffi_call" not in str(jax.make_jaxpr(optimizer.stateless_apply)(*values))


def test_fit_and_a_step_by_itself_use_it(monkeypatch):
    seen = []
    real = adam_native.update
    monkeypatch.setattr(adam_native, "update", lambda *a: seen.append(1) or real(*a))
    model = nacre.Sequential([nacre.Input((200,)), layers.Dense(100), layers.Dense(1)])
    model.compile(Adam(), "mse")
    x, y = np.ones((6, 200), "float32"), np.ones((6, 1), "float32")
    model.fit(x, y, batch_size=2, verbose=0)
    assert seen
    seen.clear()
    model.train_on_batch(x, y)
    assert seen


def test_a_decay_takes_no_pass_of_its_own():
    optimizer = AdamW()
    values = built(optimizer, [(128, 128)])
    steps = jax.make_jaxpr(lambda *v: step(optimizer, *v))(*values).eqns
    large = [e for e in steps if any(result.aval.shape == (128, 128) for result in e.outvars)]
    assert len(large) == 1  # the kernel
