"""A graph as a package of Core ML: a program of MIL, built and written by coremltools."""

from __future__ import annotations

import contextlib
import importlib
import logging
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from nacre.core.errors import ArgumentError, message
from nacre.core.interop import optional_import
from nacre.core.regions import Content
from nacre.export.graph.ir import Graph, Value
from nacre.export.graph.sizes import Size, SizeExpr, multiple_of_name
from nacre.export.targets.coreml.forms.control import lower_nodes
from nacre.export.targets.coreml.maker import Maker, mil_dtype
from nacre.export.targets.target import Request

_WHO = "export to Core ML"
_FEWEST = 1024  # elements: of smaller weights (biases, statistics) nothing is won
_BLOCK = 32  # of weights of 4 bits, coremltools' own default


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Without what coremltools says of what is not there, such as Apple's runtime on Linux."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def coremltools() -> Any:
    """The package, imported."""
    with quiet():
        return optional_import("coremltools", extra="coreml", who=_WHO)


def write(request: Request) -> Mapping[str, Content]:
    """The files of the package, by their paths in it."""
    ct = coremltools()
    bits, oldest = request.options["weights"], request.options["deployment"]
    if bits == "int4" and oldest != "iOS18":
        rule, got = "weights='int4' needs deployment='iOS18'", repr(oldest)
        fix = "Pass deployment='iOS18', or weights='int8'."
        raise ArgumentError(message(_WHO, rule, got, fix))
    with quiet(), tempfile.TemporaryDirectory() as folder:
        program = _program(request.graph, "iOS16" if oldest == "iOS16" else "iOS17")
        model = ct.convert(
            program,
            source="milinternal",
            convert_to="mlprogram",
            inputs=[_input_type(ct, v, request) for v in request.graph.inputs],
            minimum_deployment_target=getattr(ct.target, request.options["deployment"]),
            compute_precision=getattr(ct.precision, request.options["precision"].upper()),
            skip_model_load=True,
        )
        if bits != "float32":
            model = _in_few_bits(model, bits)
        for name, text in request.metadata.items():
            model.user_defined_metadata[name] = text
        model.short_description = request.name
        path = Path(folder) / "model.mlpackage"
        model.save(str(path))
        files: dict[str, Content] = {}
        for file in sorted(path.rglob("*")):
            name = str(file.relative_to(path))
            if file.is_file():
                files[name] = file.read_bytes()
            elif not any(file.iterdir()):  # of weights, where all are small
                files[f"{name}/"] = b""
        return files


def _in_few_bits(model: Any, bits: str) -> Any:
    """The model with large weights as whole numbers: one scale a filter, in 4 bits one a block, but
    for those that blocks do not fill, which have 8."""
    optimize: Any = importlib.import_module("coremltools.optimize.coreml")

    def quantized(model: Any, dtype: str, granularity: str) -> Any:
        config = optimize.OpLinearQuantizerConfig(
            mode="linear_symmetric",
            dtype=dtype,
            granularity=granularity,
            block_size=_BLOCK,
            weight_threshold=_FEWEST,
        )
        return optimize.linear_quantize_weights(
            model, optimize.OptimizationConfig(global_config=config)
        )

    if bits == "int4":
        model = quantized(model, "int4", "per_block")
    return quantized(model, "int8", "per_channel")


def _program(graph: Graph, opset: str) -> Any:
    mil = importlib.import_module("coremltools.converters.mil.mil")
    builder = importlib.import_module("coremltools.converters.mil").Builder
    target = importlib.import_module("coremltools").target
    symbols: dict[str, Any] = {}
    inputs = {
        value.name: builder.placeholder(
            [_mil_size(mil, size, symbols) for size in value.shape], _mil_type(mil, value)
        )
        for value in graph.inputs
    }
    program = mil.Program()
    with mil.Function(inputs, opset_version=getattr(target, opset)) as function:
        make = Maker(builder)
        given = {
            v: make.cast(function.inputs[v.name], "bool")
            if v.dtype == "bool"
            else function.inputs[v.name]
            for v in graph.inputs
        }
        make.begin(graph, given)
        lower_nodes(make, graph)
        results = []
        for name, value in graph.outputs:
            x = make.var(value)
            # It gives numbers alone.
            x = make.cast(x, "int32") if value.dtype == "bool" else x
            results.append(make.add("identity", x=x, name=name))
        function.set_outputs(results)
        program.add_function("main", function)
    return program


def _mil_type(mil: Any, value: Value) -> Any:
    dtype = "int32" if value.dtype == "bool" else value.dtype
    return getattr(mil.types, mil_dtype(dtype))


def _mil_size(mil: Any, size: Size, symbols: dict[str, Any]) -> Any:
    if not isinstance(size, SizeExpr):
        return size
    text = str(size)
    if text not in symbols:
        symbols[text] = mil.get_new_symbol()
    return symbols[text]


def _input_type(ct: Any, value: Value, request: Request) -> Any:
    largest = request.options["largest_size"]

    def dimension(size: Size) -> Any:
        if not isinstance(size, SizeExpr):
            return size
        named = multiple_of_name(size)
        least = 1 if named is None else named[1]
        return ct.RangeDim(lower_bound=least, upper_bound=max(largest, least), default=least)

    dtype = "int32" if value.dtype == "bool" else value.dtype
    shape = ct.Shape(tuple(map(dimension, value.shape)))
    return ct.TensorType(
        name=value.name, shape=shape, dtype=getattr(ct.converters.mil.mil.types, mil_dtype(dtype))
    )


__all__ = ["coremltools", "quiet", "write"]
