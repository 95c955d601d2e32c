"""Write `tf_keras_names.json`: public names of tf.keras 2 below utils, preprocessing and backend, each
with its signature, null where there is none."""

from __future__ import annotations

import inspect
import sys
import types
from typing import Any

import oracle  # isort: skip
import tensorflow as tf

NAMESPACES = (
    "utils",
    "utils.experimental",
    "utils.legacy",
    "preprocessing",
    "preprocessing.image",
    "preprocessing.sequence",
    "preprocessing.text",
    "backend",
    "backend.experimental",
)


def signature_of(value: Any) -> str | None:
    """The text of a signature without annotations; a constructor's without `self`."""
    if isinstance(value, types.ModuleType):
        return None
    try:
        parameters = list(inspect.signature(value).parameters.values())
    except (TypeError, ValueError):
        return None
    return str(inspect.Signature([p.replace(annotation=p.empty) for p in parameters]))


def main() -> int:
    facts: dict[str, Any] = {}
    for namespace in NAMESPACES:
        home: Any = tf.keras
        for part in namespace.split("."):
            home = getattr(home, part)
        for name in sorted(dir(home)):
            if not name.startswith("_"):
                facts[f"keras.{namespace}.{name}"] = signature_of(getattr(home, name))
    oracle.write_facts("tf_keras_names", facts)
    return 0


if __name__ == "__main__":
    sys.exit(main())
