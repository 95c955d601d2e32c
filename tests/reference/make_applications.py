"""Write `applications.json`: ready-made networks of Keras.

For every member, and for arguments that change the layers, the number of parameters and digests of
layers, wiring and variables; for a small one of each family outputs and gradients for weights that
are filled by a rule, and the end without the top. The table is in `../cases/applications.py`.

Members that the file has already stay as they are: delete it for all anew.

Usage: python make_applications.py                (all; some minutes)
       python make_applications.py vgg xception   (these families; the others stay as they are)
"""

from __future__ import annotations

import json
import sys
from typing import Any

import oracle  # isort: skip
import jax
import jax.numpy as jnp
import keras
import numpy as np
from cases import applications as cases


def member(name: str, size: int, **arguments: Any) -> dict[str, Any]:
    keras.utils.clear_session()
    with keras.StatelessScope():  # variables have shapes and no values
        image = keras.Input(batch_shape=(1, size, size, 3))
        model = getattr(keras.applications, name)(weights=None, input_tensor=image, **arguments)
    return cases.facts(model)


def end(name: str, shape: tuple[int, ...]) -> list[str]:
    """The last two layers without the top."""
    keras.utils.clear_session()
    with keras.StatelessScope():
        image = keras.Input(batch_shape=(1, *shape))
        arguments = {"weights": None, "include_top": False, "pooling": "max"}
        model = getattr(keras.applications, name)(input_tensor=image, **arguments)
    return cases.layer_lines(model)[-2:]


def numbers(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    keras.utils.clear_session()
    model = getattr(keras.applications, name)(**cases.small(arguments))
    cases.fill(model)
    x = cases.pictures(arguments["input_shape"])
    fixed = [variable.value for variable in model.non_trainable_variables]

    @jax.jit
    def loss(trained: list[Any]) -> Any:
        y, _ = model.stateless_call(trained, fixed, x, training=False)
        return jnp.sum(y * y), y

    trained = [variable.value for variable in model.trainable_variables]
    (_, y), gradients = jax.value_and_grad(loss, has_aux=True)(trained)
    return {
        **cases.facts(model),
        "outputs": np.asarray(y, np.float64).tolist(),
        "slopes": cases.slopes(gradients),
    }


def preprocessing() -> dict[str, Any]:
    """What each family does to a picture of whole numbers, and to one with channels first."""
    image = cases.whole_picture()
    found = {}
    for family in cases.PREPROCESSED:
        change = getattr(keras.applications, family).preprocess_input
        last, first = (
            change(image.copy()),
            change(image.transpose(2, 0, 1).copy(), "channels_first"),
        )
        found[family] = [np.asarray(y, np.float64).round(6).tolist() for y in (last, first)]
    return found


path = oracle.FOLDER / "applications.json"
found = json.loads(path.read_text()) if path.exists() else {}
found["preprocessing"] = preprocessing()
for family in sys.argv[1:] or [f for f in cases.FAMILIES if f not in cases.OLD_FAMILIES]:
    for name, size in cases.FAMILIES[family].items():
        if name not in found:
            found[name] = member(name, size)
            oracle.write_facts("applications", found)
    for variant, (name, size, arguments) in cases.VARIANTS.get(family, {}).items():
        found[f"{family}: {variant}"] = member(name, size, **arguments)
    name, arguments = cases.SMALL[family]
    found[f"{family}: end"] = end(name, arguments["input_shape"])
    found[f"{family}: numbers"] = numbers(name, arguments)
    oracle.write_facts("applications", found)
