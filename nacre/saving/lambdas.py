"""Code in configs: found before anything is built, refused unless the file is trusted."""

from __future__ import annotations

from typing import Any

from nacre.core import lambdas, safety
from nacre.core.errors import SerializationError, message
from nacre.core.registry import deserialize_keras_object


def take_out_code(config: Any, who: str) -> tuple[Any, dict[str, Any]]:
    """The config with pickled lambdas replaced by names, and the functions by those names.

    Args:
        config: A model's config.
        who: The file, for the error.

    Raises:
        SerializationError: There is code, and its author is not trusted.
    Example:
        >>> take_out_code({"a": [1]}, "file")
        ({'a': [1]}, {})
    """
    functions: dict[str, Any] = {}

    def visit(node: Any, owner: str) -> Any:
        if isinstance(node, list):
            return [visit(item, owner) for item in node]
        if not isinstance(node, dict):
            return node
        if node.get("class_name") == "__lambda__":
            if lambdas.known(node["config"]) is not None:
                return node  # this process wrote it: nothing from the file is run
            if not safety.may_run_code():
                raise _refused(owner, who)
            name = f"lambda_from_file_{len(functions)}"
            functions[name] = deserialize_keras_object(node)
            return {
                "class_name": "function",
                "config": name,
                "registered_name": name,
                "module": None,
            }
        inner = node.get("config")
        if isinstance(inner, dict) and "class_name" in node:
            owner = f"{node['class_name']} '{inner.get('name', '')}'"
        return {key: visit(value, owner) for key, value in node.items()}

    return visit(config, "the model"), functions


def _refused(owner: str, who: str) -> SerializationError:
    return SerializationError(
        message(
            f"{who}, {owner}",
            "opening a file must not run code from it",
            "a Python lambda stored in the file",
            "If you trust the file: load_model(path, safe_mode=False). Better: make it a named "
            "function, register it, and save again.",
        )
    )


__all__ = ["take_out_code"]
