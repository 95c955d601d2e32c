"""`autocast=False` holds in copies and files: inputs and weights stay in their own dtype."""

import numpy as np
import pytest

import nacre as keras
from nacre import layers


@keras.saving.register_keras_serializable("autocast_kept")
class KeepsItsInputs(layers.Layer):
    def call(self, inputs):
        return inputs * 1


@keras.saving.register_keras_serializable("autocast_kept")
class ChoosesItself(layers.Layer):
    def __init__(self, **kwargs):
        super().__init__(autocast=False, **kwargs)

    def call(self, inputs):
        return inputs * 1

    def get_config(self):
        return super().get_config()


MAKERS = {
    "built in": lambda: layers.Dense(2, autocast=False, dtype="mixed_float16"),
    "a user's": lambda: KeepsItsInputs(autocast=False, dtype="mixed_float16"),
    "fixed by its class": lambda: ChoosesItself(dtype="mixed_float16"),
}


@pytest.mark.parametrize("kind", MAKERS)
@pytest.mark.parametrize("ending", [".keras", ".h5", "copy"])
def test_autocast_is_kept(kind, ending, tmp_path):
    model = keras.Sequential([keras.Input((4,)), MAKERS[kind]()])
    if ending == "copy":
        again = keras.models.clone_model(model)
        again.set_weights(model.get_weights())
    else:
        model.save(tmp_path / f"model{ending}")
        again = keras.models.load_model(tmp_path / f"model{ending}")
    x = np.linspace(0, 1, 8, dtype="float32").reshape(2, 4) * 1.0001
    assert not again.layers[-1].autocast
    result = np.asarray(again(x))
    assert result.dtype == np.float32
    np.testing.assert_array_equal(result, model(x))


def test_what_is_as_usual_is_not_in_configs():
    assert "autocast" not in layers.Dense(2).get_config()
    assert "autocast" not in layers.Dense(2, autocast=True).get_config()
