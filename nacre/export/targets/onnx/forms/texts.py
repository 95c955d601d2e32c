"""Texts: vocabularies as tables of the machine-learning ops."""

from __future__ import annotations

from nacre.export.graph.ir import Node
from nacre.export.targets.onnx.body import Body, dtype_of, value_of
from nacre.export.targets.onnx.forms._form import form

_TABLES = "ai.onnx.ml"
_TABLES_VERSION = 2  # LabelEncoder with keys_*, values_* and default_*


def _table(make: Body, tensor: str, **attributes: object) -> str:
    make.shared.domains[_TABLES] = _TABLES_VERSION
    return make.add("LabelEncoder", [tensor], _TABLES, **attributes)


@form("text_lookup")
def _text_lookup(make: Body, node: Node) -> str:
    attributes = node.attributes
    found = _table(
        make,
        make.tensor(value_of(node)),
        keys_strings=attributes["keys"],
        values_int64s=attributes["values"],
        default_int64=attributes["missing"],
    )
    return make.cast(found, "int32")


@form("text_of_index")
def _text_of_index(make: Body, node: Node) -> str:
    texts = node.attributes["texts"]
    tensor = make.tensor(value_of(node))
    tensor = tensor if dtype_of(node) == "int64" else make.cast(tensor, "int64")
    return _table(
        make,
        tensor,
        keys_int64s=tuple(range(len(texts))),
        values_strings=texts,
        default_string=node.attributes["missing"],
    )


@form("text_from_int")
def _text_from_int(make: Body, node: Node) -> str:
    return make.cast(make.tensor(value_of(node)), "string")
