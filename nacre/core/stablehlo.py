"""Programs in StableHLO, as bytes of a portable artifact, called from JAX.

JAX reads its own files alone (`jax.export.deserialize`). Used: `jax._src.export._export.Exported`,
made as if it had been read; `make_ir_context`, `dtype_to_ir_type` and `module_to_bytecode` of
`jax._src.interpreters.mlir`; `refine_polymorphic_shapes` and `serialize_portable_artifact` of
`jax._src.lib._jax.mlir`; StableHLO of `jaxlib.mlir`.
"""

# jaxlib's modules have no types.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportAttributeAccessIssue=false
# pyright: reportMissingTypeStubs=false, reportMissingImports=false
# pyright: reportPrivateUsage=false, reportPrivateImportUsage=false

from __future__ import annotations

import dataclasses
import io
import re
from collections.abc import Callable, Sequence
from typing import Any

import jax
import ml_dtypes
import numpy as np

from nacre.core.mlir_bytecode import check_counts

# Functions that XLA has for linear algebra, random bits and sizes.
_CALLS = re.compile(
    r"(lapack|cusolver|cusparse|hipsolver)_\w+_ffi"
    r"|(cu|hip)_(threefry2x32_ffi|lu_pivots_to_permutation)"
    r"|Sharding|SPMD(FullToShard|ShardToFull)Shape|annotate_device_placement|shape_assertion"
    r"|(stablehlo|mhlo|chlo)\.\w+|TopK|ApproxTopK|Eigh|LuDecomposition|Qr"
    r"|ProductOfElementaryHouseholderReflectors"
)
_DTYPES = (
    *(f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)),
    *("bool", "float16", "float32", "float64", "complex64", "complex128"),
    *(ml_dtypes.bfloat16, ml_dtypes.float8_e4m3fn, ml_dtypes.float8_e5m2),
    *(ml_dtypes.int4, ml_dtypes.uint4),
)


def callable_module(
    data: bytes, inputs: Sequence[jax.ShapeDtypeStruct], platforms: Sequence[str]
) -> Callable[..., Any]:
    """A function that runs a program for inputs of these shapes: sizes of `?` are filled in.

    Args:
        data: The program; its function `main` is called.
        inputs: What it will be called with.
        platforms: Those it was made for: `CPU`, `CUDA`, `ROCM`, `TPU`. With several, `main` takes
            before all else the number of the one it runs on.

    Raises:
        ValueError: It is no such program, takes other inputs, or is for other machines.
    """
    from jax._src.export import _export
    from jax._src.interpreters import mlir

    here = jax.default_backend()
    here = "cuda" if here == "gpu" else here
    names = [name.lower() for name in platforms] or [here]
    if here not in names:
        raise ValueError(f"it is made for {', '.join(names)}, and this machine computes on {here}")
    structs = list(inputs)
    first: list[Any] = []
    if len(names) > 1:
        first = [np.asarray(names.index(here), np.int32)]
        structs.insert(0, jax.ShapeDtypeStruct((), np.int32))
    context = mlir.make_ir_context()
    try:
        refined = _with_shapes(context, data, structs)
        outputs = _outputs(context, refined)
    except Exception as error:  # of jaxlib, which has no kinds of its own
        raise ValueError(str(error).strip().split("\n")[0]) from error
    avals = [jax.core.ShapedArray(s.shape, s.dtype) for s in structs]
    exported = _export.Exported(
        fun_name="module",
        in_tree=jax.tree.structure((tuple(avals), {})),
        in_avals=tuple(avals),
        out_tree=jax.tree.structure((0,) * len(outputs)),
        out_avals=tuple(jax.core.ShapedArray(shape, dtype) for shape, dtype in outputs),
        **_older_fields(_export.Exported),
        _in_named_shardings=(None,) * len(avals),
        _out_named_shardings=(None,) * len(outputs),
        in_shardings_hlo=(None,) * len(avals),
        out_shardings_hlo=(None,) * len(outputs),
        nr_devices=1,
        platforms=(here,),
        ordered_effects=(),
        unordered_effects=(),
        disabled_safety_checks=(),
        mlir_module_serialized=refined,
        calling_convention_version=_export.maximum_supported_calling_convention_version,
        module_kept_var_idx=tuple(range(len(avals))),
        uses_global_constants=False,
        _get_vjp=None,
    )
    return lambda *arrays: exported.call(*first, *arrays)


def _older_fields(exported: type[Any]) -> dict[str, Any]:
    """What JAX before 0.12 asks for besides."""
    names = {field.name for field in dataclasses.fields(exported)}
    return {"_has_named_shardings": False} if "_has_named_shardings" in names else {}


def _with_shapes(context: Any, data: bytes, structs: Sequence[jax.ShapeDtypeStruct]) -> bytes:
    """The program with these shapes of `main`'s arguments, and those that follow from them."""
    from jax._src.interpreters import mlir
    from jax._src.lib import _jax
    from jaxlib.mlir import ir
    from jaxlib.mlir.dialects import stablehlo

    check_counts(data)
    with context, ir.Location.unknown():
        module = stablehlo.deserialize_portable_artifact(context, data)
        _refuse_calls(module)
        main = _main(module)
        arguments = list(main.arguments)
        if len(arguments) != len(structs):
            raise ValueError(f"it takes {len(arguments)} inputs, {len(structs)} are given")
        types: list[Any] = []
        for argument, struct in zip(arguments, structs, strict=True):
            old = ir.RankedTensorType(argument.type)
            new = ir.RankedTensorType.get(
                struct.shape, mlir.dtype_to_ir_type(np.dtype(struct.dtype))
            )
            fits = old.rank == len(struct.shape) and old.element_type == new.element_type
            if not fits or any(
                not old.is_dynamic_dim(i) and old.get_dim_size(i) != n
                for i, n in enumerate(struct.shape)
            ):
                raise ValueError(f"it takes {old}, {new} is given")
            types.append(new)
            if old == new:
                continue
            argument.set_type(new)
            with ir.InsertionPoint.at_block_begin(main.entry_block):
                wide = stablehlo.ConvertOp(old, argument)  # what the rest is still written for
            argument.replace_all_uses_except(wide.result, wide.operation)
        kind = ir.FunctionType(ir.TypeAttr(main.attributes["function_type"]).value)
        main.attributes["function_type"] = ir.TypeAttr.get(ir.FunctionType.get(types, kind.results))
        code = mlir.module_to_bytecode(module)
    found = _jax.mlir.refine_polymorphic_shapes(
        code, enable_shape_assertions=True, validate_static_shapes=True
    )
    with context, ir.Location.unknown():
        module = ir.Module.parse(found)
        buffer = io.BytesIO()
        module.operation.write_bytecode(buffer)
        return _jax.mlir.serialize_portable_artifact(
            buffer.getvalue(), stablehlo.get_current_version()
        )


def _refuse_calls(module: Any) -> None:
    """Refuse functions of the machine that a program has no business with: host callbacks take a
    place in memory as a number, kernels of accelerators are code.

    Raises:
        ValueError: It calls one.
    """
    from jaxlib.mlir import ir

    found: set[str] = set()

    def visit(operation: Any) -> Any:
        if operation.name.endswith(".custom_call"):
            found.add(operation.attributes["call_target_name"].value)
        return ir.WalkResult.ADVANCE

    module.operation.walk(visit)
    refused = sorted(name for name in found if not _CALLS.fullmatch(name))
    if refused:
        raise ValueError(f"it calls {', '.join(refused)[:200]}, which a file must not")


def _outputs(context: Any, data: bytes) -> list[tuple[tuple[int, ...], Any]]:
    """Shapes and dtypes of what `main` gives."""
    from jax._src.interpreters import mlir
    from jaxlib.mlir import ir
    from jaxlib.mlir.dialects import stablehlo

    with context:
        module = stablehlo.deserialize_portable_artifact(context, data)
        main = _main(module)  # part of it, which does not hold it: the module must have a name
        kinds = ir.FunctionType(ir.TypeAttr(main.attributes["function_type"]).value).results
        found = [ir.RankedTensorType(kind) for kind in kinds]
        known = {str(mlir.dtype_to_ir_type(np.dtype(d))): np.dtype(d) for d in _DTYPES}
        return [(tuple(t.shape), known[str(t.element_type)]) for t in found]


def _main(module: Any) -> Any:
    """The function that is called; it is there as long as somebody holds the module."""
    for function in module.body.operations:
        if function.attributes["sym_name"].value == "main":
            return function
    raise ValueError("it has no function `main`")


__all__ = ["callable_module"]
