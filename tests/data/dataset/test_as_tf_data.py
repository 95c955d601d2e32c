"""Drawn pipelines give what real tf.data gives: elements, order, their number and specs.

`reference/make_pipelines.py` made the numbers. Compared exactly but for what is told here.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nacre.core.errors import NacreError
from nacre.data import Dataset, HostTensor, Ragged, RaggedSpec
from tests.cases import pipelines

RECORDED = json.loads(
    (Path(__file__).parents[2] / "reference" / "pipelines.json").read_text(encoding="utf-8")
)


class Functions:
    """Functions on elements, of NumPy."""

    fill = staticmethod(lambda count, value: np.full(count, value))
    length = staticmethod(len)
    number = staticmethod(np.int64)

    @staticmethod
    def cast(x: Any) -> Any:
        return np.asarray(x, "float32")

    @staticmethod
    def mapped(function: Any, element: Any) -> Any:
        if isinstance(element, dict):
            return {key: Functions.mapped(function, value) for key, value in element.items()}
        if isinstance(element, tuple):
            return tuple(Functions.mapped(function, value) for value in element)
        return element if element.dtype == object else function(element)


def spec(value: Any) -> Any:
    """A spec as text in the structure of the elements."""
    if isinstance(value, dict):
        return {key: spec(v) for key, v in value.items()}
    if isinstance(value, tuple):
        return [spec(v) for v in value]
    kind = "ragged " if isinstance(value, RaggedSpec) else ""
    sizes = (
        "..."
        if value.shape is None
        else ",".join("?" if n is None else str(n) for n in value.shape)
    )
    return f"{kind}{value.dtype}[{sizes}]"


def plain(value: Any) -> Any:
    """An element as lists."""
    if isinstance(value, dict):
        return {key: plain(v) for key, v in value.items()}
    if isinstance(value, tuple):
        return [plain(v) for v in value]
    if isinstance(value, Ragged):
        return value.to_list()
    assert type(value) is HostTensor
    return json.loads(json.dumps(value.tolist(), default=bytes.decode))


def outcome(steps: list[Any]) -> dict[str, Any]:
    """What a pipeline gives."""
    try:
        dataset = pipelines.build(steps, Dataset, Functions)
    except NacreError:
        return {"refused": True}
    result: dict[str, Any] = {"count": int(dataset.cardinality()), "elements": []}
    try:
        result["spec"] = spec(dataset.element_spec)
    except NacreError:
        result["spec"] = None
    try:
        for element in dataset:
            result["elements"].append(plain(element))
    except NacreError:
        result["error"] = True
    return result


def fits(found: str, wanted: str, count: int) -> bool:
    """Whether a spec is the one of tf.data. From few elements a size may look fixed that is not."""
    pattern = re.escape(wanted).replace(re.escape("?"), r"[?\d]+" if count <= 1 else r"\?")
    return re.fullmatch(pattern, found) is not None


def compare(one: dict[str, Any]) -> str:
    """What differs; nothing where a pipeline does what tf.data does."""
    steps = one["steps"]
    found = outcome(steps)
    if "refused" in one:
        # tf.data knows dtypes and ranks when a pipeline is built; here some show at an element.
        # Numbers of two dtypes go together here as they do in NumPy.
        is_mixed = ["cast"] in steps
        is_fine = "refused" in found or "error" in found or not found["elements"] or is_mixed
        return "" if is_fine else "not refused"
    if "refused" in found:
        return "refused"
    if ("error" in one) != ("error" in found):
        return f"error {one.get('error')} and {found.get('error')}"
    given, wanted = found["elements"], one["elements"]
    if steps[-1][0] == "shuffle":
        given, wanted = sorted(map(str, given)), sorted(map(str, wanted))
    if given != wanted:
        return f"elements {given} for {wanted}"
    # A number that is told is right; what a function makes has rows that only tf.data knows of.
    is_more = one["count"] == -2 and found["count"] == len(wanted)
    is_less = found["count"] == -2 and ["unbatch"] in steps
    if found["count"] != one["count"] and not is_more and not is_less:
        return f"cardinality {found['count']} for {one['count']}"
    if not fits(str(found["spec"]), str(one["spec"]), len(wanted)):
        return f"spec {found['spec']} for {one['spec']}"
    return ""


@pytest.mark.parametrize("part", range(4))
def test_drawn_pipelines_give_what_tf_data_gives(part: int) -> None:
    differ = [(one["steps"], what) for one in RECORDED[part::4] if (what := compare(one))]
    assert not differ, "\n".join(map(str, differ))
