"""The rows the layer contracts run over: arguments, inputs, weights and expected outputs of each.

A row is a `LayerCase`. Inputs, weights and outputs come from the numbers stored of Keras where
there are some; other rows draw theirs and carry their output shapes in the table.
"""

from __future__ import annotations

from typing import Any

import jax
import numpy as np

import nacre
from nacre.core.symbolic import KerasTensor
from tests.cases.layers_more import MORE_CASES
from tests.cases.layers_preprocessing import PREPROCESSING_CASES
from tests.cases.reading import call_arguments, load_reference, numbered
from tests.cases.spec import LayerCase, build_layer, draw, generator
from tests.layers.reference import ARRAYS, CASES, FACTS, arguments_of

PREPROCESSING = load_reference("preprocessing")
ROWS: list[LayerCase] = [*CASES, *PREPROCESSING_CASES, *MORE_CASES]
assert len({row.id for row in ROWS}) == len(ROWS), "two rows share one id"


def first_of_class(rows: list[LayerCase]) -> list[LayerCase]:
    """One row of every class: for contracts that compile."""
    found: dict[str, LayerCase] = {}
    for row in rows:
        found.setdefault(row.layer, row)
    return list(found.values())


def is_stored(row: LayerCase) -> bool:
    """Whether numbers of Keras, with its weights, are stored for the row."""
    return row.id in FACTS


def is_on_host(row: LayerCase) -> bool:
    """Whether the layer takes strings, which never reach a device or a trace."""
    return any(spec.dtype == "str" for spec in row.inputs)


def is_float(row: LayerCase) -> bool:
    """Whether all inputs are floats."""
    return all(spec.dtype == "float32" for spec in row.inputs)


def arrays_of(row: LayerCase) -> dict[str, np.ndarray]:
    """Inputs and array arguments of the call (and, when stored, weights and outputs)."""
    for stored in (ARRAYS, PREPROCESSING):
        if row.id in stored:
            return stored[row.id]
    random = generator(row.id)
    return {f"input_{i}": draw(spec, random) for i, spec in enumerate(row.inputs)}


def output_shapes(row: LayerCase) -> list[tuple[int, ...]]:
    """The shape of each output."""
    if is_stored(row):
        return [tuple(shape) for shape in FACTS[row.id]["output_shapes"]]
    return list(row.output_shapes) or [PREPROCESSING[row.id]["output"].shape]


def output_dtypes(row: LayerCase) -> list[str]:
    """The dtype of each output."""
    if is_stored(row):
        return FACTS[row.id]["output_dtypes"]
    if row.id in PREPROCESSING:
        return [str(PREPROCESSING[row.id]["output"].dtype)]
    return list(row.output_dtypes) or ["float32"] * len(row.output_shapes)


def call_of(row: LayerCase) -> tuple[list[Any], dict[str, Any]]:
    """Positional and keyword arguments: device arrays, NumPy strings for a layer on the host."""
    if is_on_host(row):
        return call_arguments(row, arrays_of(row))
    return arguments_of(row, arrays_of(row))


def symbolic_call_of(row: LayerCase) -> tuple[list[Any], dict[str, Any]]:
    """The same with symbolic tensors of unknown batch size."""
    arrays = {
        name: KerasTensor((None, *value.shape[1:]), str(value.dtype))
        for name, value in arrays_of(row).items()
        if name.startswith(("input_", "call_"))
    }
    return call_arguments(row, arrays)


def built(row: LayerCase, policy: str | None = None) -> Any:
    """The row's layer, built by tracing a call (by a call, on the host): nothing is compiled."""
    before = nacre.config.dtype_policy()
    if policy is not None:
        nacre.config.set_dtype_policy(policy)
    try:
        layer = build_layer(row, nacre)
        positional, keywords = call_of(row)
        if is_on_host(row):
            layer(*positional, **keywords)
        else:
            jax.eval_shape(lambda: leaves(layer(*positional, **keywords)))
    finally:
        nacre.config.set_dtype_policy(before)
    return layer


def weights_of(row: LayerCase, layer: Any) -> list[np.ndarray]:
    """Values for `layer.weights`: the stored ones, or first values moved at random."""
    if is_stored(row):
        return numbered(arrays_of(row), "weight")
    random = generator(row.id + "/weights")
    values = [weight.numpy() for weight in layer.weights]
    return [v + random.normal(0, 0.1, v.shape).astype(v.dtype) for v in values]


def leaves(outputs: Any) -> list[Any]:
    """All tensors of an output, symbolic ones too."""
    return jax.tree.leaves(outputs, is_leaf=lambda x: isinstance(x, KerasTensor))


def run(
    row: LayerCase,
    layer: Any,
    arrays: dict[str, Any],
    weights: list[Any],
    training: bool | None = None,
) -> list[Any]:
    """One call as a pure function of arrays and weights: its outputs."""
    positional, keywords = arguments_of(row, arrays)
    if training is not None and "training" not in keywords:
        keywords["training"] = training
    with nacre.StatelessScope(list(zip(layer.weights, weights, strict=True))):
        return leaves(layer(*positional, **keywords))


def inputs_only(row: LayerCase) -> dict[str, np.ndarray]:
    """The arrays of the call."""
    stored = arrays_of(row)
    return {name: v for name, v in stored.items() if name.startswith(("input_", "call_"))}
