"""The base class of layers, seen through classes as users write them."""

from __future__ import annotations

import copy
import pickle
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nacre as keras
from nacre import layers, ops
from nacre.core import registry
from nacre.core.errors import (
    ArgumentError,
    NotBuiltError,
    SerializationError,
    ShapeError,
    WeightsMismatchError,
)
from nacre.core.scope import StatelessScope

X = np.arange(6, dtype="float32").reshape(2, 3)
STEPS = np.array([[1, 2, 0], [3, 0, 0]])


@pytest.fixture(autouse=True)
def registrations_forgotten() -> Iterator[None]:
    before, names = dict(registry._GLOBAL), dict(registry._GLOBAL_NAMES)
    yield
    for table, kept in ((registry._GLOBAL, before), (registry._GLOBAL_NAMES, names)):
        table.clear()
        table.update(kept)


class Scale(layers.Layer):
    """Stores its arguments under their own names; no get_config."""

    def __init__(self, factor: float = 2.0, activation: Any = "linear", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.factor = factor
        self.activation = keras.activations.get(activation)

    def build(self, input_shape: Any) -> None:
        self.offset = self.add_weight(name="offset", shape=(input_shape[-1],), initializer="ones")

    def call(self, inputs: Any) -> Any:
        return self.activation(inputs * self.factor + self.offset)


class Flag(layers.Layer):
    """Remembers the training flags it saw."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.seen: list[Any] = []

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        self.seen.append(training)
        return inputs


class Block(layers.Layer):
    """A layer within a layer, called in a way the test chooses."""

    def __init__(self, inner: Any, how: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.inner = inner
        self.how = how or (lambda layer, x: layer(x))

    def call(self, inputs: Any) -> Any:
        return self.how(self.inner, inputs)


class TrainedBlock(Block):
    def call(self, inputs: Any, training: bool | None = None) -> Any:
        return self.how(self.inner, inputs)


# ------------------------------------------------------------------ building and weights


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [(((3, 4), "ones"), {"name": "k"}), ((), {"shape": [3, 4], "name": "k", "initializer": "ones"}),
     (("k", (3, 4)), {"initializer": "ones"}), (("k",), {"shape": (3, 4), "initializer": "ones"}),
     (("k", (3, 4), "float32", "ones"), {}), (("k", (3, 4), "ones"), {}),
     (("k", (3, 4), None, keras.initializers.Ones()), {}),
     (("k", (3, 4), keras.initializers.Ones()), {"trainable": True})],
)  # fmt: skip
def test_add_weight_in_both_orders(args: Any, kwargs: Any) -> None:
    made = layers.Layer(name="own").add_weight(*args, **kwargs)
    assert (made.path, made.shape, made.dtype) == ("own/k", (3, 4), "float32")
    assert (made.numpy() == 1).all()


def test_add_weight_has_keras_defaults() -> None:
    layer = layers.Layer()
    assert layer.add_weight().shape == () and layer.add_weight(3).shape == (3,)
    number = layer.add_weight((2,), dtype="int32", trainable=False)
    assert number.dtype == "int32" and (number.numpy() == 0).all()
    assert np.ptp(layer.add_weight((9, 9)).numpy()) > 0  # glorot_uniform
    with pytest.raises(ArgumentError, match="add_weight: arguments must be known. Got shpe"):
        layer.add_weight(shpe=(1,))


def test_weights_come_trainable_first_then_layers_in_order() -> None:
    class Ordered(layers.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.first = layers.Dense(1, name="first")

        def build(self, input_shape: Any) -> None:
            self.count = self.add_weight((), "zeros", trainable=False, name="count")
            self.kernel = self.add_weight((1,), name="kernel")
            self.first.build(input_shape)

        def call(self, x: Any) -> Any:
            return self.first(x)

    layer = Ordered()
    layer(X)
    assert [w.name for w in layer.weights] == ["kernel", "count", "kernel", "bias"]
    assert [w.path for w in layer.trainable_weights] == [
        "ordered/kernel", "ordered/first/kernel", "ordered/first/bias"
    ]  # fmt: skip
    assert [w.name for w in layer.non_trainable_weights] == ["count"]
    assert layer.count_params() == 6


def test_parts_are_found_in_attributes_lists_tuples_and_dicts() -> None:
    layer = layers.Layer()
    layer.own = keras.Variable(np.ones(2, "float32"))
    layer.nested = {"a": [layers.Dense(2)], "b": (Scale(),)}
    layer.blocks = []
    layer.blocks.append(layers.Dense(3))
    for inner in (layer.nested["a"][0], layer.nested["b"][0], layer.blocks[0]):
        inner.build((None, 3))
    assert [w.shape for w in layer.weights] == [(2,), (3, 2), (2,), (3,), (3, 3), (3,)]
    layer.again = layer.blocks
    assert len(layer.weights) == 6
    del layer.own
    layer.nested = None
    assert len(layer.weights) == 2


def test_a_deleted_weight_is_gone() -> None:
    layer = Scale()
    layer.build((None, 3))
    del layer.offset
    assert layer.weights == []


def test_layers_that_hold_each_other_are_counted_once() -> None:
    outer = Block(layers.Dense(2))
    outer.inner.outer = outer
    outer(X)
    assert len(outer.weights) == len(outer.trainable_variables) == 2


def test_seed_generators_and_metrics_are_no_weights() -> None:
    layer = layers.Layer()
    layer.generator = keras.random.SeedGenerator(1)
    layer.mean = keras.metrics.Mean()
    assert (len(layer.weights), len(layer.variables), len(layer.non_trainable_variables)) == (
        0,
        1,
        1,
    )
    assert layer.metrics == [layer.mean] and len(layer.metrics_variables) == 2


def test_freezing_reaches_all_within_and_can_be_undone() -> None:
    outer = Block(Block(Scale()))
    outer(X)
    outer.trainable = False
    assert not outer.trainable_variables and len(outer.non_trainable_variables) == 1
    assert not outer.inner.inner.trainable
    outer.trainable = True
    assert len(outer.trainable_variables) == 1


def test_build_gets_the_shapes_by_the_names_it_asks_for() -> None:
    seen: list[Any] = []

    class One(layers.Layer):
        def build(self, input_shape: Any) -> None:
            seen.append(input_shape)

        def call(self, inputs: Any) -> Any:
            return inputs

    class Two(layers.Layer):
        def build(self, query_shape: Any, value_shape: Any) -> None:
            seen.append((query_shape, value_shape))

        def call(self, query: Any, value: Any, training: bool = False) -> Any:
            return query

    One()(X)
    One()([X, X])
    One()({"a": X, "b": X})
    One()(keras.Input((3,)))
    Two()(X, value=np.ones((4, 5)))
    assert seen == [
        (2, 3), [(2, 3), (2, 3)], {"a": (2, 3), "b": (2, 3)}, (None, 3), ((2, 3), (4, 5))
    ]  # fmt: skip


def test_a_build_that_failed_can_be_tried_again() -> None:
    class Picky(Scale):
        def build(self, input_shape: Any) -> None:
            super().build(input_shape)
            if input_shape[-1] != 3:
                raise ValueError("three, please")

    layer = Picky()
    with pytest.raises(ValueError, match="three"):
        layer(np.ones((2, 4), "float32"))
    assert not layer.built
    layer(X)
    assert layer.built and [w.shape for w in layer.weights] == [(3,)]


def test_building_again_for_the_same_shape_keeps_the_weights() -> None:
    layer = Scale()
    layer.build((None, 3))
    offset = layer.offset
    layer.build((None, 3))
    assert layer.offset is offset and len(layer.weights) == 1


def test_paths_follow_the_nesting_and_names_count_up() -> None:
    outer = Block(Block(layers.Dense(1, name="head"), name="middle"), name="outer")
    outer(X)
    assert outer.inner.inner.kernel.path == "outer/middle/head/kernel"
    assert outer.inner.inner.path == "outer/middle/head"
    assert [Scale().name, Scale().name, Block(None).name] == ["scale", "scale_1", "block"]


def test_weights_are_set_and_refused_together() -> None:
    layer = layers.Dense(2)
    layer.build((None, 3))
    layer.set_weights([np.ones((3, 2)), np.zeros(2)])
    kept = layer.get_weights()
    kept[0][:] = 9  # a copy
    assert (layer.kernel.numpy() == 1).all()
    with pytest.raises(WeightsMismatchError, match="2 weights.*Got 1 arrays"):
        layer.set_weights([np.ones((3, 2))])
    with pytest.raises(WeightsMismatchError, match=r"2 wrong: .*kernel \(3, 2\) <- \(2, 3\).*bias"):
        layer.set_weights([np.ones((2, 3)), np.ones(3)])


def test_the_argument_weights_is_used_at_build() -> None:
    layer = layers.Dense(2, weights=[np.full((3, 2), 2.0), np.ones(2)])
    assert layer(np.ones((1, 3), "float32")).tolist() == [[7.0, 7.0]]
    wrong = layers.Dense(2, weights=[np.ones((5, 5)), np.ones(2)])
    with pytest.raises(WeightsMismatchError):
        wrong(X)


@pytest.mark.parametrize(
    ("kwargs", "shape"),
    [({"input_shape": (3,)}, (None, 3)), ({"batch_input_shape": (7, 3)}, (7, 3)),
     ({"input_dim": 3}, (None, 3)), ({"input_shape": (3,), "batch_size": 7}, (7, 3)),
     ({"input_dim": 3, "input_length": 5}, (None, 5, 3))],
)  # fmt: skip
def test_old_spellings_of_the_input_shape_build_a_sequential(kwargs: Any, shape: Any) -> None:
    model = keras.Sequential([Scale(**kwargs)])
    assert model.built and model.input_shape == shape
    assert model.layers[0].offset.shape == (3,)


def test_names_clash_loudly_in_models() -> None:
    with pytest.raises(ArgumentError, match="a name of its own.*'same'"):
        keras.Sequential([Scale(name="same"), Scale(name="same")])
    inputs = keras.Input((3,))
    with pytest.raises(ArgumentError, match="a name of its own.*same"):
        keras.Model(inputs, Scale(name="same")(Scale(name="same")(inputs)))


def test_a_layer_made_inside_call_is_warned_of_once() -> None:
    class Careless(layers.Layer):
        def call(self, inputs: Any) -> Any:
            return layers.Dense(4)(inputs)

    layer = Careless()
    with pytest.warns(UserWarning, match=r"neither trained nor saved with 'careless'.*in __init__"):
        layer(X)
    layer(X)
    with pytest.warns(UserWarning, match="neither trained"):
        Careless()(keras.Input((3,)))


def test_layers_made_late_but_kept_are_fine() -> None:
    class Late(layers.Layer):
        def build(self, input_shape: Any) -> None:
            self.inner = layers.Dense(4)

        def call(self, inputs: Any) -> Any:
            if not hasattr(self, "second"):
                self.second = [layers.Dense(2)]
            return self.second[0](layers.Activation("relu")(self.inner(inputs)))

    layer = Late()
    assert layer(X).shape == (2, 2) and len(layer.weights) == 4


def test_mistakes_in_a_constructor_are_told() -> None:
    class Forgot(layers.Layer):
        def __init__(self, **early: Any) -> None:
            for name, value in early.items():
                setattr(self, name, value)

    for early in ({"name": "a"}, {"dtype": "float16"}):
        with pytest.raises(NotBuiltError, match="is set anew by it.*Begin __init__ with super"):
            Forgot(**early)
    for use in (lambda layer: layer(X), lambda layer: keras.Sequential([layer])):
        with pytest.raises(NotBuiltError, match=r"super.*must be called in its __init__"):
            use(Forgot(units=3))
    with pytest.raises(
        ArgumentError,
        match=r"Scale 'scale': arguments must be known. Got unit=3. Known: factor",
    ):
        Scale(unit=3)
    with pytest.raises(ArgumentError, match="name must be a string"):
        Scale(name=3)
    with pytest.raises(NotImplementedError, match="must have a call"):
        layers.Layer()(X)
    with pytest.raises(NotBuiltError, match="before its parameters can be counted"):
        Scale().count_params()


def test_parts_may_be_set_before_the_constructor_of_a_layer() -> None:
    class Early(layers.Layer):
        def __init__(self, **kwargs: Any) -> None:
            self.units, self.parts = 3, [layers.Dense(3)]
            self.scale = keras.Variable(2.0)
            super().__init__(**kwargs)

        def call(self, inputs: Any) -> Any:
            return self.parts[0](inputs) * self.scale

    layer = Early(name="early")
    assert layer(X).shape == (2, 3) and len(layer.trainable_weights) == 3
    assert layer.parts[0].kernel.path.startswith("early/")


def test_what_the_constructor_sets_anew_is_told_as_in_keras_it_is_lost() -> None:
    class Early(layers.Layer):
        def __init__(self, **kwargs: Any) -> None:
            self.supports_masking = True
            self.trainable = False
            super().__init__(**kwargs)

    with pytest.warns(UserWarning, match="is set anew by it") as told:
        layer = Early()
    assert len(told) == 2 and not layer.supports_masking and layer.trainable


def test_shapes_asked_of_the_class_below_are_of_its_call() -> None:
    class WithTable(layers.Embedding):
        def compute_output_shape(self, input_shape: Any) -> Any:
            return [super().compute_output_shape(input_shape), (self.input_dim, self.output_dim)]

        def call(self, inputs: Any) -> Any:
            return [super().call(inputs), keras.ops.convert_to_tensor(self.embeddings)]

    class Own(layers.Layer):
        def compute_output_shape(self, input_shape: Any) -> Any:
            return super().compute_output_shape(input_shape)

        def call(self, inputs: Any) -> Any:
            return keras.ops.concatenate([inputs, inputs], -1)

    rows, table = WithTable(7, 2)(keras.Input((5,)))
    assert (rows.shape, table.shape) == ((None, 5, 2), (7, 2))
    assert Own()(keras.Input((4,))).shape == (None, 8)


def test_a_call_that_hands_on_its_arguments_builds_by_the_first() -> None:
    class Frozen(layers.BatchNormalization):
        def call(self, *args: Any, **kwargs: Any) -> Any:
            return super().call(*args, **kwargs)

    layer = Frozen()
    assert layer(keras.Input((3,))).shape == (None, 3) and len(layer.weights) == 4
    np.testing.assert_allclose(layer(X, training=True).mean(axis=0), 0, atol=1e-5)


def test_underscored_name_of_keras_2_is_the_name() -> None:
    layer = Scale(name="a")
    layer._name = "b"
    assert (layer.name, layer._name, layer.get_config()["name"]) == ("b", "b", "b")
    with pytest.raises(ArgumentError, match="name must be a string"):
        layer._name = None


# ------------------------------------------------------------------ calling


def flags(call: Any) -> list[Any]:
    flag = Flag()
    call(flag)
    return flag.seen


@pytest.mark.parametrize(
    ("call", "expected"),
    [(lambda f: Block(f)(X), None),
     (lambda f: Block(f)(X, training=True), True),
     (lambda f: TrainedBlock(f)(X, True), True),
     (lambda f: Block(f, lambda layer, x: layer(x, training=False))(X, training=True), False),
     (lambda f: Block(TrainedBlock(f), lambda layer, x: layer(x, True))(X), True),
     (lambda f: Block(Block(f), lambda layer, x: layer(x, training=True))(X), True),
     (lambda f: Block(Block(f, lambda layer, x: layer(x, None)))(X), None)],
)  # fmt: skip
def test_the_training_flag_reaches_layers_within(call: Any, expected: Any) -> None:
    assert flags(call) == [expected]


def test_a_flag_ends_with_its_layer() -> None:
    flag = Flag()

    def both(inner: Any, x: Any) -> Any:
        return flag(inner(x, training=True))

    Block(TrainedBlock(Flag()), both)(X)
    assert flag.seen == [None]


def test_a_default_of_the_flag_counts_for_layers_within_unless_one_is_given() -> None:
    class Default(Block):
        def call(self, inputs: Any, training: bool = True) -> Any:
            return self.inner(inputs)

    assert flags(lambda f: Default(f)(X)) == [True]
    assert flags(lambda f: Block(Default(f))(X, training=False)) == [False]


def test_functional_models_pass_the_flag_and_keep_the_given_one() -> None:
    free, fixed = Flag(), Flag()
    inputs = keras.Input((3,))
    model = keras.Model(inputs, fixed(free(inputs), training=False))
    free.seen.clear()
    fixed.seen.clear()
    model(X, training=True)
    assert free.seen[-1] is True and fixed.seen[-1] is False


def test_each_thread_has_its_own_flag() -> None:
    together = Barrier(4)

    class Meeting(layers.Layer):
        def call(self, inputs: Any) -> Any:
            together.wait(10)
            result = probe(inputs)
            together.wait(10)
            return result

    class Probe(layers.Layer):
        def call(self, inputs: Any, training: bool | None = None) -> Any:
            return training

    probe, layer = Probe(), Meeting()
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda i: layer(X, training=bool(i % 2)), range(4)))
    assert found == [False, True, False, True]


def test_lists_of_numbers_are_taken_as_arrays() -> None:
    assert layers.Dense(2)([[1.0, 2.0], [3.0, 4.0]]).shape == (2, 2)
    assert layers.Add()([X, X]).shape == (2, 3)


@pytest.mark.parametrize(
    ("policy", "given", "seen"),
    [("float32", np.ones(2), "float32"), ("float16", X, "float16"), ("float16", jnp.ones(2), "float16"),
     ("mixed_bfloat16", X, "bfloat16"), ("float16", np.ones(2, "int64"), "int32"),
     ("float16", np.array([True]), "bool"), ("int8", X, "float32")],
)  # fmt: skip
def test_floats_come_in_the_compute_dtype(policy: str, given: Any, seen: str) -> None:
    class Dtype(layers.Layer):
        def call(self, inputs: Any, other: Any = None) -> Any:
            return str(inputs.dtype), str(other.dtype)

    assert Dtype(dtype=policy)(given, other=given) == (seen, seen)
    if given is X:
        assert Dtype(dtype=policy, autocast=False)(X, other=X) == ("float32", "float32")


def test_mixed_precision_computes_in_16_bits_and_keeps_weights_in_32() -> None:
    layer = Scale(dtype="mixed_float16")
    assert layer(X).dtype == "float16" and layer.offset.dtype == "float32"
    assert (layer.dtype, layer.compute_dtype, layer.variable_dtype) == (
        "float32",
        "float16",
        "float32",
    )
    inside = Block(Scale(dtype="float32"), dtype="mixed_bfloat16")
    assert inside(X).dtype == "float32"
    assert Block(Scale(dtype="mixed_bfloat16"))(keras.Input((3,))).dtype == "bfloat16"


def test_losses_are_those_of_the_last_call_and_of_regularizers() -> None:
    class Penalty(layers.Layer):
        def call(self, inputs: Any) -> Any:
            self.add_loss(ops.sum(inputs))
            self.add_loss([lambda: 1.0, 2.0])
            return inputs

    outer = Block(Penalty(), lambda inner, x: dense(inner(x)))
    outer.dense = dense = layers.Dense(1, kernel_initializer="ones", kernel_regularizer="l2")
    for _ in range(2):
        outer(X)
        assert [float(loss) for loss in outer.losses] == pytest.approx([15.0, 1.0, 2.0, 0.03])
    dense.trainable = False
    assert len(outer.losses) == 3
    _, _, losses = outer.stateless_call(
        [], [v.value for v in dense.variables], X, return_losses=True
    )
    assert [float(loss) for loss in losses] == [15.0, 1.0, 2.0]


def test_the_activity_regularizer_adds_its_penalty() -> None:
    layer = Scale(activity_regularizer="l1")
    layer(np.ones((2, 3), "float32"))
    assert float(layer.losses[0]) == pytest.approx(0.01 * 18 / 2)  # a mean over the batch


def test_a_stateless_call_is_pure() -> None:
    class Counter(layers.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.count = self.add_weight((), "zeros", trainable=False)
            self.scale = self.add_weight((), "ones")

        def call(self, inputs: Any) -> Any:
            self.count.assign_add(1.0)
            return inputs * self.scale

    layer = Counter()
    with pytest.raises(NotBuiltError, match="stateless_call: the layer must be built"):
        layer.stateless_call([1.0], [0.0], X)
    layer(X)
    out, updated = jax.jit(layer.stateless_call)([3.0], [5.0], X)
    assert (np.asarray(out) == 3 * X).all() and float(updated[0]) == 6.0
    assert float(layer.count) == 1.0 and float(layer.scale) == 1.0


def test_an_error_in_call_says_where_it_came_up() -> None:
    outer = Block(Block(None, lambda _, x: x @ jnp.ones((7, 7)), name="inner"), name="outer")
    for inputs in (X, keras.Input((3,))):
        with pytest.raises(TypeError) as caught:
            outer(inputs)
        (note,) = [n for n in caught.value.__notes__ if n.startswith("In ")]
        assert "inner'" in note and "3)" in note


def test_input_specs_are_checked() -> None:
    class Strict(layers.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.input_spec = layers.InputSpec(ndim=3, axes={-1: 4})

        def call(self, inputs: Any) -> Any:
            return inputs

    Strict()(np.ones((1, 2, 4)))
    with pytest.raises(
        ShapeError, match=r"Strict.*3 axes, batch first. Got input of shape \(2, 4\)"
    ):
        Strict()(np.ones((2, 4)))
    with pytest.raises(ShapeError, match="the last axis must be 4"):
        Strict()(keras.Input((2, 5)))


@given(st.lists(st.one_of(st.none(), st.integers(1, 5)), min_size=1, max_size=4), st.data())
@settings(max_examples=50)
def test_a_spec_accepts_its_shape_and_survives_its_config(
    shape: list[int | None], data: Any
) -> None:
    spec = layers.InputSpec(shape=shape, name="x")
    twin = layers.InputSpec.from_config(spec.get_config())
    assert repr(twin) == repr(spec) and twin.ndim == len(shape)
    from nacre.layers.base.input_spec import check_inputs

    sizes = [data.draw(st.integers(1, 5)) if n is None else n for n in shape]
    check_inputs(twin, np.ones(sizes), "layer")
    known = [axis for axis, n in enumerate(shape) if n is not None]
    if known:
        sizes[known[0]] += 1
        with pytest.raises(ShapeError, match="must have shape"):
            check_inputs(twin, np.ones(sizes), "layer")


# ------------------------------------------------------------------ masks


class Keeps(layers.Layer):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, inputs: Any) -> Any:
        return inputs * 2


class Reads(layers.Layer):
    def call(self, inputs: Any, mask: Any = None) -> Any:
        self.got = mask
        return inputs * 1


def mask_of(tensor: Any) -> Any:
    mask = getattr(tensor, "_keras_mask", None)
    return None if mask is None else np.asarray(mask).astype(int).tolist()


def embedded() -> Any:
    return layers.Embedding(5, 2, mask_zero=True)(STEPS)


FULL = [[1, 1, 0], [1, 0, 0]]


def test_a_mask_goes_through_layers_that_support_it() -> None:
    assert mask_of(Keeps()(embedded())) == FULL
    reader = Reads()
    reader(Keeps()(embedded()))
    assert np.asarray(reader.got).astype(int).tolist() == FULL


def test_a_mask_given_by_hand_is_passed_on() -> None:
    class Both(Keeps):
        def call(self, inputs: Any, mask: Any = None) -> Any:
            return inputs * 2

    mask = np.array([[True, False]])
    assert mask_of(Both()(np.ones((1, 2, 3), "float32"), mask=mask)) == [[1, 0]]


def test_a_lost_mask_is_warned_of_once() -> None:
    lost = Scale()
    with pytest.warns(UserWarning, match=r"Scale 'scale': the mask.*supports_masking = True"):
        assert mask_of(lost(embedded())) is None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        lost(embedded())
        Reads()(embedded())  # a layer that uses the mask loses nothing


def test_compute_mask_changes_the_mask() -> None:
    class Cut(layers.Layer):
        def call(self, inputs: Any) -> Any:
            return inputs[:, :2]

        def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
            return None if previous_mask is None else previous_mask[:, :2]

    assert mask_of(Cut()(embedded())) == [[1, 1], [1, 0]]
    assert mask_of(Cut()(np.ones((1, 3, 2), "float32"))) is None


def test_several_inputs_bring_a_list_of_masks() -> None:
    class Pair(Keeps):
        def call(self, inputs: Any, mask: Any = None) -> Any:
            self.got = mask
            return inputs[0] + inputs[1]

    layer = Pair()
    layer([embedded(), np.ones((2, 3, 2), "float32")])
    assert layer.got[0] is not None and layer.got[1] is None


def test_arguments_with_masks_of_their_own_get_them() -> None:
    class Cross(layers.Layer):
        def call(
            self, query: Any, value: Any, query_mask: Any = None, value_mask: Any = None
        ) -> Any:
            self.got = (query_mask is not None, value_mask is not None)
            return query

        def compute_mask(self, query: Any, previous_mask: Any = None) -> Any:
            return None

    layer = Cross()
    layer(embedded(), np.ones((2, 3, 2), "float32"))
    assert layer.got == (True, False)


def test_masks_reach_layers_within_compiled_models() -> None:
    class Sum(layers.Layer):
        def call(self, inputs: Any, mask: Any = None) -> Any:
            return ops.sum(inputs * ops.cast(mask, "float32")[..., None], axis=(1, 2))

    model = keras.Sequential(
        [keras.Input((3,), dtype="int32"),
         layers.Embedding(5, 2, mask_zero=True, embeddings_initializer="ones"), Keeps(), Sum()]
    )  # fmt: skip
    assert model(STEPS).tolist() == model.predict(STEPS, verbose=0).tolist() == [8.0, 4.0]


# ------------------------------------------------------------------ symbolic calls


@given(st.lists(st.one_of(st.none(), st.integers(1, 4)), min_size=1, max_size=3))
@settings(max_examples=15)
def test_symbolic_shapes_are_real_shapes(sizes: list[int | None]) -> None:
    shape = (None, *sizes, 3)
    layer = Block(layers.Dense(4), lambda inner, x: ops.concatenate([inner(x), x], axis=-1))
    assert layer.compute_output_shape(shape) == (None, *sizes, 7)
    assert layer(keras.Input(shape[1:])).shape == (None, *sizes, 7)


def test_the_spec_of_the_outputs_builds_first() -> None:
    layer = Scale(dtype="float16")
    spec = layer.compute_output_spec(keras.KerasTensor((None, 3), "float16"))
    assert spec.shape == (None, 3) and spec.dtype == "float16" and layer.built


def test_a_shape_rule_of_the_users_is_followed() -> None:
    class Rule(layers.Layer):
        def call(self, inputs: Any) -> Any:
            return inputs

        def compute_output_shape(self, input_shape: Any) -> Any:
            return (input_shape[0], 99)

    assert Rule()(keras.Input((3,))).shape == (None, 99)


def test_symbolic_calls_change_no_state_and_add_no_losses() -> None:
    class Noisy(layers.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.seed_generator = keras.random.SeedGenerator(1)
            self.mean = keras.metrics.Mean()

        def call(self, inputs: Any) -> Any:
            self.mean.update_state(inputs)
            self.add_loss(ops.sum(inputs))
            return inputs + keras.random.normal(ops.shape(inputs), seed=self.seed_generator)

    layer = Noisy()
    outputs = layer(keras.Input((3,)))
    assert layer.output is outputs and layer.input_shape == layer.output_shape == (None, 3)
    assert layer.seed_generator.state.numpy().tolist() == [1, 0]
    assert float(layer.mean.result()) == 0.0 and layer.losses == []
    assert not (layer(X) == layer(X)).all()
    assert layer.seed_generator.state.numpy().tolist() == [1, 2]


def test_views_of_the_graph_need_a_graph() -> None:
    with pytest.raises(AttributeError, match="no inputs before it was called"):
        _ = Scale().input


# ------------------------------------------------------------------ configs and copies


class Wrapped(layers.Layer):
    """Changes an argument before storing it, and holds another layer."""

    def __init__(self, filters: int, inner: Any = None, scale: int = 2, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.filters = filters * 4
        self.scale = scale * 2
        self.inner = inner


class Bare(layers.Layer):
    def __init__(self, units: int) -> None:
        super().__init__()
        self.width = units


class WithConfig(layers.Layer):
    def __init__(self, table: dict[int, float], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.pairs = sorted(table.items())

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "table": dict(self.pairs)}


def test_without_get_config_the_constructor_is_called_the_same_way_again() -> None:
    twin = Wrapped.from_config(
        Wrapped(3, layers.Dense(5), name="own", dtype="float16").get_config()
    )
    assert (twin.filters, twin.scale, twin.name, twin.compute_dtype) == (12, 4, "own", "float16")
    assert isinstance(twin.inner, layers.Dense) and twin.inner.units == 5
    assert Bare.from_config(Bare(3).get_config()).width == 3


def test_with_get_config_keys_and_values_stay() -> None:
    layer = WithConfig({3: 0.5, 1: 2.0}, trainable=False)
    twin = WithConfig.from_config(layer.get_config())
    assert twin.pairs == [(1, 2.0), (3, 0.5)] and not twin.trainable and twin.name == layer.name


@given(
    st.floats(-9, 9),
    st.sampled_from(["relu", "linear", "tanh"]),
    st.sampled_from(["float32", "mixed_bfloat16", "float16"]),
    st.booleans(),
)
@settings(max_examples=25)
def test_a_config_makes_a_twin_with_the_same_config(
    factor: float, activation: str, dtype: str, trainable: bool
) -> None:
    layer = Scale(factor, activation, dtype=dtype, trainable=trainable)
    data = layers.serialize(layer)
    twin = layers.deserialize(data, custom_objects={"Scale": Scale})
    assert layers.serialize(twin) == data
    assert (twin.factor, twin.dtype_policy, twin.trainable) == (
        factor,
        layer.dtype_policy,
        trainable,
    )


def test_a_subclass_of_a_built_in_layer_keeps_its_own_arguments() -> None:
    class Doubled(layers.Dense):
        def __init__(self, units: int, extra: int = 1, **kwargs: Any) -> None:
            super().__init__(units * 2, **kwargs)
            self.extra = extra

    twin = Doubled.from_config(Doubled(3, extra=7, activation="relu").get_config())
    assert (twin.units, twin.extra, twin.activation) == (6, 7, keras.activations.relu)


@pytest.mark.parametrize(
    ("make", "rule"),
    [(lambda: Wrapped(1, object()), "get_config"),
     (lambda: Variadic(1, 2), r"\*args needs a get_config")],
)  # fmt: skip
def test_an_argument_without_config_is_told(make: Any, rule: str) -> None:
    with pytest.raises(SerializationError, match=rule):
        make().get_config()
    assert Variadic().get_config()["name"]


def test_a_layer_of_layers_builds_from_a_shape() -> None:
    block = Block(layers.Dense(4))
    block.build((None, 3))
    assert block.built and block.inner.built and block.inner.kernel.shape == (3, 4)
    assert block(np.ones((2, 3), "float32")).shape == (2, 4)


def test_self_and_kwargs_may_have_other_names() -> None:
    class Short(layers.Layer):
        def __init__(s, size: int, **rest: Any) -> None:
            super().__init__(**rest)
            s.size = size
            s.inner = layers.Dense(size)

    config = Short(3, name="short").get_config()
    assert set(config) == {"name", "trainable", "dtype", "size"}
    assert Short.from_config(config).size == 3


class Variadic(layers.Layer):
    def __init__(self, *sizes: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)


def test_registered_and_scoped_classes_are_found_in_models() -> None:
    model = keras.Sequential([keras.Input((3,)), Scale(3.0)])
    text = model.to_json()
    with pytest.raises(SerializationError, match="'Scale'.*register_keras_serializable"):
        keras.models.model_from_json(text)
    with registry.CustomObjectScope({"Scale": Scale}):
        assert keras.models.model_from_json(text).layers[0].factor == 3.0
    assert keras.models.model_from_json(text, {"Scale": Scale}).layers[0].factor == 3.0
    registry.register_keras_serializable("tests")(Scale)
    twin = keras.models.model_from_json(model.to_json())
    twin.set_weights(model.get_weights())
    np.testing.assert_array_equal(twin(X), model(X))


def test_a_build_config_builds_without_data() -> None:
    layer = Scale()
    layer(X)
    twin = Scale()
    twin.build_from_config(layer.get_build_config())
    assert twin.built and twin.offset.shape == (3,)


@pytest.mark.parametrize("again", [copy.deepcopy, lambda layer: pickle.loads(pickle.dumps(layer))])
def test_copies_compute_the_same_and_share_nothing(again: Any) -> None:
    outer = Holder(Scale(2.0))
    outer(X)
    outer.inner.offset.assign([5.0, 5.0, 5.0])
    twin = again(outer)
    np.testing.assert_array_equal(twin(X), outer(X))
    twin.inner.offset.assign([0.0, 0.0, 0.0])
    assert outer.inner.offset.numpy().tolist() == [5.0] * 3


class Holder(layers.Layer):
    def __init__(self, inner: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.inner = inner

    def build(self, input_shape: Any) -> None:
        self.inner.build(input_shape)

    def call(self, inputs: Any) -> Any:
        return self.inner(inputs)


def test_own_variables_go_into_a_store_and_come_back() -> None:
    layer, twin = Scale(), Scale()
    layer(X)
    layer.offset.assign([1.0, 2.0, 3.0])
    store: dict[str, Any] = {}
    layer.save_own_variables(store)
    with pytest.raises(WeightsMismatchError):
        twin.load_own_variables(store)
    twin.build((None, 3))
    twin.load_own_variables(store)
    assert twin.offset.numpy().tolist() == [1.0, 2.0, 3.0]


def test_within_a_scope_losses_and_values_are_the_scopes() -> None:
    layer = Scale()
    layer(X)
    with StatelessScope([(layer.offset, jnp.full(3, 9.0))], collect_losses=True) as inner:
        layer.add_loss(4.0)
        assert layer(X)[0, 0] == 9.0 and layer.losses == [4.0] == inner.losses
    assert layer.losses == [] and layer(X)[0, 0] == 1.0


@pytest.mark.parametrize("given", [(), (None,), ("abc",), ([],)], ids=repr)
def test_a_call_on_no_tensor_is_told(given):
    with pytest.raises(ArgumentError, match=r"^Dense 'dense': it must be called on a tensor"):
        layers.Dense(2)(*given)


def test_a_misspelt_argument_has_a_hint():
    with pytest.raises(ArgumentError, match=r"Got activaton='relu'\. Did you mean 'activation'"):
        layers.Dense(2, activaton="relu")


def test_a_policy_may_be_set_by_name():
    layer = layers.Dense(2)
    layer.dtype_policy = "mixed_bfloat16"
    assert (layer.compute_dtype, layer.variable_dtype) == ("bfloat16", "float32")


def test_arrays_of_16_bit_floats_are_cast_to_the_layers_dtype():
    import ml_dtypes

    assert layers.Dense(2)(np.ones((1, 3), ml_dtypes.bfloat16)).dtype == "float32"


def test_a_stateless_call_takes_variables_as_values():
    layer = layers.Dense(2)
    layer.build((None, 3))
    outputs, _ = layer.stateless_call(layer.trainable_variables, [], np.ones((1, 3), "float32"))
    np.testing.assert_array_equal(outputs, layer(np.ones((1, 3), "float32")))


def test_a_penalty_on_no_rows_is_zero():
    layer = layers.Dense(2, activity_regularizer="l2")
    layer(np.ones((0, 3), "float32"))
    assert float(layer.losses[0]) == 0


def test_numbers_may_be_set_before_the_constructor_of_the_base() -> None:
    class Cell(layers.Layer):
        def __init__(self, units: int, **kwargs: Any) -> None:
            self.units = self.state_size = units
            self.sizes = [units, (1, "a")]
            super().__init__(**kwargs)

        def call(self, inputs: Any, states: Any) -> Any:
            state = states[0] + inputs * self.units
            return state, [state]

    cell = Cell(2, name="cell")
    assert (cell.units, cell.state_size, cell.sizes) == (2, 2, [2, (1, "a")])
    assert cell.get_config()["units"] == 2 and cell.name == "cell"
    assert np.asarray(layers.RNN(cell)(np.ones((1, 3, 2), "float32"))).tolist() == [[6.0, 6.0]]
