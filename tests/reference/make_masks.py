"""Write `masks.json`: what every layer of Keras claims of masks, and what becomes of one.

For each class: `supports` (its attribute), `takes` (whether `call` has an argument for masks) and
`keeps` (whether the output of a masked input (2, 3, 4) has a mask; null where it cannot be called
on one).

Usage: python make_masks.py
"""

from __future__ import annotations

import inspect
from typing import Any

import oracle  # isort: skip
import jax.numpy as jnp
import keras
import numpy as np
from cases.layers import LAYER_CASES
from cases.spec import build_layer

# Arguments for the classes that the table of cases does not build, or builds for other shapes.
ARGUMENTS: dict[str, tuple[Any, ...]] = {
    "Embedding": (5, 2),
    "EinsumDense": ("btd,de->bte", (None, 3)),
    "Reshape": ((3, 2, 2),),
    "Permute": ((1, 2),),
    "GroupNormalization": (2,),
    "SpectralNormalization": (keras.layers.Dense(2),),
    "TimeDistributed": (keras.layers.Dense(2),),
    "Bidirectional": (keras.layers.LSTM(2, return_sequences=True),),
    "RNN": (keras.layers.LSTMCell(2), True),
    "Lambda": (lambda x: x * 2,),
    "GRUCell": (2,),
    "LSTMCell": (2,),
    "StackedRNNCells": ([keras.layers.LSTMCell(2)],),
    "Wrapper": (keras.layers.Dense(2),),
    "HashedCrossing": (3,),
    "Hashing": (3,),
    "RandomCrop": (2, 2),
    "RandomBrightness": (0.1,),
    "RandomContrast": (0.1,),
    "RandomColorDegeneration": (0.1,),
    "RandomHue": (0.1,),
    "RandomPosterization": (2,),
    "RandomRotation": (0.1,),
    "RandomSaturation": (0.1,),
    "RandomSharpness": (0.1,),
    "RandomTranslation": (0.1, 0.1),
    "RandomZoom": (0.1,),
    "MaxNumBoundingBoxes": (2,),
    "Pipeline": ([],),
    "ConvLSTM3D": (2, 1),
    "AdaptiveAveragePooling3D": (1,),
    "AdaptiveMaxPooling3D": (1,),
}
KEYWORDS: dict[str, dict[str, Any]] = {
    name: {"return_sequences": True} for name in ("LSTM", "GRU", "SimpleRNN")
}


def built(name: str) -> Any:
    cls = getattr(keras.layers, name)
    if name in ARGUMENTS:
        return cls(*ARGUMENTS[name])
    if name in KEYWORDS:
        return cls(2, **KEYWORDS[name])
    case = next((case for case in LAYER_CASES if case.layer == name), None)
    return cls() if case is None else build_layer(case, keras)


def masked() -> Any:
    x = jnp.asarray(np.random.default_rng(0).uniform(size=(2, 3, 4)).astype("float32"))
    x._keras_mask = jnp.asarray([[True, True, False], [True, False, False]])
    return x


def keeps(layer: Any) -> bool | None:
    """Whether a mask gets through; as two or three inputs where one alone will not do."""
    for arguments in ([masked()], [[masked(), masked()]], [masked(), masked()]):
        try:
            output = layer(*arguments)
        except Exception:
            layer.built = False
            continue
        return getattr(output, "_keras_mask", None) is not None
    return None


facts = {}
for name in sorted(dir(keras.layers)):
    cls = getattr(keras.layers, name)
    if not (inspect.isclass(cls) and issubclass(cls, keras.layers.Layer)):
        continue
    if cls.__name__ != name or name in ("Layer", "TFSMLayer", "FlaxLayer", "JaxLayer"):
        continue
    try:
        layer = built(name)
    except Exception as error:
        print(f"{name}: {type(error).__name__}: {str(error)[:80]}")
        continue
    parameters = inspect.signature(layer.call).parameters
    facts[name] = {
        "supports": bool(layer.supports_masking),
        "takes": any(p == "mask" or p.endswith("_mask") for p in parameters),
        "keeps": keeps(layer),
    }
oracle.write_facts("masks", facts)
