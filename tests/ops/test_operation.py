"""`nacre.Operation`: a user's step without weights, eagerly, in graphs, in files and in `fit`."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import nacre
from nacre import ops
from nacre.core.errors import (
    ArgumentError,
    NotBuiltError,
    NotThereError,
    SerializationError,
    TracedValueError,
)


@nacre.saving.register_keras_serializable("test_operation")
class MultiplyBy(nacre.Operation):
    def __init__(self, factor=2.0, name=None):
        super().__init__(name=name)
        self.factor = factor

    def call(self, x):
        return x * self.factor


class SumAndDifference(nacre.Operation):
    def call(self, a, b, is_swapped=False):
        return {"sum": a + b, "difference": b - a if is_swapped else a - b}


def _model(operation):
    x = nacre.Input((3,), name="x")
    return nacre.Model(x, nacre.layers.Dense(2, name="dense")(operation(x)))


DATA = np.arange(12, dtype="float32").reshape(4, 3)
TARGETS = np.ones((4, 2), "float32")


def test_layers_and_calls_of_ops_are_operations() -> None:
    assert isinstance(nacre.layers.Dense(2), nacre.Operation)
    made_by = (nacre.Input((3,)) + 1)._keras_history.operation
    assert isinstance(made_by, nacre.Operation)
    assert not hasattr(made_by, "weights")


def test_it_gets_arrays_as_they_are() -> None:
    assert type(MultiplyBy(2.0)(np.ones(3, "float64"))) is np.ndarray
    assert MultiplyBy(2.0)(np.ones(3, "float64")).dtype == "float64"
    nacre.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        assert MultiplyBy(2.0)(ops.ones(3)).dtype == "float32"
    finally:
        nacre.mixed_precision.set_global_policy("float32")


def test_symbolic_tensors_make_it_part_of_a_graph() -> None:
    scale, x = MultiplyBy(3.0, name="thrice"), nacre.Input((3,))
    y = scale(x)
    assert (y.shape, y.dtype) == ((None, 3), "float32")
    assert scale.input is x and scale.output is y
    assert [o.name for o in nacre.Model(x, y).operations][1:] == ["thrice"]
    np.testing.assert_array_equal(nacre.Model(x, y)(DATA), DATA * 3)


def test_several_inputs_and_outputs_and_plain_arguments_work() -> None:
    a, b = nacre.Input((3,)), nacre.Input((3,))
    model = nacre.Model([a, b], SumAndDifference()(a, b=b, is_swapped=True))
    outputs = model.predict([DATA, 2 * DATA], verbose=0)
    np.testing.assert_array_equal(outputs["sum"], 3 * DATA)
    np.testing.assert_array_equal(outputs["difference"], DATA)


def test_a_shape_that_tracing_cannot_find_is_told_by_compute_output_spec() -> None:
    class Pairs(nacre.Operation):
        def call(self, x):
            return x[:, : int(ops.max(x[0]))]

    with pytest.raises(ArgumentError, match="shape that follows from shapes.*compute_output_spec"):
        Pairs()(nacre.Input((3,)))
    Pairs.compute_output_spec = lambda self, x: nacre.KerasTensor((x.shape[0], None), x.dtype)
    assert Pairs()(nacre.Input((3,))).shape == (None, None)


def test_a_spec_that_is_the_input_leaves_the_input_what_it_is() -> None:
    class Same(nacre.Operation):
        def call(self, x):
            return x + 1

        def compute_output_spec(self, x):
            return x

    x = nacre.Input((3,))
    np.testing.assert_array_equal(nacre.Model(x, Same()(x))(DATA), DATA + 1)


def test_a_model_with_one_trains_saves_loads_copies_and_pickles(tmp_path) -> None:
    model = _model(MultiplyBy(0.1, name="tenth"))
    model.compile("sgd", "mse")
    before = model.layers[-1].get_weights()[0]
    model.fit(DATA, TARGETS, epochs=1, verbose=0)
    assert np.abs(model.layers[-1].get_weights()[0] - before).max() > 0
    model.save(tmp_path / "model.keras")
    expected = model.predict(DATA, verbose=0)
    for other in (
        nacre.models.load_model(tmp_path / "model.keras"),
        pickle.loads(pickle.dumps(model)),
        copy.deepcopy(model),
    ):
        np.testing.assert_array_equal(other.predict(DATA, verbose=0), expected)
        assert other.operations[1].factor == 0.1
    clone = nacre.models.clone_model(model)
    assert [o.name for o in clone.operations] == [o.name for o in model.operations]
    assert clone.operations[1] is not model.operations[1]


def test_a_file_with_an_unknown_one_says_how_to_name_it(tmp_path) -> None:
    class Unregistered(MultiplyBy):
        pass

    x = nacre.Input((3,))
    nacre.Model(x, Unregistered(3.0)(x)).save(tmp_path / "model.keras")
    with pytest.raises(SerializationError, match="custom_objects={'Unregistered'"):
        nacre.models.load_model(tmp_path / "model.keras")
    custom = {"Unregistered": Unregistered}
    loaded = nacre.models.load_model(tmp_path / "model.keras", custom_objects=custom)
    np.testing.assert_array_equal(loaded(DATA), DATA * 3)


def test_a_class_in_a_file_called_ops_is_not_taken_for_an_op_of_its_name(tmp_path) -> None:
    class Relu(nacre.Operation):
        def call(self, x):
            return -x

    Relu.__module__ = "project.ops"
    x = nacre.Input((3,))
    nacre.Model(x, Relu()(x)).save(tmp_path / "model.keras")
    loaded = nacre.models.load_model(tmp_path / "model.keras", custom_objects={"Relu": Relu})
    np.testing.assert_array_equal(loaded(DATA), -DATA)


def test_an_attribute_that_changes_reaches_compiled_programs() -> None:
    operation = MultiplyBy(1.0)
    x = nacre.Input((3,))
    model = nacre.Model(x, operation(x))
    model.compile("sgd", "mse")
    for factor in (1.0, 5.0):
        operation.factor = factor
        np.testing.assert_array_equal(model(DATA), DATA * factor)
        np.testing.assert_array_equal(model.predict(DATA, verbose=0), DATA * factor)
        expected = float(np.mean((DATA * factor) ** 2))
        assert model.evaluate(DATA, 0 * DATA, verbose=0) == pytest.approx(expected)


def test_its_python_runs_at_each_call_of_a_model_on_arrays() -> None:
    seen = []

    class Look(nacre.Operation):
        def call(self, x):
            seen.append(type(x))
            return x

    x = nacre.Input((3,))
    model = nacre.Model(x, Look()(x))
    seen.clear()
    model(DATA), model(DATA)
    assert len(seen) == 2


def test_what_only_layers_may_hold_is_refused_in_a_model() -> None:
    class Inner(nacre.Operation):
        def __init__(self):
            super().__init__()
            self.parts = [nacre.layers.Dense(3)]

        def call(self, x):
            return self.parts[0](x)

    x = nacre.Input((3,))
    y = Inner()(x)
    with pytest.raises(ArgumentError, match="a Dense in self.parts. Derive the class from nacre.L"):
        nacre.Model(x, y)


def test_gradients_go_through_it() -> None:
    scale, x = MultiplyBy(3.0), nacre.Variable(np.ones(2, "float32"))
    with nacre.GradientTape() as tape:
        y = ops.sum(scale(x.value) ** 2)
    np.testing.assert_allclose(tape.gradient(y, x), [18.0, 18.0])


def test_masks_pass_where_the_class_says_so_and_end_with_a_warning_else() -> None:
    class Kept(MultiplyBy):
        supports_masking = True

    tokens = np.array([[1, 2, 0, 0]])

    def mask_after(operation):
        x = nacre.Input((4,), dtype="int32")
        y = operation(nacre.layers.Embedding(5, 3, mask_zero=True)(x))
        model = nacre.Model(x, y)
        return getattr(model(tokens), "_keras_mask", None), model

    mask, model = mask_after(Kept(1.0, name="kept"))
    np.testing.assert_array_equal(mask, tokens != 0)
    assert "kept (Kept)" in str(model.explain_masks())
    with pytest.warns(UserWarning, match="MultiplyBy 'lost': the mask.*supports_masking = True"):
        mask, model = mask_after(MultiplyBy(1.0, name="lost"))
    assert mask is None
    assert [row.kind for row in model.explain_masks().stops] == ["MultiplyBy"]


def test_configs_come_from_the_constructor() -> None:
    class Shifted(MultiplyBy):
        def __init__(self, shift, **kwargs):
            super().__init__(**kwargs)
            self.shift = shift

    shifted = Shifted(1, factor=4.0, name="s")
    assert shifted.get_config() == {"name": "s", "shift": 1, "factor": 4.0}
    assert Shifted.from_config(shifted.get_config()).factor == 4.0

    class Nameless(nacre.Operation):
        def __init__(self, size):
            super().__init__()
            self.size = size

    assert Nameless.from_config(Nameless(3).get_config()).size == 3

    class Open(nacre.Operation):
        def __init__(self, *sizes):
            super().__init__()

    with pytest.raises(SerializationError, match="a constructor with \\*args needs a get_config"):
        Open(1, 2).get_config()


def test_mistakes_are_named() -> None:
    with pytest.raises(NotImplementedError, match="must have a call"):
        nacre.Operation()(DATA)
    with pytest.raises(NotThereError, match="no inputs before it was called"):
        _ = MultiplyBy().input
    with pytest.raises(ArgumentError, match="name must be a string. Got 3"):
        nacre.Operation(name=3)

    class Forgetful(nacre.Operation):
        def call(self, x):
            x + 1

    with pytest.raises(ArgumentError, match="must give tensors. Got None. See whether a `return`"):
        Forgetful()(nacre.Input((3,)))

    class Unfinished(nacre.Operation):
        def __init__(self):
            self.size = 3

        def call(self, x):
            return x

    with pytest.raises(NotBuiltError, match=r"super\(\).__init__\(\) must be called"):
        Unfinished()(DATA)


def test_a_tensor_kept_in_an_attribute_while_fit_compiles_is_told_later() -> None:
    class Keeping(nacre.Operation):
        def call(self, x):
            self.last = x
            return x

    operation = Keeping()
    model = _model(operation)
    model.compile("sgd", "mse")
    model.fit(DATA, TARGETS, verbose=0)
    with pytest.raises(TracedValueError, match="Keeping.*last"):
        np.asarray(operation.last)
