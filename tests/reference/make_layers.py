"""Write `layers.npz` and `layers.json`: what Keras computes for every layer case.

Usage: python make_layers.py [part of an id]   (with a part: only try those cases, write nothing)
"""

from __future__ import annotations

import sys
import traceback
from typing import Any

import oracle  # isort: skip
import jax
import jax.numpy as jnp
import keras
import numpy as np
from cases.layers import LAYER_CASES
from cases.reading import call_arguments
from cases.spec import ArrayInput, LayerCase, build_layer, draw, draw_nested, generator


def is_float(array: Any) -> bool:
    return jnp.issubdtype(jnp.asarray(array).dtype, jnp.floating)


def drawn_arrays(case: LayerCase, random: np.random.Generator) -> dict[str, np.ndarray]:
    """The inputs and the arrays among the keyword arguments, under their stored names."""
    arrays = {f"input_{i}": draw(spec, random) for i, spec in enumerate(case.inputs)}
    for name, value in case.call_kwargs.items():
        if isinstance(value, ArrayInput):
            arrays[f"call_{name}"] = draw(value, random)
        elif isinstance(value, (list, tuple)):
            for i, array in enumerate(draw_nested(value, random)):
                arrays[f"call_{name}_{i}"] = array
    return arrays


def as_jax(value: Any) -> Any:
    return jax.tree.map(lambda x: jnp.asarray(x) if isinstance(x, np.ndarray) else x, value)


def set_weights(layer: Any, random: np.random.Generator, arrays: dict[str, np.ndarray]) -> list:
    """Give every weight fixed values; return what is known of each."""
    facts = []
    for i, variable in enumerate(layer.weights):
        value = oracle.weight_values(random, variable.name, tuple(variable.shape), variable.dtype)
        variable.assign(value)
        arrays[f"weight_{i}"] = value
        facts.append(
            {
                "name": variable.name,
                "path": variable.path,
                "shape": list(variable.shape),
                "dtype": variable.dtype,
                "is_trainable": bool(variable.trainable),
            }
        )
    return facts


def run_stateless(layer: Any, positional: list, keywords: dict, weights: list, training: bool):
    """One pure call: outputs, the non-trainable values after it, and the added losses."""
    with keras.StatelessScope(
        state_mapping=list(zip(layer.weights, weights, strict=True)), collect_losses=True
    ) as scope:
        takes_training = layer._call_has_training_arg
        extra = {"training": training} if takes_training else {}
        outputs = layer(*positional, **keywords, **extra)
        losses = list(layer.losses)
    updated = [scope.get_current_value(v) for v in layer.weights]
    updated = [v.value if new is None else new for v, new in zip(layer.weights, updated)]
    return outputs, updated, losses


def gradients(case, layer, arrays, random, training):
    """Gradients of sum(output * cotangent) over the float inputs and the trainable weights."""
    input_names = [name for name in arrays if name.startswith("input_")]
    float_inputs = {n: jnp.asarray(arrays[n]) for n in input_names if is_float(arrays[n])}
    weights = {i: jnp.asarray(v.value) for i, v in enumerate(layer.weights)}
    trainable = {i: w for i, w in weights.items() if layer.weights[i].trainable}

    def outputs_of(inputs, some_weights):
        positional, keywords = call_arguments(case, {**arrays, **inputs})
        now = [some_weights.get(i, w) for i, w in weights.items()]
        result, _, _ = run_stateless(layer, as_jax(positional), as_jax(keywords), now, training)
        return jax.tree.leaves(result)

    shapes = jax.eval_shape(outputs_of, float_inputs, trainable)
    if not all(jnp.issubdtype(s.dtype, jnp.floating) for s in shapes):
        return
    cotangents = [random.uniform(-1, 1, s.shape).astype("float32") for s in shapes]
    for i, cotangent in enumerate(cotangents):
        arrays[f"cotangent_{i}"] = cotangent

    def total(inputs, some_weights):
        outputs = outputs_of(inputs, some_weights)
        return sum((o * c).sum() for o, c in zip(outputs, cotangents, strict=True))

    by_input, by_weight = jax.jit(jax.grad(total, argnums=(0, 1)))(float_inputs, trainable)
    for name, value in by_input.items():
        arrays[f"grad_{name}"] = np.asarray(value)
    for i, value in by_weight.items():
        arrays[f"grad_weight_{i}"] = np.asarray(value)


def run_case(case: LayerCase) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    random = generator(case.id)
    arrays = drawn_arrays(case, random)
    positional, keywords = as_jax(call_arguments(case, arrays))
    keras.utils.set_random_seed(0)
    layer = build_layer(case, keras)
    layer(*positional, **keywords)
    weight_facts = set_weights(layer, random, arrays)
    weights = [v.value for v in layer.weights]

    outputs, _, losses = run_stateless(layer, positional, keywords, weights, training=False)
    leaves = jax.tree.leaves(outputs)
    for i, value in enumerate(leaves):
        arrays[f"output_{i}"] = np.asarray(value)
    if case.has_mask_output:
        arrays["output_mask"] = np.asarray(layer.compute_mask(positional[0], None))
    training = not case.has_randomness
    if training:
        outputs, updated, losses = run_stateless(layer, positional, keywords, weights, True)
        for i, value in enumerate(jax.tree.leaves(outputs)):
            arrays[f"train_output_{i}"] = np.asarray(value)
        for i, (before, after) in enumerate(zip(weights, updated, strict=True)):
            if not np.array_equal(np.asarray(before), np.asarray(after)):
                arrays[f"updated_weight_{i}"] = np.asarray(after)
    if losses:
        arrays["losses"] = np.asarray([float(value) for value in losses], "float32")
    gradients(case, layer, arrays, random, training)

    facts = {
        "weights": weight_facts,
        "output_shapes": [list(np.shape(leaf)) for leaf in leaves],
        "output_dtypes": [str(leaf.dtype) for leaf in leaves],
        "output_structure": type(outputs).__name__
        if isinstance(outputs, (list, tuple))
        else "array",
        "gradient_training": training,
        "config": oracle.stable_config(layer),
    }
    return arrays, facts


def main() -> int:
    part = sys.argv[1] if len(sys.argv) > 1 else ""
    everything: dict[str, np.ndarray] = {}
    facts: dict[str, Any] = {}
    failed = []
    for position, case in enumerate(LAYER_CASES):
        if part not in case.id:
            continue
        keras.backend.clear_session()
        if position % 40 == 0:
            jax.clear_caches()  # compiled programs of hundreds of layers take gigabytes
        try:
            arrays, facts[case.id] = run_case(case)
        except Exception:
            failed.append(case.id)
            print(case.id, traceback.format_exc(limit=-2))
            continue
        finite = all(np.isfinite(a).all() for a in arrays.values())
        if not finite:
            print("not finite:", case.id)
        everything.update({f"{case.id}/{key}": value for key, value in arrays.items()})
    print(f"{len(facts)} cases, failed: {failed}")
    if not part:
        oracle.write_arrays("layers", everything)
        oracle.write_facts("layers", facts)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
