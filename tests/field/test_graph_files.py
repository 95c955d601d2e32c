"""Files of graphs: nested, shared, cut and masked models, by real Keras and by nacre.

Keras's files, inputs and outputs are in `reference/files/graphs`; that Keras opens ours is checked
by `reference/write_graphs.py` and `reference/check_nacre_files.py`. What they wrote is held here
by the structure of the config.
"""

from __future__ import annotations

import copy
import json
from pathlib import Path

import numpy as np
import pytest

import nacre
from nacre import layers
from nacre.core import errors
from tests.cases.graphs import GRAPH_CASES_BY_ID, MASKED, inputs_of, set_weights
from tests.cases.models import spread
from tests.saving.helpers import FILES

GRAPHS = FILES / "graphs"
EXPECTED = np.load(GRAPHS / "expected.npz")
KERAS_FILES = sorted(path.name for path in GRAPHS.glob("*.*") if path.suffix != ".npz")
OWN = [name for name in GRAPH_CASES_BY_ID if name not in MASKED]


def arrays(case: str, kind: str) -> dict[str, np.ndarray]:
    start = f"{case}/{kind}_"
    return {key[len(start) :]: EXPECTED[key] for key in EXPECTED.files if key.startswith(start)}


def difference(model, inputs: dict[str, np.ndarray], wanted: dict[str, np.ndarray]) -> float:
    given = list(inputs.values())
    got = {name or "0": value for name, value in spread(model.predict(given, verbose=0)).items()}
    assert set(got) == set(wanted)
    return max(float(np.abs(got[name] - value).max()) for name, value in wanted.items())


@pytest.mark.filterwarnings("ignore:.*masks end at ops")
@pytest.mark.parametrize("name", KERAS_FILES)
def test_file_by_keras_computes_the_same_and_has_as_many_parameters(name):
    model = nacre.models.load_model(GRAPHS / name)
    case = name.split(".")[0]
    assert difference(model, arrays(case, "x"), arrays(case, "y")) < 1e-6
    assert model.count_params() == EXPECTED[f"{case}/count"]


def ways(model, folder: Path):
    for ending in ("keras", "h5"):
        model.save(folder / f"model.{ending}")
        yield ending, nacre.models.load_model(folder / f"model.{ending}")
    yield "deepcopy", copy.deepcopy(model)  # as pickle: the bytes of a file
    for way, twin in (
        ("json", nacre.models.model_from_json(model.to_json())),
        ("clone", nacre.models.clone_model(model)),
        ("config", type(model).from_config(model.get_config())),
    ):
        twin.set_weights(model.get_weights())
        yield way, twin


@pytest.mark.parametrize("case", OWN)
def test_every_way_of_copying_keeps_numbers_and_identity(case, tmp_path):
    model = GRAPH_CASES_BY_ID[case].builder(nacre)
    set_weights(case, model)
    inputs = inputs_of(case, model)
    assert model.count_params() == EXPECTED[f"{case}/count"]
    assert difference(model, inputs, arrays(case, "y")) < 1e-6
    wanted = {k or "0": v for k, v in spread(model(_as_given(inputs))).items()}
    for way, twin in ways(model, tmp_path):
        assert twin.count_params() == model.count_params(), way
        assert [v.shape for v in twin.weights] == [v.shape for v in model.weights], way
        got = {k or "0": v for k, v in spread(twin(_as_given(inputs))).items()}
        for name, value in wanted.items():
            np.testing.assert_array_equal(got[name], value, err_msg=way)


def _as_given(inputs):
    return inputs["0"] if len(inputs) == 1 else list(inputs.values())


def places(config):
    return {layer["name"]: layer["inbound_nodes"] for layer in config["layers"]}


def test_outputs_count_calls_of_nested_models_from_one_as_keras_does():
    model = GRAPH_CASES_BY_ID["nested_three_deep"].builder(nacre)
    config = model.get_config()
    assert [place[:2] for place in config["output_layers"]] == [
        ["middle", 1], ["sum", 0], ["middle", 2],
    ]  # fmt: skip
    assert '"keras_history": ["middle", 0, 1]' in json.dumps(places(config))
    middle = next(layer for layer in config["layers"] if layer["name"] == "middle")["config"]
    assert middle["output_layers"] == [["inner", 1, 0], ["inner", 3, 0]]
    stacked = GRAPH_CASES_BY_ID["sequential_twice"].builder(nacre).get_config()
    assert stacked["output_layers"] == [["stack", 0, 0], ["stack", 2, 0]]


def test_files_nacre_wrote_before_count_from_zero_and_still_open(tmp_path):
    model = GRAPH_CASES_BY_ID["nested_second_of_two"].builder(nacre)
    set_weights("nested_second_of_two", model)
    inputs = inputs_of("nested_second_of_two", model)
    wanted = {str(i): v for i, v in enumerate(model.predict(inputs["0"], verbose=0))}
    model.save(tmp_path / "model", zipped=False)
    data = json.loads((tmp_path / "model" / "config.json").read_text())
    old = _as_before(data)
    assert old["config"]["output_layers"][0] == ["inner", 1, 0]
    (tmp_path / "model" / "config.json").write_text(json.dumps(old))
    assert difference(nacre.models.load_model(tmp_path / "model"), inputs, wanted) < 1e-6
    from_text = nacre.models.model_from_json(json.dumps(old))
    from_text.set_weights(model.get_weights())
    assert difference(from_text, inputs, wanted) < 1e-6


def _as_before(data):
    data = copy.deepcopy(data)
    data["registered_name"] = None
    data["config"].pop("masks_end_at_ops")
    nested = [n for n in data["config"]["layers"] if n["class_name"] == "Functional"]
    for layer in nested:
        layer.update(_as_before(layer))
    places = data["config"]["output_layers"]
    for place in [places] if isinstance(places[0], str) else places:
        place[1] -= place[0] in [layer["name"] for layer in nested]
    return data


def test_place_of_an_output_that_is_no_call_is_told():
    config = GRAPH_CASES_BY_ID["nested_twice"].builder(nacre).get_config()
    config["output_layers"] = ["inner", 9, 0]
    with pytest.raises(errors.SerializationError, match=r"'inner' is called 2 time\(s\)"):
        nacre.Model.from_config(config)


# -------------------------------------------------------------------- one layer in several graphs


def test_numbers_of_objects_stand_only_where_a_layer_is_shared():
    alone = GRAPH_CASES_BY_ID["nested_three_deep"].builder(nacre)
    assert "shared_object_id" not in alone.to_json()
    shared = GRAPH_CASES_BY_ID["shared_by_two_models"].builder(nacre)
    assert shared.to_json().count("shared_object_id") == 2


def test_a_keras_file_counts_calls_of_a_shared_layer_together_as_keras_reads_them(tmp_path):
    model = GRAPH_CASES_BY_ID["shared_by_two_models_and_outside"].builder(nacre)
    assert model.get_config()["output_layers"][0] == ["shared", 0, 0]
    model.save(tmp_path / "model", zipped=False)
    config = json.loads((tmp_path / "model" / "config.json").read_text())["config"]
    assert config["output_layers"][0] == ["shared", 2, 0]  # one call in each of the two models
    two = next(layer for layer in config["layers"] if layer["name"] == "two")["config"]
    assert two["output_layers"] == ["shared", 1, 0]


def test_training_after_a_copy_changes_both_places_of_a_shared_layer():
    model = GRAPH_CASES_BY_ID["shared_inside_and_behind"].builder(nacre)
    twin = nacre.models.clone_model(model)
    assert twin.get_layer("shared") is twin.get_layer("inner").layers[-1]
    twin.compile("sgd", "mse")
    twin.fit(np.ones((4, 3)), np.zeros((4, 3)), verbose=0)
    assert len(twin.trainable_variables) == 2


def test_clone_function_makes_the_copy_that_all_places_share():
    model = GRAPH_CASES_BY_ID["shared_inside_and_behind"].builder(nacre)

    def wider(layer):
        config = layer.get_config()
        if layer.name == "shared":
            config["activation"] = "linear"
        return type(layer).from_config(config)

    twin = nacre.models.clone_model(model, clone_function=wider)
    assert twin.get_layer("shared") is twin.get_layer("inner").layers[-1]
    assert twin.get_layer("shared").activation is nacre.activations.linear


def test_clones_of_one_model_share_nothing():
    model = GRAPH_CASES_BY_ID["shared_three_deep"].builder(nacre)
    one, two = nacre.models.clone_model(model), nacre.models.clone_model(model)
    assert not {id(v) for v in one.weights} & {id(v) for v in [*two.weights, *model.weights]}


@nacre.saving.register_keras_serializable("graph_files")
class Pair(nacre.Model):
    """Holds two models that may share layers."""

    def __init__(self, one, two, **kwargs):
        super().__init__(**kwargs)
        self.one, self.two = one, two

    def call(self, inputs):
        return self.two(self.one(inputs))


def test_a_subclassed_model_gets_parts_that_share_a_layer(tmp_path):
    d = layers.Dense(3, name="shared")
    i, j = nacre.Input((3,)), nacre.Input((3,))
    pair = Pair(nacre.Model(i, d(i)), nacre.Sequential([j, d, layers.ReLU()]))
    x = np.ones((2, 3), "float32")
    wanted = pair(x)
    pair.save(tmp_path / "pair.keras")
    for twin in (nacre.models.load_model(tmp_path / "pair.keras"), copy.deepcopy(pair)):
        assert twin.count_params() == 12
        assert twin.one.layers[-1] is twin.two.layers[0]
        np.testing.assert_array_equal(twin(x), wanted)


def test_a_wrapper_and_its_layer_outside_stay_one(tmp_path):
    d = layers.Dense(3, name="shared")
    x = nacre.Input((4, 3))
    model = nacre.Model(x, d(layers.TimeDistributed(d)(x)))
    model.save(tmp_path / "model.keras")
    assert nacre.models.load_model(tmp_path / "model.keras").count_params() == 12
    assert nacre.models.clone_model(model).count_params() == 12


def test_two_layers_of_one_name_in_two_models_stay_two(tmp_path):
    i, j, x = (nacre.Input((3,)) for _ in range(3))
    one = nacre.Model(i, layers.Dense(3, name="dense")(i), name="one")
    two = nacre.Model(j, layers.Dense(3, name="dense")(j), name="two")
    model = nacre.Model(x, two(one(x)))
    model.save(tmp_path / "model.keras")
    for twin in (
        nacre.models.load_model(tmp_path / "model.keras"),
        nacre.models.clone_model(model),
    ):
        assert twin.count_params() == 24


def test_layers_without_names_in_their_configs_are_not_taken_for_one():
    @nacre.saving.register_keras_serializable("graph_files")
    class Nameless(layers.Dense):
        def get_config(self):
            return {"units": self.units}

    model = nacre.Sequential([nacre.Input((3,)), Nameless(3), Nameless(3)])
    assert nacre.models.model_from_json(model.to_json()).count_params() == 24


# -------------------------------------------------------------------- cut graphs


def test_model_from_a_hidden_tensor_has_an_input_layer_in_place_of_the_layers_below():
    x = nacre.Input((3,), name="x")
    below, above = layers.Dense(4, name="below"), layers.Dense(2, name="above")
    hidden = below(x)
    model = nacre.Model(hidden, above(hidden))
    assert [layer.name for layer in model.layers] == ["below_output", "above"]
    assert model.count_params() == 10
    assert model.input is hidden
    assert model.input_names == ["below_output"]
    assert len(model.weights) == 2
    lines = []
    model.summary(print_fn=lines.append)
    assert any("below_output (InputLayer)" in line for line in lines)
    assert not any("below (Dense)" in line for line in lines)
    model.trainable = False
    assert below.trainable and not above.trainable
    with pytest.raises(errors.UnknownNameError):
        model.get_layer("below")


def test_dict_inputs_and_outputs_that_are_inputs_can_be_saved(tmp_path):
    x = nacre.Input((3,), name="x")
    hidden = layers.Dense(4, name="below")(x)
    output = layers.Dense(2, name="above")(hidden)
    model = nacre.Model({"u": hidden, "x": x}, {"again": hidden, "y": output})
    data = {"u": np.ones((2, 4), "float32"), "x": np.zeros((2, 3), "float32")}
    wanted = model.predict(data, verbose=0)
    model.save(tmp_path / "model.keras")
    got = nacre.models.load_model(tmp_path / "model.keras").predict(data, verbose=0)
    np.testing.assert_array_equal(got["again"], data["u"])
    np.testing.assert_array_equal(got["y"], wanted["y"])


def test_one_of_the_outputs_of_a_call_can_be_an_input_while_another_is_computed(tmp_path):
    x = nacre.Input((4, 3))
    sequence, state = layers.GRU(2, return_sequences=True, return_state=True, name="gru")(x)
    model = nacre.Model([x, state], [layers.Dense(1)(sequence), state])
    data = [np.ones((2, 4, 3), "float32"), np.full((2, 2), 7.0, "float32")]
    wanted = model.predict(data, verbose=0)
    assert np.all(wanted[1] == 7)
    model.save(tmp_path / "model.keras")
    got = nacre.models.load_model(tmp_path / "model.keras").predict(data, verbose=0)
    np.testing.assert_array_equal(got[0], wanted[0])


def test_missing_input_is_advised_only_where_one_is_missing():
    x, y = nacre.Input((3,), name="x"), nacre.Input((3,), name="y")
    with pytest.raises(errors.ArgumentError, match="the Input .y..*Add the missing Input"):
        nacre.Model(x, layers.Add()([x, y]))
    loose = nacre.KerasTensor((None, 3))
    with pytest.raises(errors.ArgumentError, match="no layer, op or Input made") as caught:
        nacre.Model(x, layers.Add()([x, loose]))
    assert "missing Input" not in str(caught.value)


# -------------------------------------------------------------------- built by fit


@pytest.mark.parametrize("ending", ["keras", "h5"])
def test_stack_that_keras_built_by_fit_takes_every_batch_size(ending):
    model = nacre.models.load_model(GRAPHS / f"built_by_fit.{ending}")
    assert model.input_shape == (None, 3)
    x, y = EXPECTED["built_by_fit/x_0"], EXPECTED["built_by_fit/y_0"]
    for size in (1, 5):
        assert np.abs(model.predict(x[:size], verbose=0) - y[:size]).max() < 1e-6
    assert nacre.models.model_from_json(model.to_json()).input_shape == (None, 3)


def test_batch_size_a_user_fixed_stays():
    model = nacre.Sequential([nacre.Input(batch_shape=(4, 3)), layers.Dense(2)])
    assert nacre.models.model_from_json(model.to_json()).input_shape == (4, 3)
    stateful = nacre.Sequential(
        [nacre.Input(batch_shape=(4, 5, 3)), layers.LSTM(2, stateful=True)]
    ).get_config()
    del stateful["masks_end_at_ops"]  # as Keras writes it
    assert nacre.Sequential.from_config(stateful).input_shape == (4, 5, 3)
