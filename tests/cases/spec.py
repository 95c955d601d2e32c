"""The vocabulary of the case tables: what to build, what to feed it, how closely to compare.

Nothing here imports the library under test. `build` is handed the library (a module with
`layers`, `optimizers`, ... inside), so one table serves every implementation of the same names.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Spec:
    """An object to build later: a class name, its arguments, and the namespace it lives in.

    `namespace=""` means the top of the library (`Sequential`). `is_call=False` gives the named
    thing itself instead of calling it (a function passed by name).
    """

    name: str
    kwargs: dict[str, Any] = field(default_factory=dict)
    args: tuple[Any, ...] = ()
    namespace: str = "layers"
    is_call: bool = True


@dataclass(frozen=True)
class ArrayInput:
    """An array to draw: uniform floats in [low, high), integers in [low, high), or booleans.

    `values` replaces the draw by fixed numbers (masks, indices that must hit an edge).
    `sum_to_one` divides floats by their sum over the last axis.
    """

    shape: tuple[int, ...] = ()
    dtype: str = "float32"
    low: float = -1.0
    high: float = 1.0
    values: Any = None
    sum_to_one: bool = False


@dataclass(frozen=True)
class LayerCase:
    """One layer with one set of arguments.

    Attributes:
        id: Unique; prefix of the keys in the reference file.
        layer: Class name inside `namespace`.
        args, kwargs: Constructor arguments; `Spec` inside them is built first.
        inputs: Arrays of the call. `call_style` "spread" passes them as positional arguments,
            "list" and "tuple" as one list or tuple, "dict" as one dict.
        input_names: Keys of that dict; `a/b` is the key b of a dict under a.
        call_kwargs: Further arguments of the call; `ArrayInput` (or a list of them) is drawn.
        has_randomness: The training output is random; only inference is compared.
        has_mask_output: The output mask is compared too.
        tolerance: Relative and absolute closeness of outputs.
        gradient_tolerance: The same for gradients.
        output_shapes, output_dtypes: Of each output, where no reference is stored; float32 when
            the dtypes are left out.
    """

    id: str
    layer: str
    inputs: tuple[ArrayInput, ...]
    kwargs: dict[str, Any] = field(default_factory=dict)
    args: tuple[Any, ...] = ()
    call_kwargs: dict[str, Any] = field(default_factory=dict)
    call_style: str = "spread"
    namespace: str = "layers"
    has_randomness: bool = False
    has_mask_output: bool = False
    tolerance: float = 1e-5
    gradient_tolerance: float = 1e-4
    input_names: tuple[str, ...] = ()
    output_shapes: tuple[tuple[int, ...], ...] = ()
    output_dtypes: tuple[str, ...] = ()


@dataclass(frozen=True)
class OptimizerCase:
    """Ten steps of one optimizer on two variables with given gradients."""

    id: str
    optimizer: str
    kwargs: dict[str, Any] = field(default_factory=dict)
    tolerance: float = 1e-5


@dataclass(frozen=True)
class ScheduleCase:
    """One learning-rate schedule, read at `steps`."""

    id: str
    schedule: str
    kwargs: dict[str, Any]
    steps: tuple[int, ...] = (0, 1, 2, 3, 5, 8, 10, 13, 20, 21, 40, 100)
    tolerance: float = 1e-6


@dataclass(frozen=True)
class LossCase:
    """One loss on one pair of arrays, for each reduction, with and without weights."""

    id: str
    loss: str
    y_true: ArrayInput
    y_pred: ArrayInput
    kwargs: dict[str, Any] = field(default_factory=dict)
    sample_weight: ArrayInput | None = None
    reductions: tuple[str | None, ...] = ("sum_over_batch_size",)
    has_gradient: bool = True
    tolerance: float = 1e-5


@dataclass(frozen=True)
class MetricCase:
    """One metric over `num_batches` updates, read after each one.

    `arguments` is drawn anew for every batch; `sample_weight` too, when given.
    """

    id: str
    metric: str
    arguments: tuple[ArrayInput, ...]
    kwargs: dict[str, Any] = field(default_factory=dict)
    sample_weight: ArrayInput | None = None
    num_batches: int = 3
    tolerance: float = 1e-5


@dataclass(frozen=True)
class FunctionCase:
    """One function or one callable object on given arrays.

    A `Spec` in `target` is built and then called; otherwise `namespace.name` is called itself.
    """

    id: str
    target: Spec
    inputs: tuple[ArrayInput, ...]
    kwargs: dict[str, Any] = field(default_factory=dict)
    has_gradient: bool = False
    tolerance: float = 1e-6


@dataclass(frozen=True)
class InitializerCase:
    """One initializer at one shape: exact values, or bounds for its statistics."""

    id: str
    initializer: str
    kwargs: dict[str, Any]
    shape: tuple[int, ...]
    is_exact: bool = False
    tolerance: float = 1e-6


def build(value: Any, library: Any) -> Any:
    """Turn every `Spec` inside `value` into an object of `library`; leave the rest as it is."""
    if isinstance(value, Spec):
        home = library
        for part in filter(None, value.namespace.split(".")):
            home = getattr(home, part)
        target = getattr(home, value.name)
        if not value.is_call:
            return target
        return target(*build(value.args, library), **build(value.kwargs, library))
    if isinstance(value, dict):
        return {key: build(item, library) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(build(item, library) for item in value)
    return value


def build_layer(case: LayerCase, library: Any) -> Any:
    """The layer of a case, not yet built."""
    return build(Spec(case.layer, case.kwargs, case.args, case.namespace), library)


def generator(name: str) -> np.random.Generator:
    """A random generator that depends on `name` alone (CRC-32 as the seed)."""
    return np.random.default_rng(zlib.crc32(name.encode()))


def draw(spec: ArrayInput, random: np.random.Generator) -> np.ndarray:
    """The array that `spec` describes."""
    if spec.values is not None:
        return np.asarray(spec.values, dtype=spec.dtype)
    if spec.dtype == "bool":
        return random.random(spec.shape) < 0.6
    if spec.dtype.startswith(("int", "uint")):
        return random.integers(int(spec.low), int(spec.high), spec.shape).astype(spec.dtype)
    array = random.uniform(spec.low, spec.high, spec.shape)
    if spec.sum_to_one:
        array = array / array.sum(-1, keepdims=True)
    return array.astype(spec.dtype)


def draw_nested(value: Any, random: np.random.Generator) -> Any:
    """`value` with every `ArrayInput` inside it drawn."""
    if isinstance(value, ArrayInput):
        return draw(value, random)
    if isinstance(value, (list, tuple)):
        return type(value)(draw_nested(item, random) for item in value)
    return value
