"""Models whose `call` takes more than one tensor come back from every file, and are called alike."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nacre
from nacre import layers
from nacre.core.errors import NacreError

X = np.linspace(-1, 1, 6, dtype="float32").reshape(3, 2)
IDS = np.array([1, 2, 4], "int32")


@nacre.saving.register_keras_serializable("calls_with_more")
class Optional(nacre.Model):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dense, self.embed = layers.Dense(2), layers.Embedding(5, 2)

    def call(self, x: Any = None, y: Any = None, ids: Any = None, scale: float = 1.0) -> Any:
        found = self.dense(y["deep"] if x is None else x) * scale
        return found if ids is None else found + self.embed(ids)


CALLS: dict[str, Callable[[Any], Any]] = {
    "a number beside it": lambda m: m(X, scale=2.0),
    "the third argument without the second": lambda m: m(X, ids=IDS),
    "none of the first": lambda m: m(y={"deep": X}),
}


@pytest.mark.parametrize("ending", [".keras", ".h5", ""])
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_model_called_with_more_than_one_tensor_comes_back(
    call: Callable[[Any], Any], ending: str, tmp_path: Path
) -> None:
    model = Optional()
    wanted = np.asarray(call(model))
    model.save(tmp_path / f"model{ending}")
    again = nacre.models.load_model(tmp_path / f"model{ending}")
    np.testing.assert_array_equal(np.asarray(call(again)), wanted)
    if not ending:  # what came from a file knows all of it too
        again.save(tmp_path / "once_more")
        third = nacre.models.load_model(tmp_path / "once_more")
        np.testing.assert_array_equal(np.asarray(call(third)), wanted)


def test_functions_of_a_savedmodel_take_arguments_by_the_names_of_call(tmp_path: Path) -> None:
    model = Optional()
    wanted = np.asarray(model(X, ids=IDS))
    model.save(tmp_path / "folder")
    program = nacre.saving.open_saved_model(tmp_path / "folder")
    np.testing.assert_allclose(np.asarray(program(X, ids=IDS)), wanted, rtol=1e-6)
    with pytest.raises(NacreError):
        program(X, y=IDS)


@nacre.saving.register_keras_serializable("calls_with_more")
class Tied(layers.Layer):
    """Reads the table of an embedding that stands in the graph before it."""

    def __init__(self, embed: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.embed = embed

    def build(self, input_shape: Any) -> None:
        self.bias = self.add_weight(shape=(5,), initializer="ones")

    def call(self, x: Any) -> Any:
        return nacre.ops.matmul(x, nacre.ops.transpose(self.embed.embeddings)) + self.bias

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "embed": nacre.saving.serialize_keras_object(self.embed)}


@pytest.mark.parametrize("ending", [".keras", ".h5"])
def test_a_layer_that_reads_the_table_of_another_comes_back(ending: str, tmp_path: Path) -> None:
    embed = layers.Embedding(5, 2)
    inputs = nacre.Input((3,), dtype="int32")
    model = nacre.Model(inputs, Tied(embed)(embed(inputs)))
    model.save(tmp_path / f"model{ending}")
    again = nacre.models.load_model(tmp_path / f"model{ending}")
    np.testing.assert_array_equal(np.asarray(again(IDS[None])), np.asarray(model(IDS[None])))
    assert again.layers[2].embed is again.layers[1]


@nacre.saving.register_keras_serializable("calls_with_more")
class TwoNames(nacre.Model):
    """A variable of a layer within, kept by the model under a name of its own too."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.embed = layers.Embedding(4, 2)
        self.embed.build((None,))
        self.table = self.embed.embeddings

    def call(self, ids: Any) -> Any:
        return nacre.ops.matmul(self.embed(ids), nacre.ops.transpose(self.table))


def test_a_variable_with_two_names_comes_back_from_a_folder(tmp_path: Path) -> None:
    model = TwoNames()
    wanted = np.asarray(model(IDS - 1))
    model.save(tmp_path / "folder")
    again = nacre.models.load_model(tmp_path / "folder")
    np.testing.assert_array_equal(np.asarray(again(IDS - 1)), wanted)
    assert again.table is again.embed.embeddings
