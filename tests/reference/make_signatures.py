"""Write `keras_signatures.json`: every public name of Keras with its kind and signature.

Keys are dotted names as a user types them. A class shows its constructor without `self`, and
its public methods and properties. Values: `kind` is "class", "function", "module" or the type's
name; `signature` is the text of `inspect.signature`, null where there is none.
"""

from __future__ import annotations

import inspect
import sys
from typing import Any

import oracle  # isort: skip
import keras

NAMESPACES = (
    "keras",
    "layers",
    "ops",
    "ops.image",
    "ops.linalg",
    "ops.nn",
    "ops.numpy",
    "activations",
    "initializers",
    "regularizers",
    "constraints",
    "losses",
    "metrics",
    "optimizers",
    "optimizers.schedules",
    "optimizers.legacy",
    "callbacks",
    "utils",
    "utils.legacy",
    "random",
    "tree",
    "models",
    "saving",
    "backend",
    "config",
    "dtype_policies",
    "mixed_precision",
    "distribution",
    "distillation",
    "export",
    "quantizers",
    "visualization",
    "wrappers",
    "preprocessing",
    "preprocessing.image",
    "preprocessing.sequence",
    "preprocessing.text",
    "datasets",
    "datasets.boston_housing",
    "datasets.california_housing",
    "datasets.cifar10",
    "datasets.cifar100",
    "datasets.fashion_mnist",
    "datasets.imdb",
    "datasets.mnist",
    "datasets.reuters",
    "applications",
)


def signature_of(thing: Any) -> str | None:
    """The text of a signature; addresses of objects are cut so that the file is stable."""
    try:
        signature = inspect.signature(thing)
    except (TypeError, ValueError):
        return None
    parameters = []
    for parameter in signature.parameters.values():
        default = parameter.default
        if default is not inspect.Parameter.empty and " at 0x" in repr(default):
            parameter = parameter.replace(
                default=getattr(default, "__name__", type(default).__name__)
            )
        parameters.append(parameter.replace(annotation=inspect.Parameter.empty))
    return str(signature.replace(parameters=parameters, return_annotation=inspect.Signature.empty))


def without_self(thing: Any) -> str | None:
    """The signature of a constructor as seen by the caller."""
    try:
        signature = inspect.signature(thing.__init__)
    except (TypeError, ValueError):
        return None
    parameters = list(signature.parameters.values())[1:]
    return signature_of_parameters(parameters)


def signature_of_parameters(parameters: list) -> str:
    return str(
        inspect.Signature([p.replace(annotation=inspect.Parameter.empty) for p in parameters])
    )


def members_of(thing: type) -> dict[str, str | None]:
    """Public methods with their signatures; properties and plain values without."""
    members: dict[str, str | None] = {}
    for name in dir(thing):
        if name.startswith("_"):
            continue
        value = inspect.getattr_static(thing, name)
        if isinstance(value, (staticmethod, classmethod)):
            value = value.__func__
        members[name] = signature_of(value) if inspect.isfunction(value) else None
    return members


def describe(thing: Any) -> dict[str, Any]:
    if inspect.isclass(thing):
        bases = [base.__name__ for base in thing.__mro__[1:-1]]
        return {
            "kind": "class",
            "signature": without_self(thing),
            "bases": bases,
            "members": members_of(thing),
        }
    if inspect.ismodule(thing):
        return {"kind": "module", "signature": None}
    if callable(thing):
        return {"kind": "function", "signature": signature_of(thing)}
    return {"kind": type(thing).__name__, "signature": None}


def main() -> int:
    facts: dict[str, Any] = {}
    missing = []
    for namespace in NAMESPACES:
        home = keras
        try:
            for part in () if namespace == "keras" else namespace.split("."):
                home = getattr(home, part)
        except AttributeError:
            missing.append(namespace)
            continue
        prefix = "keras" if namespace == "keras" else f"keras.{namespace}"
        for name in sorted(dir(home)):
            if name.startswith("_"):
                continue
            facts[f"{prefix}.{name}"] = describe(getattr(home, name))
    print("no such namespace:", missing)
    reduce_members(facts)
    oracle.write_facts("keras_signatures", facts)
    return 0


def reduce_members(facts: dict[str, Any]) -> None:
    """Name inherited members once: a class lists only what differs from its public base."""
    shared = {"Layer": "keras.layers.Layer", "Metric": "keras.metrics.Metric"}
    shared |= {"Optimizer": "keras.optimizers.Optimizer", "Loss": "keras.losses.Loss"}
    shared |= {"Callback": "keras.callbacks.Callback", "Model": "keras.Model"}
    whole = {name: dict(facts[path]["members"]) for name, path in shared.items()}
    for path, fact in facts.items():
        if fact["kind"] != "class":
            continue
        base = next((b for b in fact["bases"] if b in whole and shared[b] != path), None)
        if base is None:
            continue
        inherited = whole[base]
        members = fact["members"]
        fact["members_beyond"] = base
        fact["members"] = {
            n: s for n, s in members.items() if n not in inherited or inherited[n] != s
        }


if __name__ == "__main__":
    sys.exit(main())
