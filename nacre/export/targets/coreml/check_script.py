"""A script beside a package that compares, on a machine of Apple's, what Core ML computes with what
the model does: Linux writes packages and cannot run them."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import numpy as np

from nacre.core.regions import Content
from nacre.export.graph.evaluate import evaluate
from nacre.export.graph.ir import Value
from nacre.export.graph.opset import OPSET
from nacre.export.graph.sizes import size_value
from nacre.export.targets.target import Request, Tolerance

_USUAL_SIZE = 8  # of axes that vary, besides the batch
_NARROW = ("bool", "int8", "uint8", "int16", "uint16")  # which Core ML is given as int32
_SCRIPT = '''"""Whether Core ML computes on this machine what the model did.

Run it on macOS, beside the package: python {script}
It needs coremltools and numpy: pip install coremltools
"""

import pathlib
import sys

import coremltools
import numpy as np

HERE = pathlib.Path(__file__).resolve().parent
PACKAGE, NUMBERS = {package!r}, {numbers!r}
OF_ITSELF, OF_LARGEST = {of_itself}, {of_largest}


def main():
    model = coremltools.models.MLModel(str(HERE / PACKAGE))
    kept = np.load(HERE / NUMBERS)
    description = model.get_spec().description
    given = {{x.name: kept[f"input_{{i}}"] for i, x in enumerate(description.input)}}
    found = model.predict(given)
    is_right = True
    for i, output in enumerate(description.output):
        right = kept[f"output_{{i}}"].astype("float64")
        one = np.asarray(found[output.name], "float64").reshape(right.shape)
        finite = np.abs(right[np.isfinite(right)])
        largest = float(finite.max()) if finite.size else 1.0
        same = bool(np.allclose(one, right, OF_ITSELF, OF_LARGEST * largest, equal_nan=True))
        difference = float(np.abs(one - right)[np.isfinite(right)].max(initial=0))
        print(f"{{output.name}}: differences to {{difference:.1e}}:", "ok" if same else "WRONG")
        is_right = is_right and same
    return 0 if is_right else 1


if __name__ == "__main__":
    sys.exit(main())
'''


def check_script(request: Request, name: str, near: Tolerance) -> Mapping[str, Content]:
    """The script and its numbers, by the names of their files; nothing for a net that draws.

    Args:
        name: The package's.
        near: How far numbers may be apart.
    """
    graph = request.graph
    if any(OPSET[node.op].is_random for node in graph.all_nodes()):
        return {}
    sizes = {
        symbol: 1 if symbol == "batch" else max(1, _USUAL_SIZE // axis.multiple)
        for symbol, axis in graph.symbols().items()
    }
    random = np.random.default_rng(0)
    arrays = [_drawn(random, value, sizes) for value in graph.inputs]
    outputs = list(evaluate(graph, arrays).outputs.values())
    kept = {f"input_{i}": _as_given(x) for i, x in enumerate(arrays)}
    kept |= {f"output_{i}": _as_given(np.asarray(x)) for i, x in enumerate(outputs)}
    file = io.BytesIO()
    np.savez_compressed(file, allow_pickle=False, **kept)
    script, numbers = f"{name}.check.py", f"{name}.check.npz"
    text = _SCRIPT.format(
        script=script,
        package=name,
        numbers=numbers,
        of_itself=near.of_itself,
        of_largest=near.of_largest,
    )
    return {script: text.encode(), numbers: file.getvalue()}


def _drawn(random: np.random.Generator, value: Value, sizes: Mapping[str, int]) -> Any:
    """Numbers from 0 to 1; whole ones pick the first elements of tables."""
    shape = tuple(size_value(size, sizes) for size in value.shape)
    drawn = random.random(shape)
    return (drawn if "float" in value.dtype else drawn < 0.5).astype(value.dtype)


def _as_given(x: Any) -> Any:
    return x.astype("int32") if x.dtype.name in _NARROW else x


__all__ = ["check_script"]
