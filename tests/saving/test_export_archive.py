"""ExportArchive and Model.export: functions under names in a folder that TensorFlow serves.

What TensorFlow makes of them is tried by `tests.reference.check_saved_models`.
"""

import os

import numpy as np
import pytest

import nacre
import nacre.core.errors
from nacre.export import ExportArchive
from nacre.saving import open_saved_model

X = np.linspace(-1, 1, 15, dtype="float32").reshape(5, 3)
SPEC = nacre.InputSpec(shape=(None, 3), dtype="float32")


@pytest.fixture
def model() -> nacre.Model:
    layers = [nacre.layers.Dense(2), nacre.layers.BatchNormalization()]
    return nacre.Sequential([nacre.Input((3,), name="features"), *layers])


class Scaled(nacre.Model):
    def __init__(self):
        super().__init__()
        self.inner = nacre.layers.Dense(2)

    def call(self, x, scale):
        return {"scaled": self.inner(x) * scale}


def write(folder, **endpoints):
    archive = ExportArchive()
    for name, function in endpoints.items():
        archive.add_endpoint(name, function, input_signature=[SPEC])
    archive.write_out(folder, verbose=False)
    return open_saved_model(folder)


def test_the_example_of_keras_serves_a_model_and_comes_back_as_a_layer(tmp_path, model, capsys):
    export_archive = ExportArchive()
    export_archive.track(model)
    export_archive.add_endpoint(
        name="serve",
        fn=model.call,
        input_signature=[nacre.InputSpec(shape=(None, 3), dtype="float32")],
    )
    export_archive.write_out(tmp_path / "location")
    assert (
        "serve(inputs: float32[None, 3]) -> output_0: float32[None, 2]" in capsys.readouterr().out
    )
    layer = nacre.layers.TFSMLayer(tmp_path / "location")
    for batch in (1, 5):
        np.testing.assert_allclose(layer(X[:batch]), model(X[:batch]), rtol=1e-5)
    assert len(layer.trainable_weights) == 4 and len(layer.non_trainable_weights) == 2


def test_inference_and_training_are_two_endpoints(tmp_path, model):
    found = write(
        tmp_path / "m",
        call_inference=lambda x: model.call(x, training=False),
        call_training=lambda x: model.call(x, training=True),
    )
    np.testing.assert_allclose(found.call_inference(X), model(X), rtol=1e-5)
    moving = model.layers[1].moving_mean
    found.call_training(X)
    expected = model(X, training=True)
    np.testing.assert_allclose(found.call_training(X), expected, rtol=1e-4, atol=1e-5)
    assert np.abs(np.asarray(moving)).max() > 0
    layer = nacre.layers.TFSMLayer(tmp_path / "m", "call_inference", "call_training")
    np.testing.assert_allclose(layer(X, training=True), expected, rtol=1e-4, atol=1e-5)


def test_call_of_a_model_tells_its_layers_about_training(model):
    plain = nacre.Sequential(list(model.layers))
    for one in (model, plain):
        np.testing.assert_allclose(
            one.call(nacre.ops.array(X), training=True),
            model(X, training=True),
            rtol=1e-5,
            atol=1e-6,  # what is zero but for rounding
        )


def test_the_first_endpoint_is_the_default_unless_one_is_called_so(tmp_path):
    found = write(tmp_path / "a", two=lambda x: 2 * x, three=lambda x: 3 * x)
    assert sorted(found.signatures) == ["serving_default", "three", "two"]
    np.testing.assert_array_equal(found.signatures["serving_default"](X)["output_0"], 2 * X)
    found = write(tmp_path / "b", two=lambda x: 2 * x, serving_default=lambda x: 3 * x)
    np.testing.assert_array_equal(found.signatures["serving_default"](X)["output_0"], 3 * X)


def test_structures_go_in_and_come_out(tmp_path):
    archive = ExportArchive()
    given = [{"a": SPEC, "b": [SPEC, SPEC]}, nacre.KerasTensor((2, 3), name="other")]
    mix = lambda parts, y: {"sum": parts["a"] + parts["b"][0], "rest": (parts["b"][1], y)}
    archive.add_endpoint("mix", mix, given)
    archive.write_out(tmp_path / "m", verbose=False)
    found = open_saved_model(tmp_path / "m")
    result = found.mix({"a": X, "b": [2 * X, 3 * X]}, X[:2])
    np.testing.assert_array_equal(result["sum"], 3 * X)
    np.testing.assert_array_equal(result["rest"][1], X[:2])
    assert list(found.signatures["mix"].inputs) == ["a", "b_0", "b_1", "other"]


def test_one_function_serves_several_signatures(tmp_path):
    function = nacre.function(lambda x: x + 1, input_signature=[SPEC])
    archive = ExportArchive()
    archive.add_endpoint("any", function)
    archive.add_endpoint("pair", function, [nacre.KerasTensor((2, 4))])
    archive.write_out(tmp_path / "m", verbose=False)
    found = open_saved_model(tmp_path / "m")
    np.testing.assert_array_equal(found.any(X), X + 1)
    np.testing.assert_array_equal(found.pair(np.zeros((2, 4))), np.ones((2, 4)))
    with pytest.raises(nacre.core.errors.ArgumentError, match="shape"):
        found.pair(np.zeros((3, 4)))


def test_collections_hold_variables_that_no_endpoint_reads(tmp_path, model):
    model.compile("adam", "mse")
    model.fit(X, np.ones((5, 2)), verbose=0)
    archive = ExportArchive()
    archive.track_and_add_endpoint("serve", model, [SPEC])
    archive.add_variable_collection("optimizer_variables", model.optimizer.variables)
    archive.write_out(tmp_path / "m", verbose=False)
    found = open_saved_model(tmp_path / "m")
    assert len(found.optimizer_variables) == len(model.optimizer.variables)
    for number, variable in enumerate(model.optimizer.variables):
        np.testing.assert_array_equal(found.optimizer_variables[number], variable)
    assert len(found.variables) == len(model.variables)


def test_an_archive_is_written_again_with_the_weights_of_then(tmp_path):
    layer = nacre.layers.Dense(2)
    layer.build((None, 3))
    archive = ExportArchive()
    archive.track(layer)
    archive.add_endpoint("serve", layer, [SPEC])
    archive.write_out(tmp_path / "m", verbose=False)
    layer.kernel.assign(3 * layer.kernel)
    archive.write_out(tmp_path / "m", verbose=False)
    np.testing.assert_allclose(open_saved_model(tmp_path / "m").serve(X), layer(X), rtol=1e-5)


def test_export_writes_the_endpoint_that_keras_writes(tmp_path, model, capsys):
    assert model.export(tmp_path / "flowers" / "1") is None
    assert "serve(features: float32[None, 3])" in capsys.readouterr().out
    found = open_saved_model(tmp_path / "flowers" / "1")
    assert sorted(found.signatures) == ["serve", "serving_default"]
    assert found.signatures["serve"].outputs == {"output_0": ("float32", (None, 2))}
    np.testing.assert_allclose(found.serve(X), model(X), rtol=1e-5)
    model.export(tmp_path / "flowers" / "1", verbose=False, input_signature=[SPEC])
    assert capsys.readouterr().out == ""
    assert list(open_saved_model(tmp_path / "flowers" / "1").signatures["serve"].inputs) == [
        "args_0"
    ]


def test_subclassed_models_of_several_arguments_are_exported(tmp_path):
    model = Scaled()
    scale = np.full((5, 1), 2, "float32")
    expected = model(X, scale)
    model.export(tmp_path / "m", verbose=False)
    found = open_saved_model(tmp_path / "m")
    np.testing.assert_allclose(found.serve(X, scale)["scaled"], expected["scaled"], rtol=1e-5)


def test_texts_are_served(tmp_path):
    layer = nacre.layers.TextVectorization(output_sequence_length=2)
    layer.adapt(["red green"])
    inputs = nacre.Input((1,), dtype="string", name="text")
    model = nacre.Model(inputs, nacre.layers.Embedding(8, 2)(layer(inputs)))
    model.export(tmp_path / "m", verbose=False)
    given = np.array([["green red"]], object)
    found = open_saved_model(tmp_path / "m").serve(given)
    np.testing.assert_allclose(found, model.predict(given, verbose=0))


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (lambda a: a.add_endpoint("serve", lambda x: x), "input_signature"),
        (lambda a: a.add_endpoint("serve", lambda x: x, [nacre.InputSpec(ndim=2)]), "shape and a"),
        (lambda a: a.add_endpoint("variables", lambda x: x, [SPEC]), "free"),
        (lambda a: a.add_endpoint("serve", nacre.layers.Dense(2), [SPEC]), "built"),
        (lambda a: a.add_endpoint("serve", len, [SPEC], is_statik=True), "is_statik"),
        (lambda a: a.add_variable_collection("v", nacre.Variable(1.0)), "list"),
        (lambda a: a.add_variable_collection("v", [np.ones(2)]), "ndarray"),
        (lambda a: a.track(3), "int"),
        (lambda a: a.track(nacre.layers.Dense(2)), "built"),
        (lambda a: a.write_out("x"), "endpoint"),
        (lambda a: [a.add_endpoint("a", abs, [SPEC]) for _ in "ab"], "free"),
    ],
)
def test_what_cannot_be_an_archive_is_told(wrong, told):
    with pytest.raises(nacre.core.errors.NacreError, match=told):
        wrong(ExportArchive())


def test_formats_that_are_not_here_are_told(tmp_path, model):
    with pytest.raises(
        nacre.core.errors.ArgumentError, match=r"format must be one of tf_saved_model"
    ):
        model.export(tmp_path / "m.caffe", format="caffe")
    with pytest.raises(nacre.core.errors.ArgumentError, match="Did you mean|tf_saved_model"):
        model.export(tmp_path / "m", format="saved_model")
    assert os.listdir(tmp_path) == []


# ------------------------------------------------------------ what Python decides by sizes


ASKS = {
    "a batch of one": lambda x: x.shape[0] == 1,
    "a batch of seven": lambda x: x.shape[0] != 7,
    "lengths": lambda x: x.shape[1] in (1, 40),
    "part of the shape": lambda x: nacre.ops.shape(x)[:1] == (5,),
    "nothing": lambda x: x.shape[0] == 1 and x.sum() is None,
    "a size that is known": lambda x: x.shape[-1] == 3,
}


class Doubling(nacre.layers.Layer):
    def __init__(self, asks, **kwargs):
        super().__init__(**kwargs)
        self.asks = asks

    def call(self, x):
        return 2 * x if ASKS[self.asks](x) else x


@pytest.mark.parametrize("asks", list(ASKS)[:4])
def test_a_layer_whose_python_decides_by_a_size_that_varies_is_named(tmp_path, asks):
    model = nacre.Sequential([nacre.Input((None,)), Doubling(asks, name="doubling")])
    for write_folder in (model.save, model.export):
        with pytest.raises(nacre.core.errors.FileFormatError, match="sequential.*/doubling"):
            write_folder(tmp_path / "m")
    assert os.listdir(tmp_path) == []


def test_signatures_of_saved_models_are_compared_too(tmp_path, model):
    function = lambda x: model(x) if x.shape[0] == 1 else 2 * model(x)
    serve = nacre.function(function, input_signature=[nacre.KerasTensor((None, 3))])
    with pytest.raises(nacre.core.errors.FileFormatError, match="'mine'"):
        model.save(tmp_path / "m", signatures={"mine": serve})


@pytest.mark.parametrize("asks", list(ASKS)[4:])
def test_questions_that_change_nothing_are_no_error(tmp_path, asks):
    model = nacre.Sequential([nacre.Input((3,)), Doubling(asks)])
    model.export(tmp_path / "m", verbose=False)
    np.testing.assert_array_equal(open_saved_model(tmp_path / "m").serve(X), model(X))


def test_a_batch_size_that_is_given_is_decided_by(tmp_path):
    layer = Doubling("a batch of one")
    model = nacre.Sequential([nacre.Input((3,), batch_size=1), layer])
    model.export(tmp_path / "m", verbose=False)
    np.testing.assert_array_equal(open_saved_model(tmp_path / "m").serve(X[:1]), 2 * X[:1])


def test_a_layer_that_is_a_saved_model_itself_is_told_where_no_graph_can_hold_it(tmp_path, model):
    model.export(tmp_path / "inner", verbose=False)
    layer = nacre.layers.TFSMLayer(tmp_path / "inner", name="from_a_file")
    outer = nacre.Sequential([nacre.Input((3,)), layer, nacre.layers.Dense(1)])
    outer.predict(X, verbose=0)
    with pytest.raises(nacre.core.errors.UnsupportedError, match="from_a_file"):
        outer.export(tmp_path / "outer")


class Flipped(nacre.Model):
    def __init__(self):
        super().__init__()
        self.flip = nacre.layers.RandomFlip()

    def call(self, x):
        return self.flip(x) * 2


@pytest.mark.parametrize("format", ["tf_saved_model", "npz"])
@pytest.mark.parametrize("kind", ["sequential", "subclassed"])
def test_layers_that_augment_do_nothing_in_what_is_exported(tmp_path, kind, format):
    images = np.arange(24, dtype="float32").reshape(2, 2, 2, 3)
    model: nacre.Model = Flipped()
    if kind == "sequential":
        flip = nacre.layers.RandomFlip()
        model = nacre.Sequential([nacre.Input((2, 2, 3)), flip, nacre.layers.Rescaling(2.0)])
    model(images)  # a call that says nothing of training flips, as in Keras
    report = model.export(tmp_path / "m", format=format, verbose=False)
    if format == "npz":
        assert report.is_verified  # what draws numbers is not
        return
    layer = nacre.layers.TFSMLayer(tmp_path / "m")
    for _ in range(4):  # one draw in four leaves an image as it is
        np.testing.assert_array_equal(layer(images), 2 * images)


@pytest.mark.parametrize("is_flat", [True, False])
def test_a_signature_may_list_the_inputs_of_a_model(is_flat, tmp_path):
    a, b = nacre.Input((), name="a"), nacre.Input((), name="b")
    model = nacre.Model([a, b], nacre.layers.subtract([a, b]))
    specs = [nacre.InputSpec(shape=(None,), dtype="float32") for _ in range(2)]
    model.export(tmp_path / "m", input_signature=specs if is_flat else [specs], verbose=False)
    served = nacre.layers.TFSMLayer(tmp_path / "m")
    given = [np.array([5.0, 7.0], "float32"), np.array([1.0, 2.0], "float32")]
    np.testing.assert_array_equal(served(given), [4.0, 5.0])
