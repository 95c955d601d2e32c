"""Whole models in one HDF5 file as tf.keras 2.15 has them: its configs, its weights, its optimizer.

The layout is that of `h5.py`; what differs are the configs (`keras2_config.py`), and which of an
optimizer's variables are listed.

Source: files that tf.keras 2.15.1 wrote, and what it opened.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from nacre.core.errors import FileFormatError, SerializationError, listed, message
from nacre.core.regions import Content
from nacre.core.registry import plain_config
from nacre.core.variable import Variable
from nacre.core.warning import warn
from nacre.layers import BatchNormalization, TimeDistributed
from nacre.optimizers import Optimizer
from nacre.saving import assets, weights
from nacre.saving.formats import h5
from nacre.saving.formats.checkpoint_writer import listed_by_keras
from nacre.saving.keras2_config import NoKeras2Form, calls_of, keras2_config, keras2_training
from nacre.saving.reloading import refuse_what_cannot_come_back

VERSION = "2.15.0"


def to_content(model: Any, include_optimizer: bool, who: str) -> tuple[Content, list[Any]]:
    """An `.h5` file that tf.keras 2.15 opens, and the arrays in it.

    Raises:
        SerializationError: tf.keras 2.15 has no form for a part of the model; says which.
    """
    weights.require_built(model, who)
    data = plain_config(model)
    refuse_what_cannot_come_back(model, data, None)
    left = assets.fill_vocabularies(data, model)
    if left:
        raise _no_form(f"what adapt() found in layers within others: {listed(left)}", who)
    text = _text(lambda: keras2_config(data, calls_of(model)), who)
    training = _training(model, who) if include_optimizer and model.compiled else None
    state = None if training is None else _optimizer_state(model)
    _warn_of_statistics(model, who)
    return h5.layout(model, text, training, state, (VERSION, "tensorflow"))


def _text(make: Callable[[], Any], who: str) -> str:
    try:
        return json.dumps(make())
    except NoKeras2Form as error:
        raise _no_form(str(error), who) from None
    except (TypeError, ValueError) as error:
        raise FileFormatError(message(who, "its config must be JSON", str(error))) from None


def _no_form(part: str, who: str) -> SerializationError:
    return SerializationError(
        message(
            f"{who}(compat='keras-2.15')",
            "all of the model must have a form in tf.keras 2.15",
            part,
            "Save a folder, save('model'): tf.keras 2.15 opens it as a model of functions.",
        )
    )


def _training(model: Any, who: str) -> str | None:
    """The compile arguments; None, with a warning, where tf.keras 2.15 has not all of them."""
    config = model.get_compile_config()
    if config is None:
        return None
    try:
        return json.dumps(keras2_training(h5.training_config(config)))
    except (NoKeras2Form, TypeError, ValueError) as error:
        warn(
            message(
                f"{who}(compat='keras-2.15')",
                "the file opens uncompiled, as all of compile() must have a form in tf.keras 2.15",
                str(error),
                "Compile the model after load_model.",
            )
        )
        return None


def _warn_of_statistics(model: Any, who: str) -> None:
    """Say where tf.keras 2 trains on other statistics; both predict the same."""
    found = [
        layer.name
        for layer in model._flatten_layers()
        if isinstance(layer, TimeDistributed)
        and any(isinstance(inner, BatchNormalization) for inner in layer._flatten_layers())
    ]
    if found:
        warn(
            message(
                f"{who}(compat='keras-2.15')",
                "tf.keras 2 trains a BatchNormalization in a TimeDistributed on statistics of all "
                "steps at once, nacre and Keras 3 step by step; predictions are the same",
                listed(found),
                "For the same training put the BatchNormalization beside the TimeDistributed: it "
                "takes statistics over all steps there.",
            )
        )


def _optimizer_state(model: Any) -> tuple[list[str], list[Variable]] | None:
    optimizer = getattr(model, "optimizer", None)
    if not isinstance(optimizer, Optimizer) or not optimizer.built:
        return None
    found = listed_by_keras(optimizer, model)
    arrays: list[Variable] = [held.variable for held in found]
    names = ["iteration" if held.of is None else held.full_name for held in found]
    return names, arrays


__all__ = ["VERSION", "to_content"]
