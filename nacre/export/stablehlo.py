"""StableHLO: the one format that is no form of the graph, since JAX itself writes it.

`NAME.stablehlo` holds the bytes of `jax.export`, with the variables in it; `NAME.stablehlo.mlir`
beside it the program as text. Where JAX is installed, nothing else is needed:

    program = jax.export.deserialize(bytearray(open("NAME.stablehlo", "rb").read()))
    y = program.call(x)
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nacre.core.errors import UnsupportedError, message
from nacre.core.interop import optional_import
from nacre.core.regions import Content
from nacre.export.capture import Captured
from nacre.export.capture.program import Call, exported, opened, text
from nacre.export.graph.opset import OPSET
from nacre.export.targets.support import Support
from nacre.export.targets.target import Option, Request, Run, Runtime, Target
from nacre.export.verification import can_compare

NAME = "stablehlo"
SUFFIX = ".stablehlo"
_PLATFORMS = ("cpu", "cuda", "rocm", "tpu")
_DTYPES = frozenset(
    "bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 int4 uint4 float16 bfloat16 float32 "
    "float64 float8_e4m3fn float8_e5m2 complex64 complex128".split()
)


def target_for(captured: Captured, call: Call) -> Target:
    """The format, for one model.

    Args:
        captured: The model's call.
        call: The model, as it was captured.
    """
    names = [name for name, _ in captured.graph.outputs]

    def write(request: Request) -> Mapping[str, Content]:
        if not can_compare(captured.graph):
            rule = "a program of StableHLO keeps no state, and would draw the same at each call"
            fix = "Make what is drawn an input, or export as format='npz'."
            raise UnsupportedError(message(f"'{request.name}'", rule, "random numbers", fix))
        # What `jax.export` writes its bytes with, and asks for only then.
        optional_import("flatbuffers", extra="stablehlo", who=f"export of '{request.name}'")
        platforms = _listed(request.options["platforms"])
        return {
            "": exported(captured, call, platforms),
            f"{request.file_name}.mlir": text(captured, call, platforms).encode(),
        }

    def read(path: Path) -> Run:
        return opened(path.read_bytes(), names)

    return Target(
        name=NAME,
        title="StableHLO",
        suffix=SUFFIX,
        support=Support("StableHLO", dict.fromkeys(OPSET, "JAX's own"), dtypes=_DTYPES),
        write=write,
        runtimes=(Runtime("JAX", "jax", "jax", read),),
        options={
            "platforms": Option(
                "cpu", None, "What it runs on: 'cpu', or several: 'cpu,cuda,tpu'.", _fault
            )
        },
    )


def _listed(platforms: Any) -> list[str]:
    parts = platforms.split(",") if isinstance(platforms, str) else list(platforms)
    return [str(part).strip() for part in parts]


def _fault(platforms: Any) -> str:
    fits = isinstance(platforms, str | list | tuple) and platforms
    fits = fits and set(_listed(platforms)) <= set(_PLATFORMS)
    return "" if fits else f"platforms must be among {', '.join(_PLATFORMS)}"


__all__ = ["NAME", "SUFFIX", "target_for"]
