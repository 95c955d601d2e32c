"""Masks of files: what Keras wrote keeps Keras's flow of masks, what nacre wrote keeps nacre's."""

from __future__ import annotations

import copy
import json
import warnings

import numpy as np
import pytest

import nacre
from nacre import layers, ops
from tests.field.test_graph_files import EXPECTED, GRAPHS, arrays, difference

KEPT = "masks end at ops"
OTHER = "in Keras masks end at ops"


def opened(case, **arguments):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return nacre.models.load_model(GRAPHS / f"{case}.keras", **arguments)


def embedded(tokens):
    return layers.Embedding(9, 4, mask_zero=True, name="embedding")(tokens)


def tagger(op=lambda e: e * 2.0, reader=None):
    tokens = nacre.Input((5,), dtype="int32", name="tokens")
    reader = reader or layers.LSTM(3, name="reader")
    return nacre.Model(tokens, reader(op(embedded(tokens))))


TOKENS = np.array([[1, 2, 3, 0, 0], [4, 5, 6, 7, 8]], "int32")


def counts_padding(model) -> bool:
    """Whether the numbers of the first row depend on the vector of the token 0."""
    before = np.asarray(model(TOKENS))
    table = model.get_layer("embedding").embeddings
    table.assign(np.where(np.arange(9)[:, None] == 0, 0.9, np.asarray(table)))
    return bool(np.abs(np.asarray(model(TOKENS)) - before).max() > 1e-6)


# -------------------------------------------------------------------- files by Keras


@pytest.mark.parametrize(
    ("case", "reader"),
    [
        ("mask_ends_at_an_op", "'lost'"),
        ("mask_and_positions", "'attention', 'mean'"),
        ("mask_into_a_nested_model", "'second'"),
    ],
)
def test_opening_says_where_padded_steps_count_and_offers_the_other(case, reader):
    with pytest.warns(UserWarning, match=f"{KEPT}.*before {reader}.*masks='carry'"):
        model = nacre.models.load_model(GRAPHS / f"{case}.keras")
    assert difference(model, arrays(case, "x"), arrays(case, "y")) < 1e-6


def test_opening_is_silent_where_no_mask_reaches_an_op():
    nacre.models.load_model(GRAPHS / "mask_through_layers.keras")
    nacre.models.load_model(GRAPHS / "nested_three_deep.keras")


@pytest.mark.parametrize("case", ["mask_ends_at_an_op", "mask_into_a_nested_model"])
def test_every_copy_of_what_keras_wrote_keeps_its_numbers(case, tmp_path):
    model = opened(case)
    x, y = arrays(case, "x"), arrays(case, "y")
    model.save(tmp_path / "model.keras")  # no warning: Keras computes the same from it
    model.save(tmp_path / "model.h5")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        twins = [nacre.models.load_model(tmp_path / f"model.{end}") for end in ("keras", "h5")]
    twins += [copy.deepcopy(model)] if case == "mask_ends_at_an_op" else []
    fresh = [nacre.models.clone_model(model), nacre.models.model_from_json(model.to_json())]
    for twin in fresh:
        twin.set_weights(model.get_weights())
    for twin in twins + fresh:
        assert difference(twin, x, y) < 1e-6


def test_carry_takes_the_flow_of_models_made_here_and_stays(tmp_path):
    model = opened("mask_ends_at_an_op", masks="carry")
    lost = nacre.Model(model.input, model.output[1])
    assert not counts_padding(lost)
    assert not lost._masks_end_at_ops
    with pytest.warns(UserWarning, match=OTHER):
        model.save(tmp_path / "model.keras")
    again = nacre.models.load_model(tmp_path / "model.keras")
    assert not counts_padding(nacre.Model(again.input, again.output[1]))
    with pytest.raises(ValueError, match="masks must be 'file' or 'carry'"):
        nacre.models.load_model(tmp_path / "model.keras", masks="keras")


def test_a_model_cut_out_of_one_by_keras_keeps_its_numbers():
    model = opened("mask_ends_at_an_op")
    part = nacre.Model(model.input, model.get_layer("lost").output)
    assert difference(part, arrays("mask_ends_at_an_op", "x"), {
        "0": EXPECTED["mask_ends_at_an_op/y_1"]
    }) < 1e-6  # fmt: skip
    assert counts_padding(part)


def test_a_model_by_keras_keeps_its_flow_within_one_made_here():
    kept = opened("mask_ends_at_an_op")
    tokens = nacre.Input((5,), dtype="int32")
    around = nacre.Model(tokens, kept(tokens))
    x, y = arrays("mask_ends_at_an_op", "x"), arrays("mask_ends_at_an_op", "y")
    assert difference(around, x, y) < 1e-6


def test_fit_after_opening_and_explain_masks_follow_the_flag():
    model = opened("mask_ends_at_an_op")
    report = str(model.explain_masks())
    assert "masks end at ops in this model, as in Keras" in report
    model.compile("sgd", "mse")
    x = arrays("mask_ends_at_an_op", "x")["0"]
    model.fit(x, [np.zeros((6, 3)), np.zeros((6, 3))], verbose=0)


@nacre.saving.register_keras_serializable("mask_files")
class Own(nacre.Model):
    """A model whose ops stand in its own `call`."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.embedding = layers.Embedding(9, 4, mask_zero=True, name="embedding")
        self.reader = layers.LSTM(3)

    def call(self, tokens):
        return self.reader(ops.multiply(self.embedding(tokens), 2.0))


def test_a_subclassed_model_by_keras_keeps_its_numbers_and_says_so(tmp_path):
    model = Own()
    wanted = np.asarray(model(TOKENS))
    model.save(tmp_path / "own", zipped=False)
    same = nacre.models.load_model(tmp_path / "own")
    assert not counts_padding(same)
    path = tmp_path / "own" / "metadata.json"
    path.write_text(json.dumps({"keras_version": "3.15.1"}))  # as if Keras had written it
    with pytest.warns(UserWarning, match=KEPT):
        kept = nacre.models.load_model(tmp_path / "own")
    assert np.abs(np.asarray(kept(TOKENS)) - wanted).max() > 1e-6
    kept.save(tmp_path / "again.keras")
    with pytest.warns(UserWarning, match=KEPT):
        again = nacre.models.load_model(tmp_path / "again.keras")
    np.testing.assert_array_equal(again(TOKENS), kept(TOKENS))
    np.testing.assert_array_equal(copy.deepcopy(kept)(TOKENS), kept(TOKENS))


# -------------------------------------------------------------------- saving what nacre made


def test_saving_says_once_where_keras_will_compute_other_numbers(tmp_path):
    model = tagger()
    with pytest.warns(UserWarning, match=f"{OTHER}.*to 'reader'.*compute_mask"):
        model.save(tmp_path / "model.keras")
    model.save(tmp_path / "model.keras")
    again = nacre.models.load_model(tmp_path / "model.keras")
    assert not counts_padding(again)


@pytest.mark.parametrize(
    "model",
    [
        lambda: tagger(op=lambda e: e),
        lambda: tagger(reader=layers.Flatten()),
        lambda: tagger(op=lambda e: ops.sum(e, axis=1), reader=layers.Dense(2)),
        lambda: nacre.Sequential([nacre.Input((5,)), layers.Embedding(9, 4, mask_zero=True),
                                  layers.LSTM(3)]),
    ],
    ids=["no_op", "no_reader", "reduced", "stack"],
)  # fmt: skip
def test_saving_is_silent_where_no_number_changes(model, tmp_path):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "(?s).*mask of its input stops here.*")
        warnings.filterwarnings("error", OTHER)
        model().save(tmp_path / "model.keras")


def test_saving_is_silent_for_a_mask_given_by_hand_and_says_the_loss_when_compiled(tmp_path):
    tokens = nacre.Input((5,), dtype="int32")
    table = layers.Embedding(9, 4, mask_zero=True)
    reader = layers.LSTM(3, name="reader", return_sequences=True)
    steps = reader(table(tokens) * 2.0, mask=table.compute_mask(tokens))
    nacre.Model(tokens, steps).save(tmp_path / "model.keras")
    model = nacre.Model(tokens, steps + 1.0)
    model.save(tmp_path / "model.keras")
    model.compile("sgd", "mse")
    with pytest.warns(UserWarning, match=f"{OTHER}.*to the loss"):
        model.save(tmp_path / "model.keras")


# -------------------------------------------------------------------- what a node records


def test_a_travelling_mask_handed_on_with_its_tensor_is_found_anew(tmp_path):
    tokens = nacre.Input((5,), dtype="int32")
    e = embedded(tokens) * 2.0
    model = nacre.Model(tokens, layers.LSTM(3)(e, mask=e._keras_mask))
    assert not counts_padding(model)
    assert nacre.models.clone_model(model).count_params() == model.count_params()


def test_none_given_for_a_mask_or_the_training_flag_is_recorded_as_none():
    x = nacre.Input((4, 3))
    y = layers.Dropout(0.5)(layers.Masking()(x) * 1.0, training=None)
    node = nacre.Model(x, layers.LSTM(2)(y, mask=None)).get_config()["layers"]
    assert [layer["inbound_nodes"][0]["kwargs"] for layer in node[-2:]] == [
        {"training": None}, {"mask": None},
    ]  # fmt: skip


def by_keras(model, **kwargs):
    """The model out of a config with call arguments as Keras records them."""
    config = json.loads(model.to_json())
    del config["config"]["masks_end_at_ops"]
    config["registered_name"] = "Functional"
    config["config"]["layers"][-1]["inbound_nodes"][0]["kwargs"] = kwargs
    return nacre.models.model_from_json(json.dumps(config))


def test_a_training_flag_that_keras_recorded_by_default_does_not_hold():
    x = nacre.Input((50,))
    data = np.ones((2, 50), "float32")
    dropout = by_keras(nacre.Model(x, layers.Dropout(0.5)(x)), training=False)
    assert np.abs(np.asarray(dropout(data, training=True)) - 1).max() > 0.5
    assert np.abs(np.asarray(dropout(data)) - 1).max() == 0
    image = nacre.Input((4, 4, 1))
    flip = by_keras(nacre.Model(image, layers.RandomFlip(seed=1)(image)), training=True)
    data = np.random.default_rng(0).random((8, 4, 4, 1)).astype("float32")
    np.testing.assert_array_equal(flip.predict(data, verbose=0), data)


def test_a_training_flag_that_was_given_holds():
    x = nacre.Input((3,))
    frozen = by_keras(nacre.Model(x, layers.BatchNormalization()(x)), training=False)
    before = frozen.get_weights()
    frozen(np.ones((4, 3), "float32"), training=True)
    for one, other in zip(before, frozen.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    own = nacre.Model(x, layers.Dropout(0.5)(x, training=False))
    twin = nacre.models.model_from_json(own.to_json())
    assert np.abs(np.asarray(twin(np.ones((2, 3), "float32"), training=True)) - 1).max() == 0
