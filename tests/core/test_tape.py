"""The gradient tape on arrays and variables: what counts as connected, and what is refused."""

import contextlib
import gc
import weakref

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import nacre
from nacre import ops
from nacre.core import recording


@pytest.fixture
def x():
    return jnp.asarray([1.0, 2.0])


@pytest.fixture
def v():
    return nacre.Variable([3.0, 4.0], name="v")


def values(gradients):
    return jax.tree.map(np.asarray, gradients)


def test_tape_gives_the_gradients_of_watched_arrays_and_read_variables(x, v):
    with nacre.GradientTape() as tape:
        tape.watch(x)
        y = ops.sum(x * v) + jnp.sum(jnp.tanh(x) * 2.0)
    for_x, for_v = tape.gradient(y, [x, v])
    np.testing.assert_allclose(for_x, v.numpy() + 2 * (1 - np.tanh(x) ** 2), rtol=1e-6)
    np.testing.assert_allclose(for_v, x)


def test_what_was_not_watched_has_no_gradient(x, v):
    fixed = nacre.Variable(2.0, trainable=False)
    other = nacre.Variable(1.0)
    with nacre.GradientTape(persistent=True) as tape:
        y = x * v * fixed
    found = tape.gradient(y, {"v": v, "rest": (fixed, [x, other])})
    assert found["rest"] == (None, [None, None])
    np.testing.assert_allclose(found["v"], 2 * x)
    zeros = tape.gradient(y, [x, fixed, other], unconnected_gradients="zero")
    assert [g.tolist() for g in zeros] == [[0.0, 0.0], 0.0, 0.0]
    with nacre.GradientTape() as tape:
        unused = other * 2.0
        y = v * 2.0
    assert tape.gradient(y, [other, v])[0] is None
    assert float(unused) == 2.0


def test_only_chosen_variables_are_watched_when_asked(v):
    w, fixed = nacre.Variable(1.0), nacre.Variable(5.0, trainable=False)
    with nacre.GradientTape(watch_accessed_variables=False) as tape:
        early = v * 1.0
        tape.watch([v, {"fixed": fixed}])
        y = v * w * fixed + early
    for_v, for_w, for_fixed = tape.gradient(y, [v, w, fixed])
    np.testing.assert_allclose(for_v, [5.0, 5.0])  # what was read before does not count
    assert for_w is None
    np.testing.assert_allclose(for_fixed, 7.0)
    assert tape.watched_variables() == (v, fixed)
    with nacre.GradientTape() as tape:
        v * w * fixed
        assert tape.watched_variables() == (v, w)


@pytest.mark.parametrize(
    "read",
    [
        lambda v: v.value,
        lambda v: v.raw_value,
        lambda v: ops.convert_to_tensor(v),
        lambda v: v[:],
        lambda v: v + 0,
        lambda v: +v,
        lambda v: jnp.asarray(v),
        lambda v: jnp.stack(list(v)),
        lambda v: ops.reshape(v, (2,)),
        lambda v: ops.cast(v, "float32"),
        lambda v: 1.0 * v,
    ],
)
def test_each_way_to_read_a_variable_counts(v, read):
    with nacre.GradientTape() as tape:
        y = ops.sum(read(v) ** 2)
    np.testing.assert_allclose(tape.gradient(y, v), 2 * v.numpy())


def test_a_reading_after_an_assignment_is_the_new_value():
    w = nacre.Variable(3.0)
    with nacre.GradientTape(persistent=True) as tape:
        a = w * w
        w.assign(a)
        b = w * 2.0
        c = w.assign_add(a)
        d = c * 1.0
    assert float(b) == 18.0
    assert float(tape.gradient(b, w)) == 2.0
    assert float(tape.gradient(a + b, w) or 0) == 0.0  # the sum was made outside
    assert float(tape.gradient([a, b], w)) == 8.0
    assert float(tape.gradient(d, w)) == 1.0
    assert tape.gradient(d, a) is None
    assert tape.gradient(b, a) is None


def test_what_was_read_before_the_tape_is_a_constant(v):
    before = v.value
    with nacre.GradientTape() as outer:
        middle = v.value
        with nacre.GradientTape() as inner:
            y = v * before * middle
    np.testing.assert_allclose(inner.gradient(y, v), v.numpy() ** 2)
    np.testing.assert_allclose(outer.gradient(y, v), 2 * v.numpy() ** 2)


@pytest.mark.parametrize("stop", [ops.stop_gradient, jax.lax.stop_gradient, jnp.floor])
def test_what_is_stopped_is_unconnected_and_leaves_its_operand_alone(x, stop):
    with nacre.GradientTape(persistent=True) as tape:
        tape.watch(x)
        y = stop(x) * 2.0
        z = x * x - stop(x) * x
    assert tape.gradient(y, x) is None
    np.testing.assert_allclose(tape.gradient(z, x), 2 * x - jnp.floor(x))


@jax.custom_vjp
def reversed_gradient(x):
    return x


reversed_gradient.defvjp(lambda x: (x, None), lambda _, g: (-g,))


@jax.custom_jvp
def tripled_gradient(x):
    return x


tripled_gradient.defjvp(lambda primals, tangents: (primals[0], 3.0 * tangents[0]))

# Each hands back, or may hand back, the array it got, or one of two outputs the other.
IDENTITIES = {
    "custom_vjp": (reversed_gradient, -1.0),
    "jit of custom_vjp": (jax.jit(reversed_gradient), -1.0),
    "custom_jvp": (tripled_gradient, 3.0),
    "custom_gradient": (ops.custom_gradient(lambda x: (x, lambda upstream: -2.0 * upstream)), -2.0),
    "jit": (jax.jit(lambda x: x), 1.0),
    "jit of stop_gradient": (jax.jit(lambda x: jax.lax.stop_gradient(x)), 0.0),
    "jit of both": (lambda x: jax.jit(lambda x: (x, jax.lax.stop_gradient(x)))(x)[1], 0.0),
    "asarray": (jnp.asarray, 1.0),
    "reshape": (lambda x: x.reshape(x.shape), 1.0),
    "device_put": (jax.device_put, 1.0),
    "astype": (lambda x: x.astype(x.dtype), 1.0),
    "copy": (jnp.copy, 1.0),
    "checkpoint": (jax.checkpoint(lambda x: x), 1.0),
    "straight through": (lambda x: x + jax.lax.stop_gradient(jnp.round(x) - x), 1.0),
    "dropout": (lambda x: nacre.layers.Dropout(0.5)(x, training=False), 1.0),
    "identity": (lambda x: nacre.layers.Identity()(x), 1.0),
    "linear": (lambda x: nacre.activations.linear(x), 1.0),
    "barrier": (lambda x: jax.lax.optimization_barrier(x), 1.0),
}


@pytest.mark.parametrize("name", IDENTITIES)
@pytest.mark.parametrize("where", ["eager", "jit"])
def test_functions_that_hand_back_their_operand_keep_its_gradient_apart(x, name, where):
    function, slope = IDENTITIES[name]

    def gradient(x):
        with nacre.GradientTape() as tape:
            tape.watch(x)
            y = ops.sum(function(x) * 5.0) + ops.sum(x * x) + ops.sum(function(x * 1.0))
        return tape.gradient(y, x)

    run = jax.jit(gradient) if where == "jit" else gradient
    np.testing.assert_allclose(run(x), 2 * x + 6.0 * slope, rtol=1e-6)


def test_sources_may_be_intermediate_results(x):
    with nacre.GradientTape(persistent=True) as tape:
        tape.watch(x)
        h = x * x
        y = h * h
    for_x, for_h = tape.gradient(y, [x, h])
    np.testing.assert_allclose(for_x, 4 * x**3)
    np.testing.assert_allclose(for_h, 2 * x**2)
    np.testing.assert_allclose(tape.gradient([y, h], h), 2 * x**2 + 1)
    np.testing.assert_allclose(tape.gradient(x, x), [1.0, 1.0])


def test_several_targets_are_added_and_weighted(x, v):
    with nacre.GradientTape(persistent=True) as tape:
        y, z = v * 2.0, v * 3.0
    np.testing.assert_allclose(tape.gradient([y, y], v), [4.0, 4.0])
    np.testing.assert_allclose(tape.gradient({"a": y, "b": [z]}, v), [5.0, 5.0])
    weighted = tape.gradient([y, z], v, output_gradients=[jnp.asarray([1.0, 10.0]), None])
    np.testing.assert_allclose(weighted, [5.0, 23.0])
    with pytest.raises(nacre.core.errors.ShapeError, match=r"\(3,\) for a target of \(2,\)"):
        tape.gradient(y, v, output_gradients=jnp.ones(3))
    with pytest.raises(ValueError, match="1 for 2 targets"):
        tape.gradient([y, z], v, output_gradients=[jnp.ones(2)])


@pytest.mark.parametrize("where", ["eager", "jit"])
def test_nested_tapes_give_derivatives_of_higher_order(x, where):
    def derivatives(x):
        with nacre.GradientTape(persistent=True) as outer:
            outer.watch(x)
            with nacre.GradientTape() as inner:
                inner.watch(x)
                h = x * x
                y = ops.sum(h * h * h)
            for_h, for_x = inner.gradient(y, [h, x])
        return (
            outer.gradient(for_h, [x, h]),
            outer.gradient(for_x, [x, h]),
            outer.jacobian(for_x, x),
        )

    run = jax.jit(derivatives) if where == "jit" else derivatives
    (a, b), (c, d), hessian = run(x)  # the numbers are TensorFlow's
    np.testing.assert_allclose(a, [12.0, 96.0])
    np.testing.assert_allclose(b, [6.0, 24.0])
    np.testing.assert_allclose(c, [30.0, 480.0])
    np.testing.assert_allclose(d, [12.0, 96.0])
    np.testing.assert_allclose(hessian, [[30.0, 0.0], [0.0, 480.0]])


def test_a_persistent_tape_differentiates_its_own_gradient():
    x = jnp.asarray(2.0)
    with nacre.GradientTape(persistent=True) as tape:
        tape.watch(x)
        y = x**4
        slope = tape.gradient(y, x)
        curve = tape.gradient(slope, x)
    assert (float(slope), float(curve), float(tape.gradient(curve, x))) == (32.0, 48.0, 48.0)


def test_jacobians_have_the_targets_axes_before_the_sources(x, v):
    matrix = jnp.asarray([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    with nacre.GradientTape(persistent=True) as tape:
        tape.watch(x)
        y = jnp.tanh(matrix @ (x * x))
        other = v * 1.0
    expected = jax.jacobian(lambda x: jnp.tanh(matrix @ (x * x)))(x)
    for at_once in (True, False):
        found = tape.jacobian(y, [x, v], experimental_use_pfor=at_once)
        np.testing.assert_allclose(found[0], expected, rtol=1e-5, atol=1e-7)
        assert found[1] is None
    assert tape.jacobian(y, v, unconnected_gradients="zero").shape == (3, 2)
    np.testing.assert_allclose(tape.jacobian(other, v), np.eye(2))
    with pytest.raises(ValueError, match="target must be one array"):
        tape.jacobian([y], x)


def test_batch_jacobian_is_the_jacobian_of_each_sample():
    x = jnp.arange(6.0).reshape(3, 2)
    w = jnp.asarray([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    with nacre.GradientTape(persistent=True) as tape:
        tape.watch(x)
        y = jnp.sin(x @ w)
        flat = y.reshape(-1)
    found = tape.batch_jacobian(y, x)
    np.testing.assert_allclose(
        found, jax.vmap(jax.jacobian(lambda x: jnp.sin(x @ w)))(x), rtol=1e-5
    )
    np.testing.assert_allclose(tape.batch_jacobian(y, x, experimental_use_pfor=False), found)
    np.testing.assert_array_equal(tape.batch_jacobian(jnp.ones((3, 4)), x), jnp.zeros((3, 4, 2)))
    for target in (flat, y[:2]):
        with pytest.raises(ValueError, match="two axes or more, and the same batch size"):
            tape.batch_jacobian(target, x)


def test_misuse_is_refused_as_tensorflow_does(x, v):
    tape = nacre.GradientTape()
    with tape:
        y = v * v
        with pytest.raises(ValueError, match="cannot be entered again"):
            tape.__enter__()
    tape.gradient(y, v)
    with pytest.raises(RuntimeError, match="gives one set of gradients"):
        tape.gradient(y, v)
    with pytest.raises(RuntimeError, match="gives one set of gradients"):
        tape.jacobian(y, v)
    with pytest.raises(RuntimeError, match="must be recording"), tape.stop_recording():
        pass
    with pytest.raises(ValueError, match="must be recording"):
        tape.reset()
    with nacre.GradientTape(persistent=True) as tape:
        y = v * 2.0
        with pytest.raises(ValueError, match="convert_to_tensor"):
            tape.watch(np.ones(2))
    with pytest.raises(TypeError, match="target must be an array"):
        tape.gradient(None, v)
    with pytest.raises(ValueError, match="'none' or 'zero'"):
        tape.gradient(y, v, unconnected_gradients="nil")
    with pytest.raises(ValueError, match="sources must be variables, or arrays"):
        tape.gradient(y, np.ones(2))
    assert tape.gradient(y, []) == []


def test_whole_numbers_have_no_gradient_and_this_is_said(v):
    number = jnp.asarray(3)
    with nacre.GradientTape(persistent=True) as tape:
        with pytest.warns(UserWarning, match="int32, and only floats have gradients"):
            tape.watch(number)
        y = v * number.astype("float32")
        z = ops.cast(v, "int32")
    assert tape.gradient(y, number) is None
    with pytest.warns(UserWarning, match="a target is int32"):
        assert tape.gradient(z, v) is None


def test_a_tape_goes_on_when_it_is_entered_again_and_begins_anew_after_reset(v):
    tape = nacre.GradientTape()
    with tape:
        y = v * 2.0
    outside = v * 7.0
    with tape:
        z = y * 3.0 + outside
    np.testing.assert_allclose(tape.gradient(z, v), [6.0, 6.0])
    with nacre.GradientTape() as tape:
        y = v * 2.0
        tape.reset()
        z = v * 3.0 + y
    np.testing.assert_allclose(tape.gradient(z, v), [3.0, 3.0])


def test_nothing_is_recorded_while_recording_is_stopped(x, v):
    with nacre.GradientTape(persistent=True) as outer:
        with nacre.GradientTape() as tape:
            y = v * 2.0
            with tape.stop_recording():
                z = v * y
            total = y + z + v.value * 0.5
    np.testing.assert_allclose(tape.gradient(total, v), [2.5, 2.5])
    np.testing.assert_allclose(outer.gradient(total, v), 2.5 + 4 * v.numpy())


def test_a_gradient_within_the_block_ends_a_tape(v):
    with nacre.GradientTape() as tape:
        y = v * v
        found = tape.gradient(y, v)
        with pytest.raises(RuntimeError, match="must be recording"), tape.stop_recording():
            pass
    np.testing.assert_allclose(found, 2 * v.numpy())
    assert recording.recording_tapes == 0


def test_an_error_in_the_block_ends_the_recording(v):
    tape = nacre.GradientTape()
    with contextlib.suppress(KeyError), tape:
        y = v * v
        raise KeyError("a")
    assert recording.current_recorder() is None
    np.testing.assert_allclose(tape.gradient(y, v), 2 * v.numpy())


def test_two_tapes_record_the_same_code(x, v):
    with nacre.GradientTape() as first, nacre.GradientTape() as second:
        second.watch(x)
        y = ops.sum(v * x)
        z = ops.sum(x**2) + y
    np.testing.assert_allclose(first.gradient(y, v), x)
    np.testing.assert_allclose(second.gradient(z, x), 2 * x + v.numpy())


def test_complex_gradients_are_tensorflows():
    c = jnp.asarray(1 + 2j)
    with nacre.GradientTape() as tape:
        tape.watch(c)
        y = jnp.real(c * jnp.conj(c))
    assert complex(tape.gradient(y, c)) == 2 + 4j


def test_a_finished_tape_frees_what_it_recorded(v):
    gc.disable()
    try:
        with nacre.GradientTape() as tape:
            h = v * 2.0
            y = ops.sum(h * h)
        inner, kept = weakref.ref(h), weakref.ref(tape)
        del h
        assert inner() is not None
        found = tape.gradient(y, [v])
        assert inner() is None
        assert tape.watched_variables() == (v,)
        found = [weakref.ref(gradient) for gradient in found]
        assert found[0]() is None  # in no cycle either
        with nacre.GradientTape(persistent=True) as tape:
            h = v * 2.0
            y = ops.sum(h * h)
        inner = weakref.ref(h)
        del h
        tape.gradient(y, v)
        assert inner() is not None
        del tape
        assert inner() is None
        assert kept() is None
    finally:
        gc.enable()


def test_arrays_stay_arrays_within_a_tape(x):
    with nacre.GradientTape() as tape:
        tape.watch(x)
        y = ops.sum(x * x)
        assert float(y) == 5.0
        assert np.asarray(y).shape == ()
        y = y * 2.0 if y > 3.0 else y
        first, second = x
        y = y + first * second
    np.testing.assert_allclose(tape.gradient(y, x), 4 * x + x[::-1])


# ------------------------------------------------------------------ loops, branches, own gradients


def scanned(w, x):
    return ops.scan(lambda c, row: (ops.tanh(c * w + row), c), x[0], x)[0]


def mapped(w, x):
    return ops.map(lambda row: ops.sin(row * w), x)


def vectorized(w, x):
    return ops.vectorized_map(lambda row: ops.sin(row * w), x)


def chosen(w, x):
    return ops.cond(ops.sum(x) > 0, lambda: x * w, lambda: x + w)


def unlike(w, x):
    return ops.switch(1, [lambda a: a, lambda a: a * w * w], x)


def counted(w, x):
    return ops.fori_loop(0, 3, lambda i, a: a * w, x)


def while_small(w, x):
    return ops.while_loop(lambda i, a: i < 3, lambda i, a: (i + 1, a * w), (0, x))[1]


def kept_small(w, x):
    return jax.checkpoint(lambda x: ops.tanh(x * ops.convert_to_tensor(w)))(x)


def vmapped(w, x):
    return jax.vmap(lambda row: row * ops.convert_to_tensor(w) ** 2)(x)


def differentiated(w, x):
    return jax.grad(lambda x: ops.sum(ops.sin(x) * ops.convert_to_tensor(w)))(x)


BODIES = [
    scanned, mapped, vectorized, chosen, unlike, counted, while_small, kept_small, vmapped,
    differentiated,
]  # fmt: skip


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("where", ["eager", "program"])
def test_bodies_of_loops_and_branches_may_read_variables(body, where):
    from nacre.core.program import CallProgram
    from nacre.core.state import State

    w, x = nacre.Variable(0.5), jnp.asarray([[1.0, 2.0], [3.0, 4.0]])

    def gradients(x):
        with nacre.GradientTape() as tape:
            tape.watch(x)
            y = ops.sum(body(w, x) ** 2)
        return tape.gradient(y, [w, x])

    expected = jax.grad(lambda w, x: jnp.sum(body(w, x) ** 2), (0, 1))
    if where == "eager":
        found = gradients(x)
    elif body is while_small:
        pytest.skip("a loop of unknown length has no derivative in a program")
    else:
        found = CallProgram(gradients, State({"w": [w]})).run(x)
    if body is while_small:
        expected = jax.grad(lambda w, x: jnp.sum((x * w**3) ** 2), (0, 1))
    for a, b in zip(found, expected(w.value, x), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5)


def test_a_loop_of_unknown_length_in_a_program_says_that_it_has_no_derivative(x):
    def gradient(x):
        with nacre.GradientTape() as tape:
            tape.watch(x)
            y = ops.while_loop(lambda i, a: i < 3, lambda i, a: (i + 1, a * x), (0, x))[1]
            z = y * 0.0 + x
        return tape.gradient(y if x.shape == (2,) else z, x)

    with pytest.raises(ValueError, match="maximum_iterations|Reverse-mode"):
        jax.jit(gradient)(x)


def test_a_function_with_its_own_gradient_must_be_given_what_it_depends_on(x, v):
    @ops.custom_gradient
    def scaled(x):
        return x * v, lambda upstream: upstream * v

    with nacre.GradientTape() as tape:
        tape.watch(x)
        with pytest.raises(ValueError, match="takes what has a gradient as arguments"):
            scaled(x)


def test_own_gradients_hold_within_tapes(x):
    @ops.custom_gradient
    def clipped(x):
        return x * x, lambda upstream: ops.clip(upstream * 2 * x, -3.0, 3.0)

    with nacre.GradientTape(persistent=True) as outer:
        outer.watch(x)
        with nacre.GradientTape() as tape:
            tape.watch(x)
            y = ops.sum(clipped(x) * 1.0)
        slope = tape.gradient(y, x)
    np.testing.assert_allclose(slope, [2.0, 3.0])
    np.testing.assert_allclose(outer.gradient(slope, x), [2.0, 0.0])


def in_scope(v, value):
    with nacre.StatelessScope([(v, value)]):
        return v * v


@pytest.mark.parametrize("where", [lambda f: f, jax.jit], ids=["eagerly", "jit"])
def test_what_stands_for_a_variable_in_a_scope_keeps_what_it_was_computed_from(where):
    v, other = nacre.Variable(2.0), nacre.Variable(2.0)

    def slopes(a):
        with nacre.GradientTape(persistent=True) as tape:
            tape.watch(a)
            w = v * 3.0
            y = in_scope(v, w)
            z = in_scope(v, a) + in_scope(other, a)
        return *tape.gradient(y, [v, w]), tape.gradient(z, a), tape.gradient(z, [v, other])

    for_v, for_w, for_a, nothing = where(slopes)(jnp.asarray(5.0))
    assert (float(for_v), float(for_w), float(for_a)) == (36.0, 12.0, 20.0)
    assert nothing == [None, None]


def test_an_inner_tape_reads_the_variable_where_an_outer_one_knows_what_stands_for_it():
    v = nacre.Variable(2.0)
    with nacre.GradientTape() as outer:
        w = v * 3.0
        with nacre.GradientTape() as inner:
            y = in_scope(v, w) * w
        slope = inner.gradient(y, v)  # of u -> u * u * w at u = w, whose slope is 2 * w * w
    assert float(slope) == 72.0
    assert float(outer.gradient(slope, v)) == 4 * 6.0 * 3.0


@pytest.mark.parametrize("where", [lambda f: f, jax.jit], ids=["eagerly", "jit"])
def test_an_assignment_in_a_scope_is_read_as_the_variable(where):
    v = nacre.Variable(2.0)

    def slopes(value):
        with nacre.StatelessScope([(v, value)]), nacre.GradientTape(persistent=True) as tape:
            w = v * 3.0
            v.assign(w)
            y = v * v
        return tape.gradient(y, v), tape.gradient(y, w)

    found, nothing = where(slopes)(jnp.asarray(2.0))
    assert (float(found), nothing) == (12.0, None)


def test_the_gradient_of_a_variable_for_itself_is_one_though_nothing_read_it():
    one, other = nacre.Variable([1.0, 2.0]), nacre.Variable(3.0)
    with nacre.GradientTape() as tape:
        target = one
    found, none = tape.gradient(target, [one, other])
    assert np.asarray(found).tolist() == [1.0, 1.0]
    assert none is None


def test_whole_numbers_of_the_host_are_watched_with_a_warning_and_have_no_gradient():
    x = np.array([1, 2])
    with (
        nacre.GradientTape() as tape,
        pytest.warns(UserWarning, match="only floats have gradients"),
    ):
        tape.watch(x)
    y = nacre.Variable(1.0)
    with nacre.GradientTape() as tape:
        loss = y * 2.0
    assert tape.gradient(loss, [x, y])[0] is None
