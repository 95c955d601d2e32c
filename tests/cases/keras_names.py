"""Public names of Keras 3.15 that nacre does not have, and signatures that differ, with reasons.

Keys are names as a user types them; one ending in `.*` covers all names below it.
"""

_ONLY_REFUSED_THERE = "Keras 3 keeps the name only to refuse it; here it is that of tf.keras 2"
_INTERNAL = "Keras's own insides, public by accident"

# Not here for good.
REFUSALS: dict[str, str] = {
    "keras.legacy": _INTERNAL,
    "keras.src": _INTERNAL,
}

# Not here yet.
NOT_YET: dict[str, str] = {
    "keras.saving.KerasFileEditor": "editing files of weights is not here yet",
}

_POOL_SIZE = "tf.keras 2's default of pool_size is kept"

# Accepted differences: whatever Keras takes is taken, unless said otherwise.
SIGNATURES: dict[str, str] = {
    **{f"keras.layers.AveragePooling{n}D": _POOL_SIZE for n in (1, 2, 3)},
    **{f"keras.layers.AvgPool{n}D": _POOL_SIZE for n in (1, 2, 3)},
    **{
        f"keras.optimizers.legacy.{name}": _ONLY_REFUSED_THERE
        for name in "Adagrad Adam Ftrl Optimizer RMSprop SGD".split()
    },
    **dict.fromkeys(
        ("keras.Optimizer", "keras.optimizers.Optimizer"),
        "subclasses of tf.keras 2.11 to 2.15 set the rate themselves",
    ),
    "keras.export.ExportArchive": "takes what Keras's __new__ takes: its __init__ says nothing",
    "keras.Variable": "layout: keras.distribution says it by path",
    "keras.distribution.ModelParallel": "takes what its **kwargs take, by name",
    "keras.name_scope": "the further arguments are for Keras's own calls",
    "keras.preprocessing.image.smart_resize": "the further arguments are for Keras's own calls",
}

_FORMS = "takes (state, data) as Keras does on JAX, and (data) as it does on TensorFlow"
_QUANTIZED = "quantized forms replace `call` of the layer, not a method beside it"
_RAGGED = "there are no ragged tensors in JAX"
_BY_NAME = "takes the same arguments, by position and by name"

# The same for methods and attributes of the main classes.
MEMBERS: dict[str, str] = {
    "keras.layers.Layer.add_metric": "arguments have names: what tf.keras 2 takes",
    "keras.layers.Layer.add_weight": "positional arguments have names: tf.keras 2's order too",
    "keras.layers.Layer.build": _BY_NAME,
    "keras.optimizers.Optimizer.add_variable_from_reference": "tf.keras 2 names it model_variable",
    "keras.layers.Layer.quantized_build": _QUANTIZED,
    "keras.layers.Layer.quantized_call": _QUANTIZED,
    "keras.Model.compile": "steps_per_execution=None leaves the number to fit; results are equal",
    "keras.Model.get_quantization_layer_structure": _QUANTIZED,
    **{f"keras.Model.{step}": _FORMS for step in ("train_step", "test_step", "predict_step")},
    "keras.Sequential.call": "further arguments reach no layer in Keras either",
    "keras.Sequential.compute_output_shape": _BY_NAME,
    "keras.Sequential.compute_output_spec": _BY_NAME,
    "keras.KerasTensor.ragged_rank": _RAGGED,
    "keras.KerasTensor.row_splits_dtype": _RAGGED,
}
