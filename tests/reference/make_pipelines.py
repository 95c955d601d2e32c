"""What real tf.data gives for drawn pipelines: `pipelines.json`.

Usage: python make_pipelines.py (TensorFlow 2.21)

For each seed the pipeline (see `cases/pipelines.py`), the spec of its elements, their number as
`cardinality` tells it, the elements, and where it stops with an error.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

os.environ["CUDA_VISIBLE_DEVICES"], os.environ["TF_CPP_MIN_LOG_LEVEL"] = "", "3"
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402
from cases import pipelines  # noqa: E402

tf.autograph.set_verbosity(0)


COUNT = 400


class Functions:
    """Functions on elements, of TensorFlow."""

    fill = staticmethod(lambda count, value: tf.fill([count], value))
    length = staticmethod(lambda x: tf.shape(x)[0])
    number = staticmethod(np.int64)

    @staticmethod
    def cast(x: Any) -> Any:
        return tf.cast(x, tf.float32)

    @staticmethod
    def mapped(function: Any, element: Any) -> Any:
        return tf.nest.map_structure(lambda x: x if x.dtype == tf.string else function(x), element)


def spec(value: Any) -> Any:
    """A spec as text in the structure of the elements."""
    if isinstance(value, dict):
        return {key: spec(v) for key, v in value.items()}
    if isinstance(value, tuple):
        return [spec(v) for v in value]
    kind = "ragged " if isinstance(value, tf.RaggedTensorSpec) else ""
    shape = value.shape
    sizes = "..." if shape.rank is None else ",".join("?" if n is None else str(n) for n in shape)
    return f"{kind}{value.dtype.name}[{sizes}]"


def plain(value: Any) -> Any:
    """An element as lists."""
    if isinstance(value, dict):
        return {key: plain(v) for key, v in value.items()}
    if isinstance(value, tuple):
        return [plain(v) for v in value]
    if isinstance(value, tf.RaggedTensor):
        return value.to_list()
    found = value.numpy()
    found = found.tolist() if hasattr(found, "tolist") else found
    return json.loads(json.dumps(found, default=bytes.decode))


def outcome(steps: list[list[Any]]) -> dict[str, Any]:
    """What a pipeline gives."""
    try:
        dataset = pipelines.build(steps, tf.data.Dataset, Functions)
    except Exception as error:
        return {"refused": type(error).__name__}
    result = {"spec": spec(dataset.element_spec), "count": int(dataset.cardinality())}
    elements: list[Any] = []
    try:
        for element in dataset:
            elements.append(plain(element))
    except Exception as error:
        result["error"] = type(error).__name__
    return {**result, "elements": elements}


def main() -> None:
    """Each part in a process of its own, as some pipelines make TensorFlow crash (`unbatch` of empty
    rows does): those are left out."""
    if len(sys.argv) > 1:
        for seed in range(int(sys.argv[1]), COUNT):
            steps = pipelines.drawn(seed)
            print(json.dumps({"seed": seed, "steps": steps}), flush=True)
            print(json.dumps(outcome(steps), separators=(",", ":")), flush=True)
        return
    found: list[str] = []
    first = 0
    while first < COUNT:
        command = [sys.executable, __file__, str(first)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
        lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
        for begun, ended in zip(lines[::2], lines[1::2], strict=False):
            steps = json.dumps(json.loads(begun)["steps"], separators=(",", ":"))
            found.append(f'{{"steps":{steps},{ended[1:]}')
        first = json.loads(lines[-1 - (len(lines) + 1) % 2])["seed"] + 1
    text = ",\n".join(found)
    Path(__file__).with_name("pipelines.json").write_text(f"[\n{text}\n]\n", encoding="utf-8")


if __name__ == "__main__":
    main()
