"""What was adapted or counted comes back wherever it sits in a model."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nacre
from nacre import layers, saving

WORDS = np.array([["red"], ["blue"], ["pink"]])
NUMBERS = np.array([[-1.0], [0.2], [3.0]], "float32")
MORE = np.linspace(-3, 4, 40, dtype="float32")[:, None]


def string_lookup(adapt: bool) -> Any:
    layer = layers.StringLookup()
    if adapt:
        layer.adapt(["red", "blue", "blue", "green"])
    return layer


def text(adapt: bool) -> Any:
    layer = layers.TextVectorization(output_sequence_length=2)
    if adapt:
        layer.adapt(["red blue", "blue green"])
    return layer


def tf_idf(adapt: bool) -> Any:
    layer = layers.TextVectorization(output_mode="tf_idf", max_tokens=5, pad_to_max_tokens=True)
    if adapt:
        layer.adapt(["red blue", "blue green"])
    return layer


def integer_lookup(adapt: bool) -> Any:
    layer = layers.IntegerLookup()
    if adapt:
        layer.adapt(np.array([[3], [0], [3]]))
    return layer


def normalization(adapt: bool) -> Any:
    layer = layers.Normalization()
    if adapt:
        layer.adapt(MORE)
    return layer


def discretization(adapt: bool) -> Any:
    layer = layers.Discretization(num_bins=3)
    if adapt:
        layer.adapt(MORE)
    return layer


KINDS = {
    "string_lookup": (string_lookup, WORDS),
    "text": (text, WORDS),
    "tf_idf": (tf_idf, WORDS),
    "integer_lookup": (integer_lookup, np.array([[3], [0], [5]])),
    "normalization": (normalization, NUMBERS),
    "discretization": (discretization, NUMBERS),
}


class Within(layers.Layer):
    """Makes its layer itself; its config says nothing of it."""

    def __init__(self, kind: str, where: str = "attribute", adapt: bool = False, **kwargs: Any):
        super().__init__(**kwargs)
        self.kind, self.where = kind, where
        made = KINDS[kind][0](adapt)
        if where == "list":
            self.held = [made]
        elif where == "dict":
            self.held = {"first": made}
        elif where == "layer":
            self.held = Within(kind, adapt=False)
            self.held.held = made
        else:
            self.held = made

    def call(self, x: Any) -> Any:
        if self.where == "list":
            return self.held[0](x)
        return self.held["first"](x) if self.where == "dict" else self.held(x)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "kind": self.kind, "where": self.where, "adapt": False}


class Subclassed(nacre.Model):
    def __init__(self, kind: str, adapt: bool = False, **kwargs: Any):
        super().__init__(**kwargs)
        self.kind = kind
        self.inner = Within(kind, "list", adapt)

    def call(self, x: Any) -> Any:
        return self.inner(x)

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, "kind": self.kind}


CUSTOM = {"Within": Within, "Subclassed": Subclassed}


def functional(kind: str, layer: Any) -> Any:
    data = KINDS[kind][1]
    dtype = "string" if data.dtype.kind == "U" else str(data.dtype).replace("64", "32")
    inputs = nacre.Input((1,), dtype=dtype)
    return nacre.Model(inputs, layer(inputs))


def loaded(model: Any, path: Any) -> Any:
    model.save(path)
    return saving.load_model(path, custom_objects=CUSTOM)


@pytest.mark.parametrize("where", ["attribute", "list", "dict", "layer"])
@pytest.mark.parametrize("kind", KINDS)
def test_what_adapt_found_comes_back_in_a_custom_layer(tmp_path, kind, where):
    model, data = functional(kind, Within(kind, where, adapt=True)), KINDS[kind][1]
    again = loaded(model, tmp_path / "m.keras")
    np.testing.assert_array_equal(np.asarray(again(data)), np.asarray(model(data)))


@pytest.mark.parametrize("kind", KINDS)
def test_what_adapt_found_comes_back_in_a_subclassed_model_and_in_one_nested(tmp_path, kind):
    data = KINDS[kind][1]
    model = Subclassed(kind, adapt=True)
    wanted = np.asarray(model(data))
    again = loaded(model, tmp_path / "m.keras")
    np.testing.assert_array_equal(np.asarray(again(data)), wanted)
    nested = functional(kind, functional(kind, Within(kind, adapt=True)))
    again = loaded(nested, tmp_path / "n.keras")
    np.testing.assert_array_equal(np.asarray(again(data)), wanted)


@pytest.mark.parametrize("kind", ["normalization", "discretization", "string_lookup", "text"])
def test_what_adapt_found_comes_back_from_h5_where_the_config_holds_it(tmp_path, kind):
    data = KINDS[kind][1]
    model = functional(kind, KINDS[kind][0](True))
    again = loaded(model, tmp_path / "m.h5")
    np.testing.assert_array_equal(np.asarray(again(data)), np.asarray(model(data)))


def test_h5_says_which_layers_come_back_without_what_adapt_found(tmp_path):
    model = functional("string_lookup", Within("string_lookup", adapt=True))
    with pytest.warns(UserWarning, match=r"saved as \.h5.*string_lookup.*Save it as \.keras"):
        model.save(tmp_path / "m.h5")


def by_its_config(layer: Any) -> Any:
    return type(layer).from_config(layer.get_config())


@pytest.mark.parametrize("how", [None, by_its_config], ids=["plain", "function"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_clone_has_what_adapt_found(kind, how):
    data = KINDS[kind][1]
    model = functional(kind, KINDS[kind][0](True))
    again = nacre.models.clone_model(model, clone_function=how)
    np.testing.assert_array_equal(np.asarray(again(data)), np.asarray(model(data)))


@pytest.mark.parametrize("kind", KINDS)
def test_a_clone_has_what_was_found_in_models_and_layers_within(kind):
    data, adapted = KINDS[kind][1], KINDS[kind][0](True)
    for model in (
        functional(kind, functional(kind, adapted)),
        functional(kind, Within(kind, adapt=True)),
        Subclassed(kind, adapt=True),
    ):
        wanted = np.asarray(model(data))
        again = nacre.models.clone_model(model)
        np.testing.assert_array_equal(np.asarray(again(data)), wanted)


def test_a_clone_function_that_adapts_anew_is_left_alone():
    def on_other_data(layer: Any) -> Any:
        copy = by_its_config(layer)
        if isinstance(copy, layers.Normalization):
            copy.adapt(10 * MORE)
        elif isinstance(copy, layers.StringLookup):
            copy.adapt(["pink"])
        return copy

    model = functional("normalization", normalization(True))
    again = nacre.models.clone_model(model, clone_function=on_other_data)
    np.testing.assert_allclose(again.layers[-1].mean, 10 * model.layers[-1].mean, rtol=1e-5)
    model = functional("string_lookup", string_lookup(True))
    again = nacre.models.clone_model(model, clone_function=on_other_data)
    assert again.layers[-1].get_vocabulary() == ["[UNK]", "pink"]


def test_fit_says_that_adapt_was_forgotten():
    layer = layers.Normalization()
    model = nacre.Sequential([nacre.Input((1,)), layer, layers.Dense(1)])
    model.compile("sgd", "mse")
    with pytest.warns(UserWarning, match="Normalization.*changes nothing.*adapt"):
        model.fit(MORE, MORE, verbose=0)
    model.fit(MORE, MORE, verbose=0)  # said once


def test_fit_is_quiet_where_statistics_came_another_way():
    model = nacre.Sequential([nacre.Input((1,)), layers.Normalization(), layers.Dense(1)])
    for given in (
        lambda m: m.layers[0].adapt(MORE),
        lambda m: m.set_weights([w + 1 for w in m.get_weights()]),
        lambda m: m.layers[0].adapt_mean.assign([3.0]),
    ):
        again = nacre.models.clone_model(model)
        given(again)
        again.compile("sgd", "mse")
        again.fit(MORE, MORE, verbose=0)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "normalization"])
def test_json_text_has_what_adapt_found_as_arguments(kind):
    data = KINDS[kind][1]
    model = functional(kind, functional(kind, KINDS[kind][0](True)))
    again = nacre.models.model_from_json(model.to_json())
    np.testing.assert_array_equal(np.asarray(again(data)), np.asarray(model(data)))


def test_json_text_of_lookups_that_set_the_width_of_what_follows(tmp_path):
    lookup = layers.StringLookup(output_mode="multi_hot")
    lookup.set_vocabulary(["red", "blue"])
    words = nacre.Input((1,), dtype="string")
    model = nacre.Model(words, layers.Dense(2)(lookup(words)))
    again = nacre.models.model_from_json(model.to_json())
    model.save_weights(tmp_path / "m.weights.h5")
    again.load_weights(tmp_path / "m.weights.h5")
    np.testing.assert_array_equal(np.asarray(again(WORDS)), np.asarray(model(WORDS)))


def test_json_text_of_models_of_all_kinds_is_still_their_config():
    assert "Dense" in nacre.Sequential([layers.Dense(2)]).to_json()  # not built
    assert "Subclassed" in Subclassed("normalization").to_json()
