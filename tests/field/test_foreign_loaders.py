"""Data sets and loaders of other libraries in fit, evaluate, predict and adapt, as they are."""

from __future__ import annotations

import sys
import types
from typing import Any

import numpy as np
import pytest

import nacre
from nacre import layers
from nacre.core.errors import DataError, LossInputError, ShapeError

X = np.random.default_rng(0).random((20, 3)).astype("float32")
Y = X.sum(axis=1, keepdims=True)


def model() -> Any:
    made = nacre.Sequential([nacre.Input((3,)), layers.Dense(1)])
    made.compile("sgd", "mse")
    return made


def steps_of(data: Any) -> list[Any]:
    """The length that the bar is told, of a training of two epochs; all other doors are gone
    through too."""
    steps: list[Any] = []

    class Steps(nacre.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            steps.append(self.params["steps"])

    made = model()
    made.fit(data, epochs=2, verbose=0, validation_data=data, callbacks=[Steps()])
    made.evaluate(data, verbose=0)
    assert made.predict(data, verbose=0).shape == (20, 1)
    return steps


@pytest.mark.filterwarnings("ignore:.*predictions stand in the order")
def test_a_loader_of_torch_is_gone_over_again_in_each_epoch() -> None:
    torch = pytest.importorskip("torch")
    pairs = torch.utils.data.TensorDataset(torch.tensor(X), torch.tensor(Y))
    loader = torch.utils.data.DataLoader(pairs, batch_size=6, shuffle=True)
    assert steps_of(loader) == [4, 4]


def test_samples_of_torch_are_not_taken_for_batches() -> None:
    torch = pytest.importorskip("torch")
    images = torch.tensor(np.ones((4, 5, 3), "float32"))  # each would be a batch of five rows
    samples = torch.utils.data.TensorDataset(images, images)
    rule = r"x must give batches. Got a TensorDataset, .* Pass torch.utils.data.DataLoader\(x, bat"
    for way in (model().fit, model().evaluate, model().predict):
        with pytest.raises(DataError, match=rule):
            way(samples, verbose=0)


def dict_batches(kind: str) -> Any:
    """Rows with names in batches, the targets among them."""
    if kind == "streamed":
        datasets = pytest.importorskip("datasets")
        rows = datasets.Dataset.from_dict({"pixels": X.tolist(), "label": Y.tolist()})
        return rows.to_iterable_dataset().batch(5)
    torch = pytest.importorskip("torch")
    if kind == "of Hugging Face in torch":
        datasets = pytest.importorskip("datasets")
        rows = datasets.Dataset.from_dict({"pixels": X.tolist(), "label": Y.tolist()})
        return torch.utils.data.DataLoader(rows.with_format("torch"), batch_size=5)
    rows = [{"pixels": x, "label": y} for x, y in zip(X, Y, strict=True)]
    return torch.utils.data.DataLoader(rows, batch_size=5)


@pytest.mark.parametrize("kind", ["streamed", "of Hugging Face in torch", "of torch"])
def test_a_dict_with_the_targets_in_it_is_told_the_line_that_works(kind: str) -> None:
    data = dict_batches(kind)
    unbuilt = nacre.Sequential([layers.Dense(1)])
    unbuilt.compile("sgd", "mse")
    named = nacre.Model(inputs := {"pixels": nacre.Input((3,))}, layers.Dense(1)(inputs["pixels"]))
    named.compile("sgd", "mse")
    for made in (model(), unbuilt, named):
        with pytest.raises(
            LossInputError, match=r"one dict with the keys .* as data, pass"
        ) as told:
            made.fit(data, verbose=0)
        with pytest.raises(LossInputError, match="beside x"):
            made.evaluate(data, verbose=0)
        with pytest.raises(LossInputError, match="validation_data: .*beside x"):
            made.fit(X, Y, validation_data=data, verbose=0)
        line = str(told.value).partition(" pass ")[2].removesuffix(".")
        pairs = eval(line, {"nacre": nacre, "data": data})
        assert steps_of(pairs) == [None, None]
        np.testing.assert_allclose(
            made.evaluate(pairs, verbose=0), made.evaluate(X, Y, verbose=0), rtol=1e-5
        )


def test_a_dict_of_several_inputs_and_the_targets_is_told_a_line_that_keeps_all() -> None:
    a, b = nacre.Input((3,), name="a"), nacre.Input((3,), name="b")
    made = nacre.Model([a, b], layers.Dense(1)(layers.Add()([a, b])))
    made.compile("sgd", "mse")
    data = [{"a": X[i : i + 5], "b": X[i : i + 5], "y": Y[i : i + 5]} for i in range(0, 20, 5)]
    with pytest.raises(LossInputError) as told:
        made.fit(iter(data), verbose=0)
    line = str(told.value).partition(" pass ")[2].removesuffix(".")
    pairs = eval(line, {"nacre": nacre, "data": data})
    assert np.isfinite(made.fit(pairs, epochs=2, verbose=0).history["loss"]).all()


def test_a_dict_is_left_alone_where_nothing_needs_targets_beside_it() -> None:
    data = [{"pixels": X[i : i + 5], "label": Y[i : i + 5]} for i in range(0, 20, 5)]

    class Own(nacre.Model):
        def __init__(self) -> None:
            super().__init__()
            self.dense = layers.Dense(1)

        def call(self, batch: Any) -> Any:
            return self.dense(batch["pixels"])

        def compute_loss(self, x: Any = None, y: Any = None, y_pred: Any = None, **kwargs: Any):
            return nacre.ops.mean((y_pred - x["label"]) ** 2)

    own = Own()
    own.compile("sgd", "mse")
    own.fit(iter(data), verbose=0)
    inputs = {"pixels": nacre.Input((3,)), "label": nacre.Input((1,))}
    both = nacre.Model(inputs, layers.Dense(1)(layers.Concatenate()(list(inputs.values()))))
    both.compile("sgd", "mse")
    with pytest.raises(LossInputError, match="targets must be given"):
        both.fit(iter(data), verbose=0)
    both.compile("sgd")
    assert both.predict(iter(data), verbose=0).shape == (20, 1)


def test_data_and_targets_in_one_tuple_are_told_to_be_two_arguments() -> None:
    unbuilt = nacre.Sequential([layers.Dense(1)])
    unbuilt.compile("sgd", "mse")
    with pytest.raises(ShapeError, match=r"Data and targets are two arguments: fit\(x, y\)"):
        unbuilt.fit((X, Y), verbose=0)


def test_data_sets_of_grain_are_gone_over_again_in_each_epoch() -> None:
    grain = pytest.importorskip("grain")
    rows = grain.MapDataset.source(list(range(20))).map(lambda i: (X[i], Y[i]))
    assert steps_of(rows.shuffle(seed=1).batch(6)) == [4, 4]
    normalization = layers.Normalization()
    normalization.adapt(grain.MapDataset.source(X).batch(6))
    np.testing.assert_allclose(normalization.mean, X.mean(axis=0)[None], rtol=1e-5)


def test_a_source_whose_length_is_without_end_needs_a_number_of_steps() -> None:
    class Endless:
        def __len__(self) -> int:
            return sys.maxsize  # as grain's MapDataset.repeat() says

        def __iter__(self) -> Any:
            while True:
                yield X[:4], Y[:4]

    with pytest.raises(DataError, match="data without end needs a number of batches"):
        model().fit(Endless(), verbose=0)
    model().fit(Endless(), steps_per_epoch=2, epochs=2, verbose=0)


@pytest.mark.parametrize("form", [None, "numpy", "torch"])
def test_data_sets_of_hugging_face_are_columns_with_the_labels_as_targets(form: Any) -> None:
    datasets = pytest.importorskip("datasets")
    if form == "torch":
        pytest.importorskip("torch")
    data = datasets.Dataset.from_dict({"a": X.tolist(), "label": Y[:, 0].tolist()})
    data = data.with_format(form)
    made = model()
    weights = made.get_weights()
    losses = []
    for given in ((data,), (data["a"], data["label"]), (data[:]["a"], data[:]["label"]), (X, Y)):
        made.set_weights(weights)
        losses.append(made.evaluate(*given, verbose=0))
        assert made.fit(*given, epochs=2, verbose=0).params["steps"] == 1
    np.testing.assert_allclose(losses, losses[0], rtol=1e-5)
    assert made.predict(data, verbose=0).shape == (20, 1)
    normalization = layers.Normalization()
    normalization.adapt(data["a"])
    np.testing.assert_allclose(normalization.mean, X.mean(axis=0)[None], rtol=1e-5)


def test_a_dict_of_data_sets_and_rows_of_different_lengths_are_told() -> None:
    datasets = pytest.importorskip("datasets")
    data = datasets.Dataset.from_dict({"a": [[1.0], [1.0, 2.0]], "label": [0.0, 1.0]})
    with pytest.raises(DataError, match=r"Pass one of data\['train'\]"):
        model().fit(datasets.DatasetDict({"train": data}), verbose=0)
    with pytest.raises(DataError, match="rows must have one shape.*pad_sequences"):
        model().fit(data, verbose=0)


# ------------------------------------------------------- layers in the graphs of TensorFlow


class GraphTensor:
    """As `tf.Tensor` in a function that is traced: no values."""

    def __init__(self, shape: Any, dtype: str) -> None:
        self.shape = types.SimpleNamespace(
            rank=None if shape is None else len(shape), as_list=lambda: list(shape)
        )
        self.dtype = types.SimpleNamespace(name=dtype)
        self.set: Any = None

    def set_shape(self, shape: Any) -> None:
        self.set = shape


@pytest.fixture
def tensorflow(monkeypatch: pytest.MonkeyPatch) -> Any:
    """What of TensorFlow is used, with the values that its graph would be run on."""
    tf = types.SimpleNamespace(Tensor=GraphTensor, Variable=type("Variable", (), {}), values=[])
    tf.as_dtype = lambda name: types.SimpleNamespace(as_numpy_dtype=np.dtype(name))

    def numpy_function(function: Any, tensors: Any, dtypes: Any) -> list[Any]:
        tf.results = function(*tf.values)
        return [GraphTensor((), str(dtype.as_numpy_dtype)) for dtype in dtypes]

    tf.numpy_function = numpy_function
    monkeypatch.setitem(sys.modules, "tensorflow", tf)
    return tf


@pytest.mark.parametrize("of_model", [False, True])
def test_a_layer_is_one_operation_of_a_graph_with_its_shape_and_dtype(
    tensorflow: Any, of_model: bool
) -> None:
    layer: Any = layers.Rescaling(2.0)
    layer = nacre.Sequential([layer]) if of_model else layer
    tensorflow.values = [X]
    output = layer(GraphTensor((None, 3), "float32"))
    assert output.set == (None, 3) and output.dtype.name == "float32"
    np.testing.assert_allclose(tensorflow.results[0], 2 * X)


def test_a_host_layer_is_one_too_and_keeps_other_arguments(tensorflow: Any) -> None:
    lookup = layers.StringLookup(vocabulary=["a", "b"])
    tensorflow.values = [np.array([b"b", b"?"], object)]
    assert lookup(GraphTensor((None,), "string")).set == (None,)
    assert tensorflow.results[0].tolist() == [2, 0]
    tensorflow.values = [np.ones((2, 4, 4, 3), "float32")]
    texts = layers.TextVectorization(output_sequence_length=4, vocabulary=["a"])
    tensorflow.values = [np.array(b"a b", object)]
    assert texts(GraphTensor((), "string")).set == (4,)
    assert tensorflow.results[0].tolist() == [2, 1, 0, 0]
    tensorflow.values = [np.ones((2, 4, 4, 3), "float32")]
    layers.RandomFlip()(GraphTensor((None, 4, 4, 3), "float32"), training=False)
    assert np.all(tensorflow.results[0] == 1)


def test_a_tensor_without_a_number_of_axes_is_told(tensorflow: Any) -> None:
    with pytest.raises(ShapeError, match=r"image\.set_shape"):
        layers.Rescaling(2.0)(GraphTensor(None, "float32"))


def test_a_users_own_module_of_the_name_of_a_library_is_no_library(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    names = "datasets h5py ipykernel IPython optax pandas polars pyarrow tensorflow torch zarr"
    for name in names.split():
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    made = model()
    made.fit(X, Y, validation_data=(X, Y), verbose=1)
    made.fit(((X, Y) for _ in range(2)), steps_per_epoch=2, verbose=0)
    made.evaluate(X.tolist(), Y.tolist(), verbose=0)
    assert np.shape(made(X)) == made.predict(X, verbose=0).shape == (20, 1)
    nacre.utils.plot_model(made, tmp_path / "model.svg")


def test_several_data_sets_are_told_to_be_put_side_by_side() -> None:
    dataset = nacre.data.Dataset
    x, y = (dataset.from_tensor_slices(part).batch(5) for part in (X, Y))
    for given in ([x, y], (x, y)):
        with pytest.raises(DataError, match=r"Dataset.zip\(\(a, b\)\).*a.concatenate\(b\)"):
            model().fit(given, verbose=0)
    with pytest.raises(DataError, match=r"Data sets: Dataset.zip\(\(x, y\)\)"):
        model().fit(x, y, verbose=0)
    named = nacre.Model(inputs := {"x": nacre.Input((3,))}, layers.Dense(1)(inputs["x"]))
    named.compile("sgd", "mse")
    with pytest.raises(DataError, match="a dict of sources") as told:
        named.fit({"x": x}, y, verbose=0)
    line = str(told.value).partition("targets: ")[2].removesuffix(".")
    named.fit(eval(line, {"nacre": nacre, "x": x, "y": y}), verbose=0)
