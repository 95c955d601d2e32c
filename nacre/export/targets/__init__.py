"""Formats that graphs are written in, by the names that `format=` takes.

support, target    what every format says of itself
<format>/          one folder a format
graphdef/          functions of TensorFlow, which two of them are made of
"""

from __future__ import annotations

import importlib
import importlib.metadata
from typing import TYPE_CHECKING, NamedTuple

from nacre.core.errors import ArgumentError, listed, message, nearest

if TYPE_CHECKING:
    from nacre.export.targets.target import Target


class Place(NamedTuple):
    """Where a format is, imported when it is asked for.

    Attributes:
        module: Whose `TARGET` it is; or, with `VIA`, the name of another format, which function
            `over` makes it of that one.
        suffix: The format's own, which must not be asked for by importing it.
    """

    module: str
    suffix: str


TARGETS: dict[str, Place] = {
    "c": Place("nacre.export.targets.c", ""),
    "npz": Place("nacre.export.targets.npz", ""),
    "pmml": Place("nacre.export.targets.pmml", ".pmml"),
    "onnx": Place("nacre.export.targets.onnx.target", ".onnx"),
    "openvino": Place("nacre.export.targets.openvino.target", ".xml"),
    "tensorrt": Place("nacre.export.targets.tensorrt.target", ".onnx"),
    "litert": Place("nacre.export.targets.litert.target", ".tflite"),
    "coreml": Place("nacre.export.targets.coreml", ".mlpackage"),
    "tfjs": Place("nacre.export.targets.tfjs.target", ""),
    "web": Place("nacre.export.targets.tfjs.web", ""),
    "torchscript": Place("nacre.export.targets.torch.torchscript", ".pt"),
    "torch": Place("nacre.export.targets.torch.exported", ".pt2"),
}
# Formats that are no forms of the graph, with how their files' names end: written by
# `saving.export_archive`, `export.stablehlo` and `saving.formats.tfjs_layers_writer`.
OTHERS = {"tf_saved_model": "", "stablehlo": ".stablehlo", "tfjs_layers": ""}
# What `format=` is not for -> how it is done.
ELSEWHERE = {
    "pickle": "Models are pickled as they are: pickle.dump(model, file).",
    "joblib": "Models are pickled as they are: joblib.dump(model, path).",
    "huggingface": "Write the folder with model.save_pretrained(path).",
    "hf": "Write the folder with model.save_pretrained(path).",
    "keras": "Save it: model.save('model.keras').",
    "h5": "Save it: model.save('model.h5').",
    "safetensors": "Save the weights: model.save_weights('model.safetensors').",
}
# Other names of these.
ALIASES: dict[str, str] = {"tflite": "litert"}
# Packages tell of formats of theirs in this group of entry points: name = "module:TARGET".
ENTRY_POINTS = "nacre.formats"
_REGISTERED: dict[str, Target] = {}


def register_target(target: Target) -> Target:
    """Make a format of your own one of those that `Model.export` writes.

    A package that is installed does it without a call, by an entry point:

        [project.entry-points."nacre.formats"]
        lines = "my_package.lines:TARGET"

    Args:
        target: The format. `nacre.testing.check_target` tries all that it must keep.

    Returns:
        The same.

    Raises:
        ArgumentError: nacre itself has a format of this name, or of this suffix; or it is no
            `Target`.
    Example:
        >>> from nacre.export import Support, Target, register_target
        >>> text = Target("lines", "Lines", ".lines", Support("Lines", {}), lambda request: {})
        >>> register_target(text) is text
        True
    """
    if not hasattr(target, "runtimes"):  # its class is loaded with the first export
        fix = "Pass Target(name=..., title=..., suffix=..., support=..., write=...)."
        raise ArgumentError(message("register_target", "it takes a Target", repr(target), fix))
    who, own = f"register_target of '{target.name}'", [*OTHERS, *TARGETS, *ALIASES, *ELSEWHERE]
    if target.name in own:
        raise ArgumentError(
            message(who, "its name must be free", f"'{target.name}', a format of nacre's own")
        )
    taken = format_of_suffix(f"file{target.suffix}") if target.suffix else None
    if taken not in (None, target.name) or target.suffix in (".keras", ".h5"):
        raise ArgumentError(
            message(
                who,
                "its files must end as those of no other format",
                f"'{target.suffix}'" + (f", as those of '{taken}' do" if taken else ""),
                "Choose another suffix.",
            )
        )
    _REGISTERED[target.name] = target
    return target


def _outside(name: str) -> Target | None:
    """A format that was registered, or that an installed package tells of."""
    if name not in _REGISTERED:
        for point in importlib.metadata.entry_points(group=ENTRY_POINTS, name=name):
            register_target(point.load())
    return _REGISTERED.get(name)


def formats() -> list[str]:
    """The formats that `Model.export` writes.

    Example:
        >>> "tf_saved_model" in formats()
        True
    """
    installed = importlib.metadata.entry_points(group=ENTRY_POINTS).names
    return list(dict.fromkeys([*OTHERS, *TARGETS, *_REGISTERED, *sorted(installed)]))


def find_target(name: str, who: str) -> Target:
    """The format of a name.

    Raises:
        ArgumentError: There is none.
    """
    place = TARGETS.get(ALIASES.get(name, name))
    if place is None and (outside := _outside(name)) is not None:
        return outside
    if place is None:
        near = nearest(name, [*formats(), *ALIASES])
        fix = ELSEWHERE.get(name, f"Did you mean '{near}'?" if near else "")
        rule = f"format must be one of {listed(formats(), 30)}"
        raise ArgumentError(message(who, rule, repr(name), fix))
    module = importlib.import_module(place.module)
    # One that stands on another says which, and what is different.
    via: str = getattr(module, "VIA", "")
    target: Target = module.over(find_target(via, who)) if via else module.TARGET
    return target


def ending_of(format: str) -> str:
    """How names of a format's files end; '' for folders, and where there is no such format."""
    place = TARGETS.get(ALIASES.get(format, format)) or _outside(format)
    return OTHERS.get(format, "") if place is None else place.suffix


def format_of_suffix(path: str) -> str | None:
    """The format whose files end as this path does."""
    places = {**_REGISTERED, **TARGETS}
    endings = {**OTHERS, **{name: place.suffix for name, place in places.items()}}
    endings["npz"] = ".npz"  # a folder, which a person may call so
    fits = (name for name, suffix in endings.items() if suffix and path.lower().endswith(suffix))
    return next(fits, None)


__all__ = [
    "ALIASES",
    "ELSEWHERE",
    "OTHERS",
    "TARGETS",
    "Place",
    "ending_of",
    "find_target",
    "format_of_suffix",
    "formats",
    "register_target",
]
