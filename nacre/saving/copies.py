"""Models as bytes, for pickle, joblib and copies."""

from __future__ import annotations

import importlib
import json
import weakref
from functools import reduce
from typing import Any

from nacre.core import identity, lambdas, safety
from nacre.core.errors import SerializationError, message
from nacre.core.held import Held, name_in
from nacre.core.kinds import is_dict, is_list
from nacre.core.regions import as_bytes
from nacre.core.registry import HELD, get_registered_object, short_module
from nacre.core.warning import warn
from nacre.saving import archive
from nacre.saving.files import Source
from nacre.saving.formats import native
from nacre.saving.one_step import of_one_step

_WHO = "pickled model"
# Of models that became bytes in this process, so that it finds even what no module has.
_held = Held(weakref.WeakValueDictionary(), writes_code=True)


@of_one_step
def model_to_bytes(model: Any) -> bytes:
    """A model as the bytes of a `.keras` file; what pickle and joblib store."""
    with identity.holding(_held):
        files, _ = native.to_files(model)
    return archive.pack(files)


def model_from_bytes(data: bytes) -> Any:
    """The model in bytes that `model_to_bytes` made.

    Unlike `load_model` it looks classes up by module, as pickle itself does: only for bytes of
    your own. In the process that made them, they are the very ones.

    Raises:
        SerializationError: A class or function is not to be found.
    """
    files = native.unpack(Source(data, _WHO).opened(), _WHO)
    config = archive.read_json(native.member_text(files, archive.CONFIG), "config.json", _WHO)
    found = _Found()
    found.look(config)
    if found.missing:
        raise SerializationError(_not_found(found.missing))
    files = {**files, archive.CONFIG: json.dumps(config).encode()}
    with safety.reading(True):
        return native.load(files, _WHO, found.things, compile=True)


@of_one_step
def copy_of(model: Any) -> Any:
    """A model with the same state, made of the same classes and functions."""
    held = Held({}, writes_code=False)
    with identity.holding(held):
        written, _ = native.to_files(model)
    files: native.Files = {name: as_bytes(content) for name, content in written.items()}
    with safety.reading(True):
        return native.load(files, f"copy of '{model.name}'", dict(held.things), compile=True)


class _Found:
    """Classes and functions that a config names and that are neither built in nor registered.

    Attributes:
        things: Name in the config -> class or function.
        missing: What is not to be found here, in words.
    """

    def __init__(self) -> None:
        self.things: dict[str, Any] = {}
        self.missing: list[str] = []

    def look(self, node: Any) -> None:
        """Find what a config names; one of `compile` that lacks something is taken out of it."""
        if is_list(node):
            for item in node:
                self.look(item)
            return
        if not is_dict(node):
            return
        self._look_at(node)
        for key, value in node.items():
            if key != "compile_config":
                self.look(value)
        if node.get("compile_config"):
            part = _Found()
            part.look(node["compile_config"])
            self.things.update(part.things)
            if part.missing:
                del node["compile_config"]
                warn(f"{_not_found(part.missing)} The model is not compiled: call compile().")

    def _look_at(self, node: dict[Any, Any]) -> None:
        module, kind = node.get("module"), node.get("class_name")
        if kind == "__lambda__" and is_dict(node.get("config")):
            self._look_at_lambda(node)
            return
        if not isinstance(module, str) or not isinstance(kind, str) or short_module(module):
            return
        name = str(node.get("config")) if kind == "function" else kind
        registered = str(node.get("registered_name") or name)
        own = name_in(registered)
        if own is None and (module.startswith("keras.") or get_registered_object(registered)):
            return
        thing = _held.things.get(registered)
        if thing is None:
            thing = _imported(module, own or name) or get_registered_object(name)
        if thing is not None:
            self.things[registered] = thing
        elif own is not None:
            self.missing.append(f"'{own}' of module '{module}'")

    def _look_at_lambda(self, node: dict[Any, Any]) -> None:
        name = str(node["config"].get(HELD))
        thing = _held.things.get(name) or lambdas.known(node["config"])
        if thing is not None:
            self.things[name] = thing
            node.update(class_name="function", module=None, config=name, registered_name=name)
        elif not safety.may_run_code():
            self.missing.append("a lambda")


def _not_found(missing: list[str]) -> str:
    fix = "Define it at the top of a module, or register it before the model is opened."
    if "a lambda" in missing:
        fix += " Code of lambdas runs after nacre.config.enable_unsafe_deserialization()."
    return message(
        _WHO,
        "its classes and functions must be found in the process that opens it",
        f"{', '.join(dict.fromkeys(missing))}, which is not there",
        fix,
    )


def _imported(module: str, name: str) -> Any:
    """What a module has by a qualified name; None of what was made within a function."""
    try:
        return reduce(getattr, name.split("."), importlib.import_module(module))
    except (ImportError, AttributeError):
        return None


__all__ = ["copy_of", "model_from_bytes", "model_to_bytes"]
