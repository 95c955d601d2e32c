"""Write `layouts.json`: the groups and arrays real Keras writes into `.weights.h5` for every layer.

Usage: python make_layouts.py   (in an environment with keras 3.15.1; takes some minutes)
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER.parent))
sys.path.insert(0, str(FOLDER.parent / "reference"))

import oracle  # isort: skip  # noqa: E402, F401
import h5py  # noqa: E402
import keras  # noqa: E402
from cases.layers import LAYER_CASES  # noqa: E402
from cases.reading import call_arguments  # noqa: E402
from cases.spec import build_layer, generator  # noqa: E402
from make_layers import drawn_arrays  # noqa: E402


class Holder(keras.Model):
    """A model that holds one layer."""

    def __init__(self, layer: Any) -> None:
        super().__init__()
        self.layer = layer


def layout(path: Path) -> dict[str, Any]:
    """`{group or array: None or [shape, dtype]}` without the holder's own groups."""
    found: dict[str, Any] = {}
    with h5py.File(path) as file:

        def visit(name: str, item: Any) -> None:
            if name.startswith("layer/"):
                array = isinstance(item, h5py.Dataset)
                found[name[6:]] = [list(item.shape), str(item.dtype)] if array else None

        file.visititems(visit)
    return found


def main() -> None:
    layouts: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "layer.weights.h5"
        for case in LAYER_CASES:
            try:
                layer = build_layer(case, keras)
                arrays = drawn_arrays(case, generator(case.id))
                positional, keywords = call_arguments(case, arrays)
                layer(*positional, **keywords)
                holder = Holder(layer)
                holder.built = True
                holder.save_weights(path, overwrite=True)
                layouts[case.id] = layout(path)
            except Exception as error:
                print(case.id, type(error).__name__, str(error)[:200])
    lines = ",\n".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in layouts.items())
    (FOLDER / "layouts.json").write_text("{\n" + lines + "\n}\n", encoding="utf-8")
    print(len(layouts), "layouts")


if __name__ == "__main__":
    main()
