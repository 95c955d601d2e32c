"""Write `nacre/export/importers/tensorflow/op_definitions.json`: outputs and defaults of ops.

Reads names of ops from standard input, one a line: those that nacre registers.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from tensorflow.python.framework import op_def_registry

OUT = Path(__file__).parents[2] / "nacre/export/importers/tensorflow/op_definitions.json"


def value(found: Any) -> Any:
    kind = found.WhichOneof("value")
    if kind == "list":
        return [] if not found.list.ByteSize() else None
    if kind == "s":
        return found.s.decode()
    if kind == "type":
        return {"type": found.type}
    if kind == "shape":
        sizes = found.shape
        return {"shape": None if sizes.unknown_rank else [dim.size for dim in sizes.dim]}
    return getattr(found, kind) if kind in ("i", "f", "b") else None


def described(arg: Any) -> str:
    many = arg.number_attr or arg.type_list_attr
    return f"{arg.name}*{many}" if many else arg.name


def main() -> None:
    found: dict[str, Any] = {}
    for name in sorted(set(sys.stdin.read().split())):
        definition = op_def_registry.get(name)
        if definition is None:
            continue  # of another library
        attr = {
            a.name: default
            for a in definition.attr
            if a.HasField("default_value") and (default := value(a.default_value)) is not None
        }
        found[name] = {"out": [described(arg) for arg in definition.output_arg]}
        if attr:
            found[name]["attr"] = attr
    lines = ",\n".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in found.items())
    OUT.write_text(f"{{\n{lines}\n}}\n")


if __name__ == "__main__":
    main()
