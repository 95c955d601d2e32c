"""Models whose own `get_compile_config` hands out objects."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

import nacre
from nacre import layers


@nacre.saving.register_keras_serializable("own_compile_configs")
class Regressor(nacre.Model):
    def __init__(self, units: int = 2, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units = units
        self.dense = layers.Dense(units)

    def call(self, inputs: Any) -> Any:
        return self.dense(inputs)

    def get_compile_config(self) -> dict[str, Any]:
        return {"steps": self.optimizer, "losses": [self.loss], "rate": 0.25}

    def compile_from_config(self, config: dict[str, Any]) -> None:
        assert config["rate"] == 0.25
        self.compile(
            nacre.saving.deserialize_keras_object(config["steps"]),
            nacre.saving.deserialize_keras_object(config["losses"][0]),
        )


def test_objects_in_a_compile_config_are_saved_as_their_configs(tmp_path: Path) -> None:
    x, y = np.ones((4, 3), "float32"), np.ones((4, 2), "float32")
    model = Regressor()
    model.compile(nacre.optimizers.SGD(0.25, momentum=0.5), nacre.losses.Huber(delta=0.5))
    model.fit(x, y, verbose=0)
    model.save(tmp_path / "m.keras")
    loaded = nacre.saving.load_model(tmp_path / "m.keras")
    assert isinstance(loaded.optimizer, nacre.optimizers.SGD) and loaded.optimizer.momentum == 0.5
    assert isinstance(loaded.loss, nacre.losses.Huber)
    for one in (model, loaded):  # with the momenta of the first
        one.fit(x, y, verbose=0)
    np.testing.assert_allclose(model.predict(x, verbose=0), loaded.predict(x, verbose=0), rtol=1e-6)
