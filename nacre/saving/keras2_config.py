"""Configs as tf.keras 2.15 reads them, from those of Keras 3.

What differs: how an object is written, the sizes of inputs, dtypes, the calls of a graph, and keys
that came later. Those are left out where they hold their default. What tf.keras 2.15 has no form
for (a layer it has not, an op it has under no name) is told by `NoKeras2Form`.

Source: configs that tf.keras 2.15.1 wrote, and the parameters of its constructors.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from nacre import layers
from nacre.core.errors import listed
from nacre.core.kinds import is_dict, is_list
from nacre.core.registry import hides_builtin
from nacre.saving.old_functions import OLD_HARD_SIGMOID

# --- what tf.keras 2.15.1 has ---------------------------------------------------------------------

# All but SpectralNormalization, which it does not find in a file of its own either, and RandomCrop,
# which gives other pictures there.
_LAYERS = frozenset(
    """
    Activation ActivityRegularization Add AdditiveAttention AlphaDropout Attention Average
    AveragePooling1D AveragePooling2D AveragePooling3D BatchNormalization Bidirectional
    CategoryEncoding CenterCrop Concatenate Conv1D Conv1DTranspose Conv2D Conv2DTranspose Conv3D
    Conv3DTranspose ConvLSTM1D ConvLSTM2D ConvLSTM3D Cropping1D Cropping2D Cropping3D Dense
    DepthwiseConv1D DepthwiseConv2D Discretization Dot Dropout ELU EinsumDense Embedding Flatten
    Functional GRU GRUCell GaussianDropout GaussianNoise GlobalAveragePooling1D
    GlobalAveragePooling2D GlobalAveragePooling3D GlobalMaxPooling1D GlobalMaxPooling2D
    GlobalMaxPooling3D GroupNormalization HashedCrossing Hashing Identity InputLayer IntegerLookup
    LSTM LSTMCell LayerNormalization LeakyReLU Masking MaxPooling1D MaxPooling2D MaxPooling3D
    Maximum Minimum Model MultiHeadAttention Multiply Normalization PReLU Permute RNN
    RandomBrightness RandomContrast RandomFlip RandomHeight RandomRotation
    RandomTranslation RandomWidth RandomZoom ReLU RepeatVector Rescaling Reshape Resizing
    SeparableConv1D SeparableConv2D Sequential SimpleRNN SimpleRNNCell Softmax SpatialDropout1D
    SpatialDropout2D SpatialDropout3D StackedRNNCells StringLookup Subtract
    TextVectorization ThresholdedReLU TimeDistributed UnitNormalization UpSampling1D UpSampling2D
    UpSampling3D ZeroPadding1D ZeroPadding2D ZeroPadding3D
    """.split()
)
_OTHERS = frozenset(
    """
    Constant GlorotNormal GlorotUniform HeNormal HeUniform IdentityInitializer LecunNormal
    LecunUniform Ones Orthogonal RandomNormal RandomUniform TruncatedNormal VarianceScaling Zeros L1
    L1L2 L2 OrthogonalRegularizer MaxNorm MinMaxNorm NonNeg RadialConstraint UnitNorm Adadelta
    Adafactor Adagrad Adam AdamW Adamax Ftrl Lion Nadam RMSprop SGD BinaryCrossentropy
    BinaryFocalCrossentropy CategoricalCrossentropy CategoricalFocalCrossentropy CategoricalHinge
    CosineSimilarity Hinge Huber KLDivergence LogCosh MeanAbsoluteError MeanAbsolutePercentageError
    MeanSquaredError MeanSquaredLogarithmicError Poisson SparseCategoricalCrossentropy SquaredHinge
    AUC Accuracy BinaryAccuracy BinaryIoU CategoricalAccuracy F1Score FBetaScore FalseNegatives
    FalsePositives IoU LogCoshError Mean MeanIoU MeanMetricWrapper MeanRelativeError OneHotIoU
    OneHotMeanIoU Precision PrecisionAtRecall R2Score Recall RecallAtPrecision RootMeanSquaredError
    SensitivityAtSpecificity SparseCategoricalAccuracy SparseTopKCategoricalAccuracy
    SpecificityAtSensitivity Sum TopKCategoricalAccuracy TrueNegatives TruePositives
    CosineDecay CosineDecayRestarts ExponentialDecay InverseTimeDecay PiecewiseConstantDecay
    PolynomialDecay
    """.split()
)
# Names of parameters that came after 2.15, of all classes.
_LATER = frozenset(
    """
    quantization_config rms_scaling use_gate sliding_window
    pad_to_aspect_ratio fill_mode fill_value antialias score_mode optional autocast input_axes
    output_axes gradient_accumulation_steps loss_scale_factor flash_attention oov_method salt
    bounding_box_format from_sorted_ids use_cudnn
    """.split()
)
# Those that some classes have in 2.15.
_LATER_OF: dict[str, tuple[str, ...]] = {
    "CenterCrop": ("data_format",),
    "Resizing": ("data_format",),
    "ZeroPadding1D": ("data_format",),
    "ConvLSTM1D": ("seed",),
    "ConvLSTM2D": ("seed",),
    "ConvLSTM3D": ("seed",),
    "MultiHeadAttention": ("seed",),
    "SparseCategoricalCrossentropy": ("axis",),
    **{
        f"Random{name}": ("data_format",)
        for name in "Brightness Crop Flip Height Rotation Translation Width Zoom".split()
    },
    "RandomContrast": ("data_format", "value_range"),
}
_OF_2_15: dict[str, tuple[str, ...]] = {
    "Attention": ("score_mode",),
    "Hashing": ("salt",),
    "RandomRotation": ("fill_mode", "fill_value"),
    "RandomTranslation": ("fill_mode", "fill_value"),
    "RandomZoom": ("fill_mode", "fill_value"),
}
# Layers whose dtype is that of the indices they give.
_OF_INDICES = frozenset("Discretization Hashing HashedCrossing IntegerLookup StringLookup".split())
_RENAMED: dict[str, dict[str, str]] = {"LeakyReLU": {"negative_slope": "alpha"}}

_ACTIVATIONS = ("activation", "recurrent_activation")  # parameters
_LATER_ACTIVATIONS = frozenset(
    """
    celu glu hard_shrink hard_silu hard_swish hard_tanh log_sigmoid soft_shrink sparse_plus
    sparse_sigmoid sparsemax squareplus tanh_shrink threshold
    """.split()
)

_LATER_ARGUMENTS = {"MultiHeadAttention": ("query_mask", "value_mask", "key_mask")}  # of calls

# An operation's class in configs of Keras 3 -> what TFOpLambda calls it, and its parameters there.
_OPERATIONS: dict[str, tuple[str, tuple[str, ...]]] = {
    "Absolute": ("math.abs", ("x",)),
    "Add": ("math.add", ("x", "y")),
    "Concatenate": ("concat", ("values", "axis")),
    "Cos": ("math.cos", ("x",)),
    "Divide": ("math.truediv", ("x", "y")),
    "Exp": ("math.exp", ("x",)),
    "ExpandDims": ("expand_dims", ("input", "axis")),
    "Log": ("math.log", ("x",)),
    "Matmul": ("linalg.matmul", ("a", "b")),
    "Maximum": ("math.maximum", ("x", "y")),
    "Minimum": ("math.minimum", ("x", "y")),
    "Multiply": ("math.multiply", ("x", "y")),
    "Negative": ("math.negative", ("x",)),
    "Power": ("math.pow", ("x", "y")),
    "Relu": ("nn.relu", ("features",)),
    "Reshape": ("reshape", ("tensor", "shape")),
    "Rsqrt": ("math.rsqrt", ("x",)),
    "Sigmoid": ("math.sigmoid", ("x",)),
    "Sign": ("math.sign", ("x",)),
    "Sin": ("math.sin", ("x",)),
    "Softmax": ("nn.softmax", ("logits", "axis")),
    "Sqrt": ("math.sqrt", ("x",)),
    "Square": ("math.square", ("x",)),
    "Squeeze": ("squeeze", ("input", "axis")),
    "Stack": ("stack", ("values", "axis")),
    "Subtract": ("math.subtract", ("x", "y")),
    "Tanh": ("math.tanh", ("x",)),
    "Transpose": ("transpose", ("a", "perm")),
    "TrueDivide": ("math.truediv", ("x", "y")),
    **{
        name: (f"math.reduce_{name.lower()}", ("input_tensor", "axis", "keepdims"))
        for name in ("Sum", "Mean", "Max", "Min", "Prod")
    },
}
_CONFIG_NAMES = {"newshape": "shape", "axes": "perm"}


class NoKeras2Form(Exception):
    """tf.keras 2.15 has no form for a part of a config; says which."""


def keras2_config(data: Mapping[str, Any], call_of: Callable[[str], Any]) -> dict[str, Any]:
    """The config of a model or layer as tf.keras 2.15 has it.

    Args:
        data: As `plain_config` gives it.
        call_of: The function that a layer of the graph computes with, by the layer's name: in old
            graphs tensors beyond the first are given by name.

    Raises:
        NoKeras2Form: There is none.
    """
    return _object(data, call_of)


def calls_of(model: Any) -> Callable[[str], Any]:
    """The functions that layers compute with, by name, of those within others too."""
    found = {layer.name: layer.call for layer in getattr(model, "_flatten_layers", list)()}
    own = {layer.name: layer.call for layer in getattr(model, "layers", ())}
    return {**found, **own}.get


def keras2_training(config: Mapping[str, Any]) -> dict[str, Any]:
    """Compile arguments as tf.keras 2.15 has them, from the form of `.h5` files.

    Raises:
        NoKeras2Form: It has none of a loss, metric or optimizer.
    """

    def nothing(name: str) -> Any:
        return None

    found = {key: _value(value, nothing) for key, value in config.items()}
    kept = ("loss", "metrics", "weighted_metrics", "loss_weights", "optimizer_config")
    found = {key: found.get(key) for key in kept}
    optimizer = found["optimizer_config"]
    if is_dict(optimizer):
        optimizer["config"] |= {"jit_compile": False, "is_legacy_optimizer": False}
        if optimizer["class_name"] in _OTHERS:  # the newer ones are registered there
            optimizer["class_name"] = f"Custom>{optimizer['class_name']}"
    return found


def _object(data: Mapping[str, Any], call_of: Callable[[str], Any]) -> dict[str, Any]:
    name = data["class_name"]
    registered = data.get("registered_name")
    module = str(data.get("module"))
    if registered and ">" in str(registered):  # somebody's own: tf.keras asks for it by this name
        config = {key: _value(value, call_of) for key, value in data["config"].items()}
        return {"class_name": registered, "config": config}
    if ".ops." in module:
        raise NoKeras2Form(f"the operation {name} outside of a graph")
    if hides_builtin(data):
        raise NoKeras2Form(f"the class {name} of {module}, which has the name of another")
    if name not in _LAYERS and name not in _OTHERS and not _is_plain(name, module):
        raise NoKeras2Form(f"the class {name}")
    config = data["config"]
    if not is_dict(config):
        return {"class_name": name, "config": config}
    if name == "InputLayer":
        return {"class_name": name, "config": _input(config)}
    if name == "Functional" or (name == "Model" and "layers" in config):
        return {"class_name": "Functional", "config": _graph(config, call_of)}
    if name == "Sequential":
        parts = [_object(layer, call_of) for layer in config["layers"]]
        return {"class_name": name, "config": {"name": config["name"], "layers": parts}}
    made = _fields(name, config, call_of)
    if name == "MultiHeadAttention":  # which makes its layers from these, not from what calls it
        shapes = (data.get("build_config") or {}).get("shapes_dict") or {}
        made |= {key: shapes.get(key) for key in ("query_shape", "value_shape", "key_shape")}
        made["key_shape"] = made["key_shape"] or made["value_shape"]
    return {"class_name": name, "config": made}


def _is_plain(name: str, module: str) -> bool:
    return name == "Identity" and module == "keras.initializers"


def _fields(name: str, config: Mapping[str, Any], call_of: Callable[[str], Any]) -> dict[str, Any]:
    later = _LATER.union(_LATER_OF.get(name, ())) - set(_OF_2_15.get(name, ()))
    renamed = _RENAMED.get(name, {})
    found: dict[str, Any] = {}
    for key, value in config.items():
        if key == "zero_output_for_mask" and not value:  # known there, though no parameter
            continue
        if key in later:
            if not _is_default(name, key, value):
                raise NoKeras2Form(f"{name}({key}={value!r})")
            continue
        if key in _ACTIVATIONS:
            _refuse_activation(name, key, value)
            value = "hard_sigmoid" if value == OLD_HARD_SIGMOID["config"] else value
        found[renamed.get(key, key)] = _dtype(value) if key == "dtype" else _value(value, call_of)
    if found.get("reduction") == "sum_over_batch_size":
        found["reduction"] = "auto"
    if name in _OF_INDICES and found.get("output_mode", "int") == "int":
        found["dtype"] = "int64"  # which must be an integer type there
    if name == "TextVectorization":
        found["dtype"] = "string"
    if name == "Discretization" and found.get("bin_boundaries") is not None:
        found["num_bins"] = None  # there, one of the two may be given
    if "dtype" in found and (name in _OTHERS or found["dtype"] is None):
        del found["dtype"]
    return found


def _refuse_activation(name: str, key: str, value: Any) -> None:
    """Raise for one that tf.keras 2.15 has not, or has another of under its name."""
    if value == "hard_sigmoid":
        raise NoKeras2Form(f"{name}({key}='hard_sigmoid'), whose slope is 0.2 there, not 1/6")
    if isinstance(value, str) and value in _LATER_ACTIVATIONS:
        raise NoKeras2Form(f"{name}({key}={value!r})")


def _is_default(name: str, key: str, value: Any) -> bool:
    """Whether a value is what the parameter has when nothing is given."""
    if value is None or value is False or (key, value) == ("data_format", "channels_last"):
        return True
    made = getattr(layers, name, None)
    for base in getattr(made, "__mro__", ()):
        parameter = inspect.signature(base.__init__).parameters.get(key)
        if parameter is not None:
            return bool(parameter.default == (tuple(value) if is_list(value) else value))
    return False


def _input(config: Mapping[str, Any]) -> dict[str, Any]:
    if config.get("optional"):
        raise NoKeras2Form(f"Input(name={config.get('name')!r}, optional=True)")
    kept = {key: value for key, value in config.items() if key not in ("batch_shape", "optional")}
    kept["batch_input_shape"] = config.get("batch_shape", config.get("batch_input_shape"))
    kept["dtype"] = _dtype(config.get("dtype"))
    return kept


def _dtype(value: Any) -> Any:
    if not is_dict(value):
        return value
    if value["class_name"] != "DTypePolicy":
        raise NoKeras2Form(f"the dtype policy {value['class_name']}")
    name = value["config"]["name"]
    if name.startswith("mixed_"):
        return {"class_name": "Policy", "config": {"name": name}}
    return name


def _value(value: Any, call_of: Callable[[str], Any]) -> Any:
    if is_list(value):
        return [_value(item, call_of) for item in value]
    if not is_dict(value):
        return value
    kind = value.get("class_name")
    if kind is None:
        return {key: _value(item, call_of) for key, item in value.items()}
    if kind == "function":
        registered = value.get("registered_name")
        if registered == OLD_HARD_SIGMOID["registered_name"]:
            return "hard_sigmoid"
        own = registered and ">" in str(registered)
        return registered if own else value["config"]
    if kind == "DTypePolicy":
        return _dtype(value)
    if kind in ("__lambda__", "__numpy__"):
        raise NoKeras2Form(f"a {kind.strip('_')} in a config")
    if kind == "__tuple__":
        return [_value(item, call_of) for item in value.get("items", value.get("config", ()))]
    return _object(value, call_of) if "config" in value else value


# --- graphs ---------------------------------------------------------------------------------------


def _graph(config: Mapping[str, Any], call_of: Callable[[str], Any]) -> dict[str, Any]:
    if config.get("added_losses"):
        raise NoKeras2Form("a loss of model.add_loss")
    config = _with_counts_of_keras2(config)
    nodes = [_node(layer, call_of) for layer in config["layers"]]
    ends = {key: _ends(config[key]) for key in ("input_layers", "output_layers")}
    return {
        "name": config["name"],
        "trainable": config.get("trainable", True),
        "layers": nodes,
        **ends,
    }


def _with_counts_of_keras2(config: Mapping[str, Any]) -> dict[str, Any]:
    """A graph's config in which calls of a model within are counted from 1.

    The first one is that which made the model, with its own inputs. tf.keras 2.15 waits for ever
    for a call that is not there. Keras 3 counts so too where graphs within are outputs.
    """
    within = {layer["name"] for layer in config["layers"] if _has_own_inputs(layer)}
    graphs = {layer["name"] for layer in config["layers"] if "output_layers" in layer["config"]}

    def moved(value: Any, within: set[str] = within) -> Any:
        if _is_end(value) and value[0] in within:
            return [value[0], value[1] + 1, value[2]]
        if is_list(value):
            return [moved(item, within) for item in value]
        if is_dict(value):
            return {key: moved(item, within) for key, item in value.items()}
        return value

    layers_moved = [
        {**layer, "inbound_nodes": moved(layer["inbound_nodes"])} for layer in config["layers"]
    ]
    ends = {
        "input_layers": moved(config["input_layers"]),
        "output_layers": moved(config["output_layers"], within - graphs),
    }
    return {**config, "layers": layers_moved, **ends}


def _has_own_inputs(layer: Mapping[str, Any]) -> bool:
    inner = layer["config"].get("layers") if is_dict(layer.get("config")) else None
    return is_list(inner) and bool(inner) and inner[0]["class_name"] == "InputLayer"


def _ends(value: Any) -> Any:
    """Inputs or outputs of a graph: one alone is a list of one in tf.keras 2."""
    if _is_end(value):
        return [value]
    return value


def _is_end(value: Any) -> bool:
    return is_list(value) and len(value) == 3 and isinstance(value[0], str)


def _node(layer: Mapping[str, Any], call_of: Callable[[str], Any]) -> dict[str, Any]:
    name, module = layer["name"], str(layer.get("module"))
    if ".ops." in module:
        return _operation(layer)
    made = _object(layer, call_of)
    parameters = _parameters(call_of(name))
    calls = [_call(call, parameters, name) for call in layer["inbound_nodes"]]
    later = _LATER_ARGUMENTS.get(made["class_name"], ())
    if found := [key for key in later if any(f"'{key}'" in repr(call) for call in calls)]:
        raise NoKeras2Form(f"the call of '{name}' with {listed(found)}")
    return {**made, "name": name, "inbound_nodes": calls}


def _parameters(call: Any) -> list[str]:
    try:
        return list(inspect.signature(call).parameters)
    except (TypeError, ValueError):
        return []


def _call(call: Mapping[str, Any], parameters: list[str], name: str) -> Any:
    """A call of a layer: its first argument's tensors, all else by name behind each."""
    args, kwargs = list(call["args"]), dict(call["kwargs"])
    first = args.pop(0) if args else kwargs.pop(parameters[0])
    for parameter, value in zip(parameters[1:], args, strict=False):
        kwargs[parameter] = value
    if len(args) > len(parameters[1:]):
        raise NoKeras2Form(f"the call of '{name}' with {len(args) + 1} arguments by position")
    named = {key: _argument(value) for key, value in kwargs.items() if value is not None}
    return _first(first, named, name)


def _first(value: Any, named: dict[str, Any], name: str) -> Any:
    if (place := _tensor(value)) is not None:
        return [[*place, named]]
    if is_list(value) and all(_tensor(item) is not None for item in value):
        return [[*_place(item), named] for item in value]
    if is_dict(value) and all(_tensor(item) is not None for item in value.values()):
        return {key: [*_place(item), named] for key, item in value.items()}
    raise NoKeras2Form(f"the call of '{name}', whose first argument is no structure of tensors")


def _tensor(value: Any) -> list[Any] | None:
    if is_dict(value) and value.get("class_name") == "__keras_tensor__":
        return list(value["config"]["keras_history"])
    return None


def _place(value: Any) -> list[Any]:
    found = _tensor(value)
    assert found is not None
    return found


def _argument(value: Any) -> Any:
    if (place := _tensor(value)) is not None:
        return place
    if is_list(value):
        return [_argument(item) for item in value]
    if is_dict(value):
        if value.get("class_name") == "__tuple__":
            return [_argument(item) for item in value.get("items", value.get("config", ()))]
        if "class_name" in value:
            raise NoKeras2Form(f"the argument {listed([str(value['class_name'])])} of a call")
        return {key: _argument(item) for key, item in value.items()}
    return value


def _operation(layer: Mapping[str, Any]) -> dict[str, Any]:
    """An operation in a graph, as a layer that calls a function of TensorFlow by its name."""
    kind, name = layer["class_name"], layer["name"]
    if kind not in _OPERATIONS:
        raise NoKeras2Form(f"the operation {kind}")
    function, parameters = _OPERATIONS[kind]
    settings: dict[str, Any] = {
        _CONFIG_NAMES.get(str(key), str(key)): value
        for key, value in layer["config"].items()
        if key not in ("name", "dtype") and value is not None
    }
    if not set(settings) <= set(parameters):
        raise NoKeras2Form(f"the operation {kind} with {listed(sorted(settings))}")
    calls = [_operation_call(call, parameters, settings, kind) for call in layer["inbound_nodes"]]
    config = {"name": name, "trainable": True, "dtype": "float32", "function": function}
    return {"class_name": "TFOpLambda", "config": config, "name": name, "inbound_nodes": calls}


def _operation_call(
    call: Mapping[str, Any], parameters: tuple[str, ...], settings: dict[str, Any], kind: str
) -> Any:
    if len(call["args"]) > len(parameters) or set(call["kwargs"]) - set(parameters):
        raise NoKeras2Form(f"a call of the operation {kind}")
    given = dict(zip(parameters, call["args"], strict=False)) | call["kwargs"]
    named = {key: _argument(value) for key, value in given.items()} | settings
    first = named.pop(parameters[0])
    if is_list(first) and not _is_end(first):  # concat and stack: each tensor with the rest
        return [[*item, named if not index else {}] for index, item in enumerate(first)]
    if not _is_end(first):
        raise NoKeras2Form(f"the operation {kind} of a number and a tensor")
    return [*first, named]


__all__ = ["NoKeras2Form", "calls_of", "keras2_config", "keras2_training"]
