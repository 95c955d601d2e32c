"""Strings as inputs of models: the host's part, the compiled part, files, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

import nacre
from nacre import layers, saving
from nacre.core.errors import ArgumentError, DataError, DTypeError, NotBuiltError, ShapeError
from nacre.layers.preprocessing import host_layer
from nacre.training import inputs

TEXTS = np.array(["good movie great", "bad film awful", "great great fun", "awful boring bad"] * 8)
LABELS = np.array([1.0, 0.0, 1.0, 0.0] * 8)
LENGTH = 4


def vectorizer(**kwargs: Any) -> Any:
    layer = layers.TextVectorization(max_tokens=20, **{"output_sequence_length": LENGTH, **kwargs})
    layer.adapt(TEXTS)
    return layer


def parts() -> list[Any]:
    return [
        layers.Embedding(20, 6),
        layers.GlobalAveragePooling1D(),
        layers.Dense(1, activation="sigmoid"),
    ]


def sequential() -> Any:
    return nacre.Sequential([nacre.Input((1,), dtype="string"), vectorizer(), *parts()])


def without_input() -> Any:
    return nacre.Sequential([vectorizer(), *parts()])


def functional() -> Any:
    x = inputs = nacre.Input((1,), dtype="string", name="text")
    for layer in (vectorizer(), *parts()):
        x = layer(x)
    return nacre.Model(inputs, x)


class Classifier(nacre.Model):
    def __init__(self) -> None:
        super().__init__()
        self.vectorizer, self.parts = vectorizer(), parts()

    def call(self, inputs: Any, training: bool = False) -> Any:
        x = self.vectorizer(inputs)
        for layer in self.parts:
            x = layer(x)
        return x


def end_to_end() -> Any:
    """A model of numbers behind a vectorizer, as tutorials put it together for serving."""
    inner = nacre.Sequential([nacre.Input((LENGTH,), dtype="int32"), *parts()])
    return nacre.Sequential([nacre.Input((1,), dtype="string"), vectorizer(), inner])


def nested_strings() -> Any:
    inputs = nacre.Input((1,), dtype="string")
    return nacre.Model(inputs, functional()(inputs))


def nested_classifier() -> Any:
    inputs = nacre.Input((1,), dtype="string")
    return nacre.Model(inputs, Classifier()(inputs))


MODELS = [
    sequential,
    without_input,
    functional,
    Classifier,
    end_to_end,
    nested_strings,
    nested_classifier,
]


def compiled(model: Any) -> Any:
    model.compile(nacre.optimizers.Adam(0.05), "binary_crossentropy", metrics=["accuracy"])
    return model


def reference(model: Any, texts: Any) -> np.ndarray:
    """The predictions by the numeric layers alone."""
    x: Any = np.asarray(vectorizer()(np.asarray(texts, dtype=object).ravel()))
    weights = model.get_weights()
    table, kernel, bias = weights
    mean = table[x].mean(axis=1)
    return 1 / (1 + np.exp(-(mean @ kernel + bias)))


@pytest.mark.parametrize("make", MODELS)
def test_a_model_learns_from_raw_texts(make: Callable[[], Any]) -> None:
    model = compiled(make())
    history = model.fit(TEXTS, LABELS, batch_size=8, epochs=15, verbose=0, validation_split=0.25)
    assert history.history["accuracy"][-1] == history.history["val_accuracy"][-1] == 1.0
    assert model.evaluate(TEXTS, LABELS, verbose=0)[1] == 1.0
    expected = reference(model, TEXTS)
    np.testing.assert_allclose(model.predict(TEXTS, verbose=0), expected, rtol=1e-4)
    np.testing.assert_allclose(model.predict_on_batch(TEXTS[:3]), expected[:3], rtol=1e-4)
    np.testing.assert_allclose(model(TEXTS[:5]), expected[:5], rtol=1e-4)


FORMS: dict[str, Callable[[np.ndarray], Any]] = {
    "array": lambda texts: texts,
    "objects": lambda texts: texts.astype(object),
    "bytes": lambda texts: texts.astype(bytes),
    "column": lambda texts: texts[:, None],
    "list": lambda texts: texts.tolist(),
    "list of rows": lambda texts: [[text] for text in texts.tolist()],
    "dict": lambda texts: {"text": texts},
    "list of one input": lambda texts: [texts],
    "series": lambda texts: pytest.importorskip("pandas").Series(texts.tolist()),
}


@pytest.mark.parametrize("form", FORMS)
def test_strings_come_in_many_forms(form: str) -> None:
    model = compiled(functional())
    x = FORMS[form](TEXTS)
    model.fit(x, LABELS, epochs=1, verbose=0)
    expected = reference(model, TEXTS)
    np.testing.assert_allclose(model.predict(x, verbose=0), expected, rtol=1e-4)
    model.train_on_batch(x, LABELS)
    loss, accuracy = model.test_on_batch(x, LABELS)
    assert np.isfinite(loss) and 0 <= accuracy <= 1
    assert model(x).shape == (len(TEXTS), 1)


def test_arrays_too_large_to_map_whole_are_mapped_by_batches(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole, pieces = compiled(functional()), compiled(functional())
    pieces.set_weights(whole.get_weights())
    whole.fit(TEXTS, LABELS, batch_size=8, epochs=3, verbose=0, shuffle=False)
    monkeypatch.setattr(inputs, "CPU_BUDGET_BYTES", 16)
    pieces.fit(TEXTS, LABELS, batch_size=8, epochs=3, verbose=0, shuffle=False)
    for one, other in zip(whole.get_weights(), pieces.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(
        pieces.predict(TEXTS, batch_size=5, verbose=0), reference(pieces, TEXTS), rtol=1e-4
    )
    compiled(functional()).fit(TEXTS, LABELS, batch_size=5, epochs=2, verbose=0)


COLUMNS = {
    "text": TEXTS,
    "sizes": np.random.default_rng(0).normal(size=(32, 2)).astype("float32"),
    "kind": np.arange(32) % 3,
    "city": np.array(["Rome", "Oslo"] * 16, dtype=object),
}


def of_columns() -> Any:
    text = nacre.Input((1,), dtype="string", name="text")
    sizes = nacre.Input((2,), name="sizes")
    kind = nacre.Input((1,), dtype="int64", name="kind")
    city = nacre.Input((1,), dtype="string", name="city")
    lookup = layers.StringLookup(vocabulary=["Rome"], output_mode="one_hot")
    joined = layers.Concatenate()(
        [
            layers.Flatten()(layers.Embedding(20, 2)(vectorizer()(text))),
            layers.Dense(3)(sizes),
            lookup(city),
            layers.HashedCrossing(5, output_mode="one_hot")((city, kind)),
            layers.Hashing(3, output_mode="one_hot")(kind),
            layers.IntegerLookup(vocabulary=[0, 2], output_mode="one_hot")(kind),
        ]
    )
    inputs = {"text": text, "sizes": sizes, "kind": kind, "city": city}
    return nacre.Model(inputs, layers.Dense(1, activation="sigmoid")(joined))


def rows(columns: dict[str, Any], start: int, stop: int) -> dict[str, Any]:
    return {name: values[start:stop] for name, values in columns.items()}


class Batches(nacre.utils.PyDataset):
    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> Any:
        return rows(COLUMNS, 8 * index, 8 * index + 8), LABELS[8 * index : 8 * index + 8]


def test_numbers_and_strings_come_by_name() -> None:
    model = compiled(of_columns())
    first = model.predict(COLUMNS, verbose=0)
    np.testing.assert_allclose(model(COLUMNS), first, rtol=1e-5)
    model.fit(COLUMNS, LABELS, epochs=2, verbose=0)
    assert not np.allclose(model.predict(COLUMNS, verbose=0), first)


def test_sources_of_batches_give_what_arrays_give() -> None:
    by_arrays, by_dataset, by_generator = (compiled(of_columns()) for _ in range(3))
    for model in (by_dataset, by_generator):
        model.set_weights(by_arrays.get_weights())
    by_arrays.fit(COLUMNS, LABELS, batch_size=8, epochs=2, shuffle=False, verbose=0)
    by_dataset.fit(Batches(), epochs=2, shuffle=False, verbose=0)
    endless = (Batches()[i % 4] for i in range(8))
    by_generator.fit(endless, epochs=2, steps_per_epoch=4, verbose=0)
    expected = by_arrays.predict(COLUMNS, verbose=0)
    for model in (by_dataset, by_generator):
        np.testing.assert_allclose(model.predict(COLUMNS, verbose=0), expected, rtol=1e-4)
    loss = by_arrays.evaluate(COLUMNS, LABELS, verbose=0)[0]
    np.testing.assert_allclose(by_dataset.evaluate(Batches(), verbose=0)[0], loss, rtol=1e-4)
    batches = (rows(COLUMNS, i, i + 8) for i in range(0, 32, 8))
    np.testing.assert_allclose(by_dataset.predict(batches, verbose=0), expected, rtol=1e-4)


def test_texts_are_vectorized_in_the_thread_that_makes_batches() -> None:
    import threading

    class Loader:
        def __iter__(self):
            return iter([(TEXTS, LABELS)] * 3)

    seen = set()
    layer = vectorizer(standardize=lambda text: seen.add(threading.current_thread().name) or text)
    model = compiled(nacre.Sequential([nacre.Input((1,), dtype="string"), layer, *parts()]))
    model.fit(Loader(), epochs=1, steps_per_epoch=3, verbose=0)
    seen.clear()
    model.fit(Loader(), epochs=1, steps_per_epoch=3, verbose=0)
    assert "nacre-prefetch" in seen


def test_host_layers_run_once_for_arrays_and_never_in_a_program(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls = []
    call = layers.TextVectorization.call
    monkeypatch.setattr(
        layers.TextVectorization,
        "call",
        lambda self, inputs: calls.append(len(inputs)) or call(self, inputs),
    )
    model = compiled(functional())
    model.fit(TEXTS, LABELS, batch_size=4, epochs=5, verbose=0)
    assert calls == [32, 32]  # a look at the size of the result, then all rows
    assert isinstance(model.layers[1], host_layer.HostLayer)


def test_masks_of_vectorized_texts_reach_the_program() -> None:
    masked = nacre.Sequential(
        [
            nacre.Input((1,), dtype="string"),
            vectorizer(),
            layers.Embedding(20, 3, mask_zero=True),
            layers.GlobalAveragePooling1D(),
        ]
    )
    table = masked.get_weights()[0]
    indices = np.asarray(vectorizer()(["great fun"]))[0, :2]
    expected = table[indices].mean(axis=0)
    np.testing.assert_allclose(masked.predict(np.array(["great fun"]), verbose=0)[0], expected)


def test_lookups_without_length_follow_the_longest_text() -> None:
    model = nacre.Sequential(
        [
            nacre.Input((1,), dtype="string"),
            vectorizer(output_sequence_length=None),
            layers.Embedding(20, 3, mask_zero=True),
            layers.GlobalAveragePooling1D(),
        ]
    )
    assert model.layers[0].output.shape == (None, None)
    both = model.predict(np.array(["great fun", "bad film awful boring"]), verbose=0)
    np.testing.assert_allclose(model(np.array(["great fun"]))[0], both[0], rtol=1e-6)


def test_the_table_shows_what_the_host_gives() -> None:
    lines: list[str] = []
    sequential().summary(print_fn=lines.append)
    assert any("TextVectorization" in line and "(None, 4)" in line for line in lines)


@pytest.mark.parametrize("make", [sequential, functional, end_to_end, nested_strings, of_columns])
def test_a_file_keeps_the_vocabulary(make: Callable[[], Any], tmp_path: Path) -> None:
    model = compiled(make())
    x = COLUMNS if make is of_columns else TEXTS
    model.fit(x, LABELS, epochs=1, verbose=0)
    expected = model.predict(x, verbose=0)
    path = tmp_path / "model.keras"
    model.save(path)
    again = saving.load_model(path)
    np.testing.assert_allclose(again.predict(x, verbose=0), expected, rtol=1e-6)
    again.fit(x, LABELS, epochs=1, verbose=0)


def test_a_file_keeps_a_subclassed_model_of_strings(tmp_path: Path) -> None:
    model = compiled(Classifier())
    model.fit(TEXTS, LABELS, epochs=1, verbose=0)
    expected = model.predict(TEXTS, verbose=0)
    model.save(tmp_path / "model.keras")
    again = saving.load_model(tmp_path / "model.keras", custom_objects={"Classifier": Classifier})
    np.testing.assert_allclose(again.predict(TEXTS, verbose=0), expected, rtol=1e-6)
    again.save(tmp_path / "twice.keras")
    again.fit(TEXTS, LABELS, epochs=1, verbose=0)


def test_models_of_strings_run_eagerly_and_with_steps_of_their_own() -> None:
    class OwnStep(Classifier):
        def train_step(self, state: Any, data: Any) -> Any:
            trainable, other, optimizer_values, metrics = state
            x, y = data

            def loss_of(values: Any) -> Any:
                predictions, new = self.stateless_call(values, other, x, training=True)
                return self.compute_loss(x, y, predictions), new

            (loss, new), gradients = jax.value_and_grad(loss_of, has_aux=True)(trainable)
            trainable, optimizer_values = self.optimizer.stateless_apply(
                optimizer_values, gradients, trainable
            )
            return {"loss": loss}, (trainable, new, optimizer_values, metrics)

    model = compiled(OwnStep())
    losses = model.fit(TEXTS, LABELS, epochs=12, verbose=0).history["loss"]
    assert losses[-1] < 0.5 * losses[0]
    eager = functional()
    eager.compile("adam", "binary_crossentropy", run_eagerly=True)
    eager.fit(TEXTS, LABELS, epochs=1, verbose=0)
    np.testing.assert_allclose(eager.predict(TEXTS, verbose=0), reference(eager, TEXTS), rtol=1e-4)


@pytest.mark.parametrize("make", [sequential, functional, end_to_end, of_columns])
def test_a_clone_knows_the_vocabulary(make: Callable[[], Any]) -> None:
    model = make()
    twin = nacre.models.clone_model(model)
    twin.set_weights(model.get_weights())
    x = COLUMNS if make is of_columns else TEXTS
    np.testing.assert_allclose(twin.predict(x, verbose=0), model.predict(x, verbose=0), rtol=1e-6)


def test_weights_of_tf_idf_are_kept_in_files_and_clones(tmp_path: Path) -> None:
    layer = layers.TextVectorization(output_mode="tf_idf")
    layer.adapt(TEXTS)
    model = nacre.Sequential([nacre.Input((1,), dtype="string"), layer, layers.Dense(2)])
    expected = model.predict(TEXTS, verbose=0)
    model.save(tmp_path / "model.keras")
    again = saving.load_model(tmp_path / "model.keras")
    again.save(tmp_path / "twice.keras")
    twin = nacre.models.clone_model(model)
    twin.set_weights(model.get_weights())
    for one in (again, saving.load_model(tmp_path / "twice.keras"), twin):
        np.testing.assert_allclose(one.predict(TEXTS, verbose=0), expected, rtol=1e-6)


def labelled() -> Any:
    inputs = nacre.Input((2,))
    scores = layers.Dense(2, kernel_initializer="identity")(inputs)
    lookup = layers.StringLookup(vocabulary=["no", "yes"], num_oov_indices=0, invert=True)
    return nacre.Model(inputs, lookup(nacre.ops.argmax(scores, axis=-1)))


def test_a_model_may_end_in_strings() -> None:
    x = np.array([[0.0, 1.0], [1.0, 0.0], [-1.0, 2.0]])
    model = labelled()
    assert model.predict(x, verbose=0).tolist() == ["yes", "no", "yes"]
    assert model(x).tolist() == ["yes", "no", "yes"]


@pytest.mark.parametrize("ending", [".keras", ""])
def test_a_model_without_weights_before_its_strings_gives_them(ending: str, tmp_path: Path) -> None:
    names = nacre.layers.StringLookup(vocabulary=["a", "é"], invert=True)
    inputs = nacre.Input((2,), dtype="int64")
    model = nacre.Model(inputs, {"names": names(inputs), "twice": inputs * 2})
    ids = np.array([[1, 2], [2, 0]])
    wanted = [["a", "é"], ["é", "[UNK]"]]
    assert model.predict(ids, verbose=0)["names"].tolist() == wanted
    model.save(tmp_path / f"model{ending}")
    again = nacre.models.load_model(tmp_path / f"model{ending}")
    assert again(ids)["names"].tolist() == wanted
    assert again.predict(ids, verbose=0)["twice"].tolist() == [[2, 4], [4, 0]]


def test_strings_that_a_model_hands_on_are_among_its_outputs() -> None:
    inputs = nacre.Input((1,), dtype="string")
    model = nacre.Model(inputs, [nacre.layers.StringLookup(vocabulary=["a"])(inputs), inputs])
    found = model.predict(np.array([["a"], ["q"]]), verbose=0)
    assert [part.tolist() for part in found] == [[[1], [0]], [["a"], ["q"]]]


def test_strings_may_pass_between_host_layers() -> None:
    inputs = nacre.Input((1,), dtype="int32")
    names = layers.StringLookup(vocabulary=["a", "b"], num_oov_indices=0, invert=True)(inputs)
    model = nacre.Model(inputs, layers.Hashing(7)(names))
    x = np.array([[0], [1]])
    expected = layers.Hashing(7)(np.array([["a"], ["b"]]))
    np.testing.assert_array_equal(model.predict(x, verbose=0), expected)
    np.testing.assert_array_equal(model(x), expected)


def test_ops_before_a_host_layer_run_on_the_host() -> None:
    inputs = nacre.Input((1,), dtype="int32")
    model = nacre.Model(inputs, layers.Hashing(7)(inputs * 2 + 1))
    np.testing.assert_array_equal(
        model.predict(np.array([[3]]), verbose=0), layers.Hashing(7)(np.array([[7]]))
    )


def numeric() -> Any:
    return compiled(nacre.Sequential([nacre.Input((1,)), layers.Dense(1)]))


class LateLookup(nacre.Model):
    def __init__(self) -> None:
        super().__init__()
        self.dense, self.hashing = layers.Dense(1), layers.Hashing(3, output_mode="one_hot")

    def call(self, inputs: Any) -> Any:
        return self.dense(self.hashing(nacre.ops.cast(inputs * 2, "int32")))


REFUSED: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (
        lambda: layers.Dense(2)(nacre.Input((1,), dtype="string")),
        DTypeError,
        r"Dense.*strings must first become numbers. Got strings of shape \(None, 1\). "
        "Put TextVectorization, StringLookup or Hashing",
    ),
    (
        lambda: layers.Dense(2)(np.array([["a"]])),
        DTypeError,
        r"Dense.*Got strings of shape \(1, 1\)",
    ),
    (lambda: nacre.Input((1,), dtype="string") + 1, DTypeError, "an operation on strings"),
    (
        lambda: layers.TextVectorization()(nacre.Input((1,))),
        DTypeError,
        "its input must be strings. Got a symbolic tensor of dtype float32.*dtype='string'",
    ),
    (
        lambda: vectorizer()(np.array([["a", "b"]])),
        ShapeError,
        r"\(batch,\) or \(batch, 1\). Got shape \(1, 2\)",
    ),
    (
        lambda: numeric().fit(TEXTS, LABELS, verbose=0),
        DTypeError,
        "Sequential.*fit: strings must first.*no layer that takes them in Sequential",
    ),
    (lambda: numeric().predict(["a"], verbose=0), DTypeError, "predict.*no layer that takes them"),
    (
        lambda: numeric().fit(iter([(TEXTS, LABELS)]), verbose=0),
        DTypeError,
        "fit: strings must first become numbers",
    ),
    (
        lambda: numeric()(np.array([["a"]])),
        DTypeError,
        "input.*strings, where the model takes numb",
    ),
    (
        lambda: compiled(sequential()).fit(TEXTS, TEXTS, verbose=0),
        DTypeError,
        "fit, targets: they must be numbers",
    ),
    (
        lambda: sequential().predict(np.ones((3, 1)), verbose=0),
        DTypeError,
        r"input.*must be strings. Got an array of dtype float64.*astype\(str\)",
    ),
    (
        lambda: sequential().predict(np.array(["a", float("nan")], dtype=object), verbose=0),
        DataError,
        r"every value must be there. Got nan in row 1.*fillna",
    ),
    (
        lambda: sequential().predict(np.array([["a", "b"]]), verbose=0),
        ShapeError,
        r"shape \(None, 1\). Got shape \(1, 2\)",
    ),
    (
        lambda: nacre.Sequential(
            [nacre.Input((1,), dtype="string"), layers.TextVectorization(), *parts()]
        ).predict(TEXTS, verbose=0),
        NotBuiltError,
        "vocabulary must be known.*adapt",
    ),
    (
        lambda: compiled(LateLookup()).fit(np.ones((4, 1)), np.ones((4, 1)), verbose=0),
        ArgumentError,
        "Hashing.*works on the host.*without layers or ops between",
    ),
]


@pytest.mark.parametrize(("act", "error", "text"), REFUSED)
def test_mistakes_are_told(act: Callable[[], Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        act()


def test_training_through_strings_is_refused() -> None:
    model = labelled()
    model.compile("adam", "mse")
    with pytest.raises(
        ArgumentError, match="before all layers with weights. Got one that comes after 'dense'"
    ):
        model.fit(np.ones((2, 2)), np.ones(2), verbose=0)


def test_a_host_layer_called_more_often_than_before_is_told() -> None:
    class Moody(Classifier):
        def call(self, inputs: Any, training: bool = False) -> Any:
            x = super().call(inputs)
            return x + super().call(inputs) if training else x

    with pytest.raises(ArgumentError, match="same order each time.*Do not decide by `training`"):
        compiled(Moody()).fit(TEXTS, LABELS, verbose=0)


ADAPTED: dict[str, Callable[[], Any]] = {
    "array": lambda: TEXTS,
    "column": lambda: TEXTS[:, None],
    "list": lambda: TEXTS.tolist(),
    "generator of batches": lambda: (TEXTS[i : i + 8] for i in range(0, 32, 8)),
    "list of pairs": lambda: iter([(TEXTS, LABELS)]),
    "generator of texts": lambda: iter(TEXTS.tolist()),
    "bytes": lambda: TEXTS.astype(bytes),
}


@pytest.mark.parametrize("form", ADAPTED)
def test_adapt_takes_texts_in_many_forms(form: str) -> None:
    layer = layers.TextVectorization()
    layer.adapt(ADAPTED[form]())
    assert layer.get_vocabulary() == vectorizer().get_vocabulary()


def shout(text: str) -> str:
    return text.upper()


def on_letters_a(text: str) -> list[str]:
    return text.split("A")


def test_functions_standardize_and_split() -> None:
    layer = layers.TextVectorization(standardize=shout, split=on_letters_a)
    layer.adapt(["xay"])
    assert layer.get_vocabulary() == ["", "[UNK]", "Y", "X"]
    assert layer(["yax", "q"]).tolist() == [[2, 3], [1, 0]]


NOT_HERE = [
    (lambda: layers.TextVectorization(ragged=True, output_mode="count"), "ragged=True"),
    (lambda: layers.TextVectorization(ragged=True, output_sequence_length=3), "ragged=True"),
    (lambda: layers.TextVectorization(ragged=True, vocabulary=["a"])(["a"]), "ragged=True"),
    (
        lambda: layers.TextVectorization(ragged=True)(layers.Input((), dtype="string")),
        "ragged=True",
    ),
    (lambda: layers.StringLookup(oov_method="md5"), "oov_method.*'md5'"),
    (lambda: layers.StringLookup(salt="x"), "salt must be an int or two ints. Got 'x'"),
]


@pytest.mark.parametrize(("act", "text"), NOT_HERE)
def test_arguments_without_meaning_here_are_refused(act: Callable[[], Any], text: str) -> None:
    with pytest.raises(ArgumentError, match=text):
        act()
