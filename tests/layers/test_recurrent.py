"""Recurrent layers: masks, states, directions, dropout, cells of one's own."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import nacre
from nacre import layers
from nacre.core.errors import ArgumentError, ShapeError

CLASSIC = ["SimpleRNN", "LSTM", "GRU"]
CELLS = {"SimpleRNN": "SimpleRNNCell", "LSTM": "LSTMCell", "GRU": "GRUCell"}


def random(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=shape).astype("float32")


def close(a, b, tolerance=1e-5):
    np.testing.assert_allclose(np.asarray(a), np.asarray(b), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("name", CLASSIC)
def test_padded_sequence_ends_like_the_short_one(name):
    layer = getattr(layers, name)(4, return_state=True)
    x = random(2, 6, 3)
    mask = np.zeros((2, 6), bool)
    mask[:, :4] = True
    for padded, short in zip(layer(x, mask=mask), layer(x[:, :4]), strict=True):
        close(padded, short)


@pytest.mark.parametrize("merge_mode", ["concat", "sum", "mul", "ave"])
def test_bidirectional_over_padding_is_bidirectional_over_the_short_sequence(merge_mode):
    x = random(2, 6, 3)
    mask = np.zeros((2, 6), bool)
    mask[:, :4] = True
    last = layers.Bidirectional(layers.GRU(4), merge_mode=merge_mode)
    close(last(x, mask=mask), last(x[:, :4]))
    every = layers.Bidirectional(layers.GRU(4, return_sequences=True), merge_mode=merge_mode)
    close(np.asarray(every(x, mask=mask))[:, :4], every(x[:, :4]))
    assert not np.asarray(every(x, mask=mask))[:, 4:].any()


@pytest.mark.parametrize("name", CLASSIC)
def test_loop_over_the_cell_equals_the_fast_layer(name):
    fast = getattr(layers, name)(4, return_sequences=True, return_state=True)
    x, mask = random(2, 5, 3), np.array([[1, 1, 0, 1, 1], [0, 1, 1, 1, 0]], bool)
    fast.build(x.shape)

    class Plain(getattr(layers, CELLS[name])):
        """A subclass may override the step, so it is stepped."""

    slow = layers.RNN(Plain(4), return_sequences=True, return_state=True)
    slow.build(x.shape)
    slow.set_weights(fast.get_weights())
    for a, b in zip(fast(x, mask=mask), slow(x, mask=mask), strict=True):
        close(a, b)


def test_go_backwards_is_the_forward_layer_on_reversed_steps():
    backwards = layers.LSTM(4, return_sequences=True, go_backwards=True)
    x = random(2, 5, 3)
    y = backwards(x)
    forwards = layers.LSTM(4, return_sequences=True)
    forwards.build(x.shape)
    forwards.set_weights(backwards.get_weights())
    close(y, forwards(x[:, ::-1]))


@pytest.mark.parametrize("name", CLASSIC)
def test_stateful_layer_continues_where_it_stopped(name):
    x = random(2, 6, 3)
    layer = getattr(layers, name)(4, stateful=True)
    layer.build((2, 3, 3))
    whole = getattr(layers, name)(4)
    whole.build(x.shape)
    whole.set_weights(layer.get_weights())
    layer(x[:, :3])
    close(layer(x[:, 3:]), whole(x))
    layer.reset_states()
    assert not any(np.asarray(state).any() for state in layer.states)
    close(layer(x[:, :3]), whole(x[:, :3]))


def test_states_of_a_stateful_layer_are_state_not_weights():
    layer = layers.LSTM(4, stateful=True)
    layer.build((2, 3, 3))
    assert len(layer.weights) == 3
    assert len(layer.variables) == 5
    assert [v.shape for v in layer.non_trainable_variables] == [(2, 4), (2, 4)]


def test_stateful_layer_needs_and_keeps_its_batch_size():
    with pytest.raises(ArgumentError, match=r"fixed batch size.*batch_shape"):
        layers.LSTM(4, stateful=True)(layers.Input((3, 3)))
    layer = layers.LSTM(4, stateful=True)
    layer(random(2, 3, 3))
    with pytest.raises(ShapeError, match=r"batches of 2.*batch of 3"):
        layer(random(3, 3, 3))


@pytest.mark.parametrize(("name", "states"), [("SimpleRNN", 1), ("LSTM", 2), ("GRU", 1)])
def test_returned_states_start_the_next_part(name, states):
    x = random(2, 6, 3)
    layer = getattr(layers, name)(4, return_state=True)
    _, *state = layer(x[:, :3])
    assert len(state) == states
    whole, *_ = layer(x)
    rest, *_ = layer(x[:, 3:], initial_state=state)
    close(rest, whole)
    as_list, *_ = layer([x[:, 3:], *state])  # tf.keras 2 spelling
    close(as_list, whole)


def test_wrong_initial_states_are_named():
    layer = layers.LSTM(4)
    with pytest.raises(ShapeError, match=r"initial_state must hold 2 array\(s\)"):
        layer(random(2, 3, 3), initial_state=[random(2, 4)])
    with pytest.raises(ShapeError, match="states must have the shapes"):
        layer(random(2, 3, 3), initial_state=[random(2, 5), random(2, 5)])


def test_encoder_states_pass_to_a_decoder_in_a_graph():
    source, target = layers.Input((None, 3)), layers.Input((None, 5))
    _, h, c = layers.LSTM(4, return_state=True)(source)
    output = layers.LSTM(4, return_sequences=True)(target, initial_state=[h, c])
    assert output.shape == (None, None, 4)


def test_shapes_of_a_graph_with_unknown_time():
    x = layers.Input((None, 3))
    assert layers.GRU(4, return_sequences=True)(x).shape == (None, None, 4)
    both = layers.Bidirectional(layers.LSTM(4, return_sequences=True, return_state=True))(x)
    assert [t.shape for t in both] == [(None, None, 8)] + [(None, 4)] * 4
    cells = [layers.LSTMCell(4), layers.GRUCell(3)]
    assert layers.RNN(cells, return_sequences=True)(x).shape == (None, None, 3)


def test_stacked_cells_are_layers_on_top_of_one_another():
    x = random(2, 5, 3)
    stack = layers.RNN([layers.LSTMCell(4), layers.GRUCell(3)], return_state=True)
    output, lstm_states, gru_states = stack(x)
    assert len(lstm_states) == 2
    assert len(gru_states) == 1
    first, second = layers.LSTM(4, return_sequences=True), layers.GRU(3)
    second(first(x))
    first.set_weights(stack.get_weights()[:3])
    second.set_weights(stack.get_weights()[3:])
    close(output, second(first(x)))


class Accumulator(nacre.layers.Layer):
    """Sums its inputs, and counts its steps in a variable."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.state_size = units
        self.dropout = nacre.layers.Dropout(0.5, seed=1)

    def build(self, input_shape):
        self.steps = self.add_weight(shape=(), initializer="zeros", trainable=False)

    def call(self, inputs, states, training=None):
        self.steps.assign_add(1.0)
        total = states[0] + self.dropout(inputs, training=training)
        return total, [total]


def test_custom_cell_with_changing_variables_runs_in_the_loop():
    layer = layers.RNN(Accumulator(3))
    x = random(2, 5, 3)
    close(layer(x), x.sum(1))
    assert float(layer.cell.steps) == 5.0
    first, second = (np.asarray(layer(x, training=True)) for _ in range(2))
    assert np.abs(first - second).max() > 0.1  # the seed moved on


def test_custom_cell_may_be_wrapped_without_registering_it():
    layer = layers.Bidirectional(layers.RNN(Accumulator(3)))
    assert layer(random(2, 5, 3)).shape == (2, 6)


@pytest.mark.parametrize("name", CLASSIC)
def test_dropout_acts_in_training_only_and_repeats_with_its_seed(name):
    make = lambda: getattr(layers, name)(8, dropout=0.5, recurrent_dropout=0.3, seed=3)
    x = random(4, 5, 6)
    one, two = make(), make()
    one.build(x.shape)
    two.build(x.shape)
    two.set_weights(one.get_weights())
    close(one(x), one(x))
    a, b = np.asarray(one(x, training=True)), np.asarray(one(x, training=True))
    assert np.abs(a - b).max() > 1e-3
    close(a, two(x, training=True))


def test_input_dropout_is_the_same_in_every_step():
    layer = layers.SimpleRNN(
        4,
        activation="linear",
        dropout=0.5,
        kernel_initializer="identity",
        recurrent_initializer="zeros",
        return_sequences=True,
    )
    y = np.asarray(layer(np.ones((3, 6, 4), "float32"), training=True))
    assert set(np.unique(y)) == {0.0, 2.0}
    assert (y == y[:, :1]).all()


def test_forget_gate_begins_open():
    bias = layers.LSTM(3)
    bias.build((None, 5, 2))
    np.testing.assert_array_equal(bias.get_weights()[2], [0] * 3 + [1] * 3 + [0] * 6)


def test_weights_have_the_names_of_keras():
    layer = layers.Bidirectional(layers.LSTM(2, name="memory"), name="both")
    layer.build((None, 5, 3))
    parts = ("kernel", "recurrent_kernel", "bias")
    ahead = [f"both/forward_memory/lstm_cell/{part}" for part in parts]
    back = [f"both/backward_memory/lstm_cell/{part}" for part in parts]
    assert [w.path for w in layer.weights] == ahead + back


def test_config_of_a_bidirectional_layer_round_trips():
    layer = layers.Bidirectional(layers.LSTM(2, return_sequences=True), merge_mode="sum")
    again = layers.Bidirectional.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()


def test_old_arguments_are_accepted_and_time_first_is_refused():
    layer = layers.LSTM(4, implementation=1, time_major=False, unroll=True, use_cudnn=False)
    assert layer.implementation == 1
    with pytest.raises(ArgumentError, match="batch axis first"):
        layers.GRU(4, time_major=True)


def test_errors_name_the_argument():
    with pytest.raises(ArgumentError, match="units must be a positive int"):
        layers.LSTM(0)
    with pytest.raises(ArgumentError, match="state_size"):
        layers.RNN(layers.Dense(3))
    with pytest.raises(ArgumentError, match="merge_mode must be one of"):
        layers.Bidirectional(layers.LSTM(2), merge_mode="add")
    with pytest.raises(ArgumentError, match="must be a recurrent layer"):
        layers.Bidirectional(layers.Dense(2))
    with pytest.raises(ArgumentError, match="different directions"):
        layers.Bidirectional(layers.LSTM(2), backward_layer=layers.LSTM(2))
    with pytest.raises(ShapeError, match="must have 3 axes"):
        layers.LSTM(2)(random(4, 3))


def test_convolutional_memory_steps_like_its_cell():
    layer = layers.ConvLSTM2D(3, 2, padding="same", return_sequences=True)
    x = random(1, 4, 5, 5, 2)
    y = np.asarray(layer(x))
    h = c = np.zeros((1, 5, 5, 3), "float32")
    for step in range(4):
        h, (h, c) = layer.cell(x[:, step], [h, c])
        close(y[:, step], h)


def test_half_precision_layer_gives_half_precision():
    layer = layers.LSTM(4, dtype="mixed_bfloat16", return_state=True)
    outputs = layer(random(2, 5, 3))
    assert {str(o.dtype) for o in outputs} == {"bfloat16"}
    assert {w.value.dtype.name for w in layer.weights} == {"float32"}


def test_bidirectional_takes_convolutional_memory():
    layer = layers.Bidirectional(layers.ConvLSTM2D(3, 2, padding="same", return_sequences=True))
    x = random(1, 4, 5, 5, 2)
    y = np.asarray(layer(x))
    close(y[..., :3], layer.forward_layer(x))
    close(y[..., 3:], np.flip(np.asarray(layer.backward_layer(x)), axis=1))


class Halving(nacre.layers.Layer):
    """A cell that adds half of its state to its inputs."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = self.state_size = units

    def call(self, inputs, states):
        output = inputs + states[0] / 2
        return output, [output]


def test_configs_of_layers_that_hold_layers_take_custom_objects():
    cell = Halving(3)
    for layer in (
        layers.RNN(cell, return_sequences=True),
        layers.StackedRNNCells([cell, Halving(3)]),
        layers.Bidirectional(layers.RNN(cell, return_sequences=True)),
        layers.Wrapper(cell),
    ):
        config = layer.get_config()
        again = type(layer).from_config(config, custom_objects={"Halving": Halving})
        assert again.get_config() == config


class Wrong(layers.Layer):
    """A cell that returns what a test tells it to."""

    state_size = 2

    def __init__(self, returns):
        super().__init__()
        self.returns = returns

    def call(self, inputs, states):
        return self.returns(inputs, states[0])


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda x: layers.LSTM(3)(x, mask=np.ones((2, 5), bool)), r"\(2, 4\). Got a mask of shape"),
        (lambda x: layers.GRU(3)(x, mask=np.ones(4, bool)), r"axes \(batch, time\)"),
        (lambda x: layers.GRU(3)(x, initial_state=[np.zeros((5, 3))]), r"\[\(2, 3\)\]. Got"),
        (lambda x: layers.SimpleRNN(3)(x, initial_state="zeros"), "of type str"),
        (lambda x: layers.LSTMCell(3)(x[:, 0], [np.zeros((2, 3))] * 3), "2 array"),
        (lambda x: layers.GRUCell(3)(x[:, 0], np.zeros((2, 5))), r"\[\(2, 3\)\]"),
        (lambda x: layers.GRUCell(3)(x, np.zeros((2, 3))), r"\(2, 4, 3\)"),
        (lambda x: layers.RNN(Wrong(lambda i, s: i))(x), "must return"),
        (lambda x: layers.RNN(Wrong(lambda i, s: (i, [s, s])))(x), "as many states"),
        (lambda x: layers.RNN(Wrong(lambda i, s: (i, [s[:, :1]])))(x), "of the shapes it gets"),
        (lambda x: layers.StackedRNNCells(layers.GRUCell(2)), "a list of one or more cells"),
        (
            lambda x: layers.Bidirectional(
                layers.GRU(2), "sum", backward_layer=layers.GRU(3, go_backwards=True)
            )(x),
            "outputs of one shape",
        ),
        (
            lambda x: layers.TimeDistributed(layers.Dense(2))(x, mask=np.ones((2, 3), bool)),
            r"broadcast to the shape \(2, 4\)",
        ),
    ],
)
def test_shapes_that_do_not_fit_are_told(call, words):
    with pytest.raises((ArgumentError, ShapeError), match=words):
        call(random(2, 4, 3))


def test_a_mask_may_be_a_list_or_have_a_last_axis_of_one():
    layer, x = layers.GRU(3), random(2, 3, 2)
    mask = [[True, True, False], [False, True, True]]
    expected = layer(x, mask=np.array(mask))
    close(layer(x, mask=mask), expected)
    close(layer(x, mask=np.array(mask)[..., None]), expected)


def test_whole_numbers_are_computed_in_the_dtype_of_the_states():
    layer = layers.LSTM(2, dtype="mixed_bfloat16", recurrent_dropout=0.5, seed=1)
    x = np.ones((1, 3, 2), "int32")
    assert layer(x).dtype == layer(x, training=True).dtype == "bfloat16"


def test_a_sequence_without_steps_has_no_outputs():
    assert layers.GRU(3, return_sequences=True)(np.zeros((2, 0, 2))).shape == (2, 0, 3)
    close(layers.GRU(3)(np.zeros((2, 0, 2))), np.zeros((2, 3)))


def test_simple_recurrence_has_second_derivatives():
    layer, x = layers.SimpleRNN(2), random(1, 3, 1)
    layer(x)

    def total(inputs):
        return jnp.sum(layer(inputs))

    found = jax.hessian(total)(jnp.asarray(x)).reshape(3, 3)
    step = 1e-2
    for axis in range(3):
        moved = np.zeros_like(x)
        moved[0, axis] = step
        ahead, back = (jax.grad(total)(jnp.asarray(x + sign * moved)) for sign in (1, -1))
        close(found[axis], (ahead - back).ravel() / (2 * step), 1e-3)


def test_a_layer_of_several_outputs_is_applied_to_every_step():
    inputs = layers.Input((3,))
    model = nacre.Model(inputs, [layers.Dense(2)(inputs), layers.Dense(4)(inputs)])
    layer = layers.TimeDistributed(model)
    assert [y.shape for y in layer(random(2, 5, 3))] == [(2, 5, 2), (2, 5, 4)]
    shapes = layer.compute_output_shape((None, 5, 3))
    assert [tuple(shape) for shape in shapes] == [(None, 5, 2), (None, 5, 4)]


def test_a_mask_within_the_steps_goes_to_layers_that_take_one():
    x, mask = random(2, 3, 4, 2), np.ones((2, 3, 4), bool)
    mask[:, :, 2:] = False
    assert layers.TimeDistributed(layers.Conv1D(2, 2))(x, mask=mask).shape == (2, 3, 3, 2)
    layer = layers.TimeDistributed(layers.GRU(2))
    close(layer(x, mask=mask), layer(x[:, :, :2]))


def test_predict_of_a_stateful_model_refuses_a_smaller_last_batch():
    model = nacre.Sequential(
        [nacre.Input(batch_shape=(4, 3, 2)), layers.SimpleRNN(2, stateful=True)]
    )
    with pytest.raises(ShapeError, match=r"takes batches of 4.*Got a batch of 3"):
        model.predict(np.ones((7, 3, 2), "float32"), batch_size=4, verbose=0)
    free = nacre.Sequential([nacre.Input(batch_shape=(4, 3, 2)), layers.SimpleRNN(2)])
    assert free.predict(np.ones((7, 3, 2), "float32"), batch_size=4, verbose=0).shape == (7, 2)


@pytest.mark.parametrize("kind", ["cell", "stacked", "layer"])
def test_states_begin_for_the_inputs_that_tf_keras_2_gives(kind: str) -> None:
    cell = layers.LSTMCell(3)
    made = {"cell": cell, "stacked": layers.StackedRNNCells([cell]), "layer": layers.LSTM(3)}[kind]
    inputs = np.zeros((4, 5, 2), "float32")
    wanted = [tuple(s.shape) for s in jax.tree.leaves(made.get_initial_state(4))]
    for found in (made.get_initial_state(inputs), made.get_initial_state(inputs=inputs)):
        assert [tuple(s.shape) for s in jax.tree.leaves(found)] == wanted == [(4, 3)] * 2
    if kind == "cell":
        (state, _) = cell.get_initial_state(batch_size=2, dtype="float16")
        assert (state.shape, state.dtype) == ((2, 3), "float16")


class Counting(nacre.layers.Layer):
    """A layer of one's own that is stateful."""

    stateful = True

    def __init__(self):
        super().__init__()
        self.count = self.add_weight("count", (), initializer="zeros", trainable=False)

    def call(self, inputs):
        self.count.assign(self.count + 1)
        return inputs + 0 * self.count

    def reset_states(self):
        self.count.assign(0.0)


def test_reset_states_of_a_model_resets_all_stateful_layers():
    cell = layers.LSTM(3, return_sequences=True, stateful=True)
    inner = nacre.Sequential([nacre.Input((4, 2), batch_size=2), cell])
    outer = layers.Bidirectional(layers.GRU(2, stateful=True))
    counting = Counting()
    model = nacre.Sequential([nacre.Input((4, 2), batch_size=2), inner, counting, outer])
    x = np.ones((2, 4, 2), "float32")
    first, second = (model.predict(x, batch_size=2, verbose=0) for _ in range(2))
    assert not np.allclose(first, second)  # it went on
    model.reset_states()
    assert float(counting.count.numpy()) == 0
    assert np.array_equal(model.predict(x, batch_size=2, verbose=0), first)
    nacre.Sequential([nacre.Input((2,)), layers.Dense(1)]).reset_states()  # nothing to do
