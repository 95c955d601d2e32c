"""`tf.lite`: models as TFLite files, and what runs them.

A file is written by nacre's own exporter: ops of TensorFlow that run only with its own kernels are
not needed, loops and recurrent layers keep no state between calls, and where LiteRT is installed a
file is called and compared with the model before it is given.
"""

from __future__ import annotations

import enum
import importlib.util
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from nacre.core.errors import ArgumentError, UnsupportedError, listed, message
from nacre.core.interop import optional_import
from nacre.core.names import own_names
from nacre.core.symbolic import KerasTensor
from nacre.core.warning import warn
from nacre.export.api import Plan
from nacre.export.importers.litert.interpreter import Interpreter as OwnInterpreter
from nacre.export.importers.tensorflow.program import open_saved_model
from nacre.export.together import written_together
from nacre.saving import api
from nacre.saving.export_archive import export_plan
from nacre.tf.dtypes import as_dtype
from nacre.training.function import ConcreteFunction, Function

_WHO = "TFLiteConverter"


class Optimize(enum.Enum):
    """Whether weights are kept in 8 bits; all members but EXPERIMENTAL_SPARSITY say the same."""

    DEFAULT = "DEFAULT"
    OPTIMIZE_FOR_SIZE = "OPTIMIZE_FOR_SIZE"
    OPTIMIZE_FOR_LATENCY = "OPTIMIZE_FOR_LATENCY"
    EXPERIMENTAL_SPARSITY = "EXPERIMENTAL_SPARSITY"


class OpsSet(enum.Enum):
    """Which kernels a file may use."""

    TFLITE_BUILTINS = "TFLITE_BUILTINS"
    SELECT_TF_OPS = "SELECT_TF_OPS"
    TFLITE_BUILTINS_INT8 = "TFLITE_BUILTINS_INT8"
    EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8 = (
        "EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8"
    )


class TargetSpec:
    """What a file may use.

    Args:
        supported_ops: With TFLITE_BUILTINS_INT8 alone all must be computed in 8 bits.
        supported_types: With tf.float16 weights are kept in 16 bits.
        experimental_select_user_tf_ops: Not needed: all ops are LiteRT's own.
    """

    def __init__(
        self,
        supported_ops: Iterable[OpsSet] | None = None,
        supported_types: Iterable[Any] | None = None,
        experimental_select_user_tf_ops: Iterable[str] | None = None,
        experimental_supported_backends: Iterable[str] | None = None,
    ) -> None:
        self.supported_ops: Iterable[OpsSet] = (
            [OpsSet.TFLITE_BUILTINS] if supported_ops is None else supported_ops
        )
        self.supported_types: Iterable[Any] = supported_types or []
        self.experimental_select_user_tf_ops = experimental_select_user_tf_ops or []
        self.experimental_supported_backends = experimental_supported_backends or []


class RepresentativeDataset:
    """Samples of data: a function without arguments that gives them one by one.

    Args:
        input_gen: The function; each sample is a list of arrays, or a dict of them by name.
    """

    def __init__(self, input_gen: Callable[[], Iterable[Any]]) -> None:
        self.input_gen = input_gen


class TFLiteConverter:
    """Make a TFLite file of a model, a SavedModel or a function.

    Attributes:
        optimizations: Members of `Optimize`; with one, weights are kept in 8 bits, or as the
            `target_spec` says.
        representative_dataset: A function that gives samples: with `optimizations` all that has
            kernels of 8 bits is computed in them.
        target_spec: What may be used.
        inference_input_type, inference_output_type: What a file of 8 bits is given and gives:
            tf.float32, tf.int8 or tf.uint8.
        verify: 'auto' compares with the model where LiteRT is installed, True raises where it is
            not, False does without.

    Source:
        Interface: TensorFlow 2.15. Differs: a `representative_dataset` without `optimizations` is
        told of, where TensorFlow leaves it out without a word; calls of the file change no
        variables, which a warning says; `allow_custom_ops` and the like may be set and mean
        nothing.
    Example:
        >>> import nacre.tf as tf
        >>> model = tf.keras.Sequential([tf.keras.Input((4,)), tf.keras.layers.Dense(3)])
        >>> content = tf.lite.TFLiteConverter.from_keras_model(model).convert()
        >>> content[4:8]
        b'TFL3'
    """

    def __init__(self, funcs: Sequence[Any], trackable_obj: Any = None) -> None:
        if not funcs:
            raise ArgumentError(message(_WHO, "there must be a function", "none"))
        self._functions = [_of_function(function) for function in funcs]
        self._keys = own_names(_name_of(target) for target, _ in self._functions)
        self._is_named = len(funcs) > 1  # one alone is 'serving_default'
        self.optimizations: Sequence[Optimize] = []
        self.representative_dataset: Any = None
        self.target_spec = TargetSpec()
        self.inference_input_type: Any = "float32"
        self.inference_output_type: Any = "float32"
        self.verify: bool | str = "auto"

    @classmethod
    def from_keras_model(cls, model: Any) -> TFLiteConverter:
        """Convert a model, whose inputs are known.

        Args:
            model: A model that is built.
        """
        return cls([model])

    @classmethod
    def from_concrete_functions(
        cls, funcs: Sequence[Any], trackable_obj: Any = None
    ) -> TFLiteConverter:
        """Convert a function, or several: each is a signature of the file, under its name.

        Args:
            funcs: Of `tf.function(f).get_concrete_function(tf.TensorSpec(...))`.
            trackable_obj: The model or module the function is of; its variables are found anyway.
        """
        return cls(funcs, trackable_obj)

    @classmethod
    def from_saved_model(
        cls, saved_model_dir: Any, signature_keys: Sequence[str] | None = None, tags: Any = None
    ) -> TFLiteConverter:
        """Convert a SavedModel: the model of layers that it holds, or its signatures, for batches
        of one where the size of a batch is open.

        Args:
            saved_model_dir: The folder.
            signature_keys: Those to convert, each a signature of the file; by default
                'serving_default', and all where there is none (TensorFlow: all).
            tags: Those of the graph, where the folder holds several.
        """
        if signature_keys is None and tags is None:
            model = _model_in(saved_model_dir)
            if model is not None:
                return cls([model])
        keys = list(signature_keys or _chosen_signatures(saved_model_dir, tags))
        converter = cls([_of_signature(saved_model_dir, key, tags) for key in keys])
        converter._is_named = keys != ["serving_default"]
        return converter

    def convert(self) -> bytes:
        """The file's content.

        Raises:
            UnsupportedOpError: LiteRT lacks kernels for something; all of it is told.
            ArgumentError: Settings contradict one another.
            FileFormatError: LiteRT computes something else than the model.
        """
        options = self._options()
        if self._is_named:
            return written_together(self._plans(options))
        target, signature = self._functions[0]
        plan = export_plan(target, "litert", signature, _WHO, verify=self.verify, **options)
        plan.warn_of_changes()
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.tflite"
            plan.write(path)
            return path.read_bytes()

    def _plans(self, options: Mapping[str, Any]) -> dict[str, Plan]:
        """How each function is written, by its name."""
        given = options.get("representative_dataset")
        samples = None if given is None else _samples_by_key(given, self._keys)
        found: dict[str, Plan] = {}
        for key, (target, signature) in zip(self._keys, self._functions, strict=True):
            own = dict(options)
            if samples is not None:
                own["representative_dataset"] = samples[key]
            found[key] = export_plan(
                target, "litert", signature, f"{_WHO}: '{key}'", verify=self.verify, **own
            )
        return found

    def _options(self) -> dict[str, Any]:
        narrows = _narrows(self.optimizations)
        sets = set(self.target_spec.supported_ops)
        types = {as_dtype(kind).name for kind in self.target_spec.supported_types}
        _refuse_settings(sets, types)
        samples = self.representative_dataset
        samples = samples.input_gen if isinstance(samples, RepresentativeDataset) else samples
        only_whole = sets == {OpsSet.TFLITE_BUILTINS_INT8} or "int8" in types
        if only_whole and samples is None:
            rule = "numbers of 8 bits from end to end need samples of data"
            fix = "Set converter.representative_dataset to a function that yields [x] for some x."
            raise ArgumentError(message(_WHO, rule, "no representative_dataset", fix))
        if samples is not None and not narrows:
            rule = "a representative_dataset is for numbers of 8 bits"
            fix = "Set converter.optimizations = [tf.lite.Optimize.DEFAULT]."
            raise ArgumentError(message(_WHO, rule, "no optimizations", fix))
        options: dict[str, Any] = {
            "input_type": as_dtype(self.inference_input_type).name,
            "output_type": as_dtype(self.inference_output_type).name,
        }
        if narrows:
            options["weights"] = "float16" if "float16" in types else "int8"
        if samples is not None and "float16" not in types:
            options |= {"representative_dataset": samples, "require_int8": only_whole}
        return options


def _name_of(function: Any) -> str:
    """What a function is called, without the class it is of; a model's own name."""
    name = getattr(function, "__name__", None) or getattr(function, "name", "")
    name = str(name).rpartition(".")[2]
    return name if name.isidentifier() else "function"


def _samples_by_key(given: Any, keys: Sequence[str]) -> dict[str, list[Any]]:
    """Samples that say which function each is of: (name, arrays by the names of its inputs)."""
    found: dict[str, list[Any]] = {key: [] for key in keys}
    for sample in given() if callable(given) else given:
        is_named = isinstance(sample, tuple) and len(sample) == 2 and sample[0] in found
        if not is_named:
            rule = "with several functions, each sample must say which it is of"
            got = f"a {type(sample).__name__}"
            fix = f"Yield ('{keys[0]}', {{'x': x}}); the functions are {', '.join(keys)}."
            raise ArgumentError(message("representative_dataset", rule, got, fix))
        found[sample[0]].append(sample[1])
    return found


def _narrows(optimizations: Iterable[Any]) -> bool:
    """Whether weights are kept in fewer bits."""
    given = list(optimizations)
    others = [one for one in given if not isinstance(one, Optimize)]
    if others:
        rule = "optimizations must be members of tf.lite.Optimize"
        fix = "Set converter.optimizations = [tf.lite.Optimize.DEFAULT]."
        raise ArgumentError(message(_WHO, rule, listed([*map(repr, others)]), fix))
    return any(one is not Optimize.EXPERIMENTAL_SPARSITY for one in given)


def _refuse_settings(sets: set[OpsSet], types: set[str]) -> None:
    sixteen = OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
    others = types - {"float16", "float32", "int8"}
    if sixteen in sets or others:
        got = ", ".join(sorted(others)) or sixteen.name
        rule = "supported_types may be tf.float32, tf.float16 and tf.int8"
        raise UnsupportedError(message(_WHO, rule, got, "Take numbers of 8 bits."))


def _of_function(target: Any) -> tuple[Any, Any]:
    """What is converted, and the signature it is called by; None where it knows it."""
    if isinstance(target, ConcreteFunction):
        function = target.of_arrays()
        return function, function.input_signature
    return target, None


def _model_in(folder: Any) -> Any:
    """The model of layers in a SavedModel; None where it holds none."""
    try:
        found = api.load_model(folder, compile=False)
    except ValueError:  # no metadata of Keras, or classes that are not at hand
        return None
    return found if getattr(found, "inputs", None) is not None else None


def _chosen_signatures(folder: Any, tags: Any) -> list[str]:
    """The signatures of a SavedModel that a file is made of where nobody says which."""
    known = list(open_saved_model(folder, tags).signatures)
    if "serving_default" not in known:
        return known
    left = [key for key in known if key not in ("serving_default", "serve")]
    if left:
        warn(f"{_WHO}: 'serving_default' alone is converted; give signature_keys for {left} too.")
    return ["serving_default"]


def _of_signature(folder: Any, key: str, tags: Any) -> Function[..., Any]:
    """A signature as a function of its inputs by place."""
    known = open_saved_model(folder, tags).signatures
    if key not in known:
        rule = "signature_keys must be among those of the SavedModel"
        got = f"'{key}' of '{', '.join(known)}'"
        raise ArgumentError(message(_WHO, rule, got))
    signature = known[key]
    specs: list[KerasTensor] = []
    for name, (dtype, shape) in signature.inputs.items():
        if shape is None or None in shape[1:]:
            rule = f"sizes of input '{name}' must be known but for the batch"
            raise UnsupportedError(message(_WHO, rule, f"{shape}", "Convert the model itself."))
        if shape[:1] == (None,):
            warn(f"{_WHO}: input '{name}' of the SavedModel is taken for batches of one.")
        specs.append(KerasTensor(tuple(n or 1 for n in shape), dtype, name=name))
    names = list(signature.inputs)

    def call(*arrays: Any) -> Any:
        return signature(**dict(zip(names, arrays, strict=True)))

    call.__name__ = key
    return Function(call, specs)


def Interpreter(*args: Any, **kwargs: Any) -> Any:
    """What runs a TFLite file: LiteRT's interpreter where the package ai-edge-litert is installed,
    which is what `tf.lite.Interpreter` is; else nacre's own reader with the same methods.

    Args:
        args, kwargs: `model_path` or `model_content`, `num_threads`, and what else it takes.

    Raises:
        FileFormatError: The file is damaged.
        UnsupportedError: nacre's reader does not compute all of its operators.
    """
    if importlib.util.find_spec("ai_edge_litert") is not None:
        module: Any = optional_import("ai_edge_litert.interpreter", extra="tflite", who="tf.lite")
        return module.Interpreter(*args, **kwargs)
    return OwnInterpreter(*args, **kwargs)


__all__ = [
    "Interpreter",
    "OpsSet",
    "Optimize",
    "RepresentativeDataset",
    "TFLiteConverter",
    "TargetSpec",
]
