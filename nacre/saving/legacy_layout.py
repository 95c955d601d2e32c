"""The older layout of weights: one group a layer, in the order of `model.layers`.

`layer_names` lists the layers, each group's `weight_names` its arrays, trainable ones first, which
are matched as `array_order` tells. Found in every `.h5` file of Keras 1 and 2 and still written by
Keras 3.15 for `.h5`, where the names are the variables' paths.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import h5py
import numpy as np

from nacre.core.errors import FileFormatError, WeightsMismatchError, listed, message
from nacre.core.names import free_name
from nacre.core.variable import Variable
from nacre.core.warning import warn
from nacre.saving import hdf5, seeds
from nacre.saving.array_order import order_of
from nacre.saving.old_weights import Recipe, convert
from nacre.saving.weights import (
    Differences,
    LoadStep,
    compare_array,
    mismatch,
    run_steps,
)

# The group of variables that belong to the model itself.
TOP_LEVEL = "top_level_model_weights"
_BY_NAME = "If only some layers are shared: model.load_weights(path, by_name=True)."


def layer_variables(layer: Any) -> list[Variable]:
    """A layer's variables in file order: trainable ones first."""
    return [*layer.trainable_weights, *layer.non_trainable_weights]


def top_variables(model: Any) -> list[Variable]:
    """The variables that belong to the model itself."""
    return model._direct_variables()


class LegacyGroup:
    """What one layer's group holds: unique names and the arrays under them."""

    def __init__(
        self, name: str, variables: list[Variable], names: list[str] | None = None
    ) -> None:
        self.name = name
        self.names = names or unique_names(variables)
        self.arrays: list[Variable] = list(variables)  # read when they are written


def unique_names(variables: Sequence[Variable]) -> list[str]:
    """The paths of variables; of those that share one, all but the first end in a number."""
    names: dict[str, None] = {}
    for variable in variables:
        names[free_name(variable.path, names)] = None
    return list(names)


def collect(model: Any) -> tuple[list[str], list[LegacyGroup]]:
    """Names of the layers, and all groups, the model's own and that of seeds last."""
    groups = [LegacyGroup(layer.name, layer_variables(layer)) for layer in unique_layers(model)]
    names = [group.name for group in groups]
    groups.append(LegacyGroup(TOP_LEVEL, top_variables(model)))
    if found := seeds.seeds_of(model):
        groups.append(LegacyGroup(seeds.NAME, list(found.values()), list(found)))
    return names, groups


def unique_layers(model: Any) -> list[Any]:
    """The layers of a model; one that stands twice in a stack only in its first place."""
    return list({id(layer): layer for layer in model.layers}.values())


def write(root: h5py.Group, names: list[str], groups: list[LegacyGroup], version: str) -> None:
    """Write groups the way Keras writes `.h5` weights."""
    root.attrs["backend"] = "jax"
    root.attrs["keras_version"] = version
    hdf5.write_names(root, "layer_names", names)
    _refuse_one_place(groups)
    for group in groups:
        # A layer's name may begin another's, 'conv1' and 'conv1/bn': one group is in the other.
        write_list(root.require_group(group.name), group.names, group.arrays)


def _refuse_one_place(groups: list[LegacyGroup]) -> None:
    """Refuse names that HDF5 takes for one path, or for none, so that one layer's arrays would be
    read as another's."""
    places: dict[str, str] = {}
    for group in groups:
        place = "/".join(part for part in group.name.split("/") if part not in ("", "."))
        if not place or place in places:
            got = [group.name] if not place else [places[place], group.name]
            raise FileFormatError(
                message(
                    "an .h5 file in the layout of Keras 2",
                    "names of layers must be paths that differ, where slashes in a row are one",
                    ", ".join(map(repr, got)),
                    "Rename the layer, or save it as .keras.",
                )
            )
        places[place] = group.name


def write_list(group: h5py.Group, names: list[str], arrays: Sequence[Variable]) -> None:
    """Write arrays with their names in `weight_names`."""
    hdf5.write_names(group, "weight_names", names)
    for name, values in zip(names, arrays, strict=True):
        hdf5.write_array(group, name, values)


def compare(root: h5py.Group, groups: list[LegacyGroup], who: str) -> None:
    """Raise unless a written file holds exactly these arrays."""
    for group in groups:
        inner = hdf5.subgroup(root, group.name, who)
        for name, values in zip(group.names, group.arrays, strict=True):
            dataset = None if inner is None else hdf5.child(inner, name, who)
            compare_array(dataset, values, f"{group.name}/{name}", who)


# -------------------------------------------------------------------- reading


class FileArray(Protocol):
    """An array of a file, whose shape is known before its numbers are read."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Its shape."""
        ...

    def read(self) -> np.ndarray:
        """Its numbers."""
        ...


@dataclass(frozen=True)
class _StoredArray:
    """An array of an HDF5 file."""

    dataset: h5py.Dataset
    who: str

    @property
    def shape(self) -> tuple[int, ...]:
        return hdf5.shape_of(self.dataset)

    def read(self) -> np.ndarray:
        return hdf5.read_numbers(self.dataset, self.who)


@dataclass(frozen=True)
class FileLayer:
    """What a file holds for one layer.

    Attributes:
        name: The layer's.
        names, arrays: Its arrays and what they are called, such as `dense/kernel`.
    """

    name: str
    names: list[str]
    arrays: Sequence[FileArray]


def _file_layer(root: h5py.Group, name: str, who: str) -> FileLayer:
    """One layer's group in a file."""
    group = hdf5.subgroup(root, name, who)
    names = [] if group is None else hdf5.names_attribute(group, "weight_names") or []
    arrays: list[FileArray] = []
    for weight in names:
        found = None if group is None else hdf5.child(group, weight, who)
        if not isinstance(found, h5py.Dataset):
            raise FileFormatError(
                message(
                    who,
                    "every array it lists must be in it",
                    f"no '{weight}' in '{name}'",
                    "It may be only partly written: fetch it again.",
                )
            )
        hdf5.check_dataset(found, who)
        arrays.append(_StoredArray(found, who))
    return FileLayer(name, names, arrays)


def restore(
    model: Any,
    root: h5py.Group,
    who: str,
    by_name: bool = False,
    skip_mismatch: bool = False,
    keras_version: str = "",
    is_new: bool = False,
) -> None:
    """Set a model's variables from the older layout.

    Args:
        by_name: Match layers by name and leave the others alone, instead of by position.
        skip_mismatch: Leave out layers that do not fit, with a warning.
        keras_version: Version that wrote the file.
        is_new: Whether nobody has seen the model yet, so that an error may leave it half-way.

    Raises:
        WeightsMismatchError: Something does not fit; everything is listed.
    """
    names = hdf5.names_attribute(root, "layer_names") or []
    file_layers = [_file_layer(root, name, who) for name in names]
    differences = Differences()
    steps: list[LoadStep] = []
    if by_name:
        pairs = _pairs_by_name(model, file_layers, who)
    else:
        pairs = pairs_in_order(model, file_layers, who)
    for layer, variables, source in pairs:
        plan(layer, variables, source, keras_version, differences, steps)
    top = top_variables(model)
    if top and TOP_LEVEL in hdf5.member_names(root, who):
        plan(model, top, _file_layer(root, TOP_LEVEL, who), keras_version, differences, steps)
    settle(differences, who, model, skip_mismatch, is_new)
    if not by_name and seeds.NAME in hdf5.member_names(root, who):
        stored = _file_layer(root, seeds.NAME, who)
        arrays = dict(zip(stored.names, stored.arrays, strict=True))
        shapes = {name: array.shape for name, array in arrays.items()}
        steps += seeds.seed_steps(model, shapes, lambda name: arrays[name].read())
    run_steps(steps, is_new, partial(hdf5.settle, root))


def _pairs_by_name(
    model: Any, file_layers: list[FileLayer], who: str
) -> list[tuple[Any, Any, FileLayer]]:
    """Layers that have a group of their name; says which have none, on either side.

    Raises:
        WeightsMismatchError: Not one name with weights is the model's and the file's.
    """
    sources = {layer.name: layer for layer in file_layers if layer.names}
    layers = [(layer, layer_variables(layer)) for layer in unique_layers(model)]
    own = {layer.name: (layer, variables) for layer, variables in layers if variables}
    pairs = [(*own[name], sources[name]) for name in own if name in sources]
    left, unused = [n for n in own if n not in sources], [n for n in sources if n not in own]
    if not pairs and own:
        raise WeightsMismatchError(
            message(
                f"{who}, loaded into {type(model).__name__} '{model.name}' by name",
                "at least one layer with weights must have the name of one in the file",
                f"{listed(list(own))} for {listed(list(sources)) or 'none'} in the file",
                "Give layers the names in the file, or load without by_name=True, by position.",
            )
        )
    if left or unused:
        lines = [f"kept as they are: {listed(left)}"] if left else []
        lines += [f"in the file only: {listed(unused)}"] if unused else []
        warn(
            f"{who}, loaded into '{model.name}' by name: {len(pairs)} layer(s) of the same name. "
            + "; ".join(lines)
            + "."
        )
    return pairs


def pairs_in_order(
    model: Any, file_layers: Sequence[FileLayer], who: str, fix: str = _BY_NAME
) -> list[tuple[Any, Any, FileLayer]]:
    """Layers that have variables with those of a file, by name where all names agree.

    Args:
        fix: What to do where they are not as many.
    Raises:
        WeightsMismatchError: They are not as many.
    """
    layers = [(layer, layer_variables(layer)) for layer in unique_layers(model)]
    layers = [(layer, variables) for layer, variables in layers if variables]
    sources = [layer for layer in file_layers if layer.names]
    if len(layers) != len(sources):
        ours = ", ".join(layer.name for layer, _ in layers[:12])
        theirs = ", ".join(source.name for source in sources[:12])
        raise WeightsMismatchError(
            f"{who} does not fit {type(model).__name__} '{model.name}': the file has "
            f"{len(sources)} layers with weights, the model {len(layers)}.\n"
            f"    file:  {theirs}\n    model: {ours}\n"
            f"  {fix}"
        )
    by_name = {source.name: source for source in sources}
    if len(by_name) == len(sources) and by_name.keys() == {layer.name for layer, _ in layers}:
        # The same names say more than the order, which another way to build the graph changes.
        return [(layer, variables, by_name[layer.name]) for layer, variables in layers]
    return [(layer, variables, source) for (layer, variables), source in zip(layers, sources)]


def plan(
    layer: Any,
    variables: list[Variable],
    source: FileLayer,
    keras_version: str,
    differences: Differences,
    steps: list[LoadStep],
) -> list[int] | None:
    """Add how a layer's variables are set from a file, or why they cannot be.

    Returns:
        The place in the file of each variable; None where one is made of several, or they do not
        fit.
    """
    shapes = [array.shape for array in source.arrays]
    order = order_of(layer, variables, source.names, shapes)
    if order is not None:
        steps.append(_step(variables, [source.arrays[i] for i in order]))
        return order
    recipe = convert(layer, variables, shapes, source.names, keras_version)
    if recipe is not None:
        steps.append(_step(variables, source.arrays, recipe))
        return None
    if len(shapes) != len(variables):
        differences.shapes.append(
            f"{layer.name}   file {len(shapes)} arrays {shapes}   "
            f"model {len(variables)} arrays {[v.shape for v in variables]}"
        )
        return None
    for variable, shape in zip(variables, shapes, strict=True):
        if variable.shape != shape:
            differences.shapes.append(f"{variable.path}   file {shape}   model {variable.shape}")
    return None


def settle(
    differences: Differences, who: str, model: Any, skip_mismatch: bool, is_new: bool = False
) -> None:
    """Raise for what does not fit, or warn of it where it is to be left out.

    Raises:
        WeightsMismatchError: Something does not fit; everything is listed.
    """
    if not differences:
        return
    if not skip_mismatch:
        raise mismatch(who, model, differences, is_new)
    warn(
        f"{who}, loaded into '{model.name}': {differences.counts()}; these were left as they "
        f"are.{differences.lines()}",
    )


def _step(
    variables: list[Variable], sources: Sequence[FileArray], recipe: Recipe | None = None
) -> LoadStep:
    def read() -> list[np.ndarray]:
        arrays = [source.read() for source in sources]
        return arrays if recipe is None else recipe(arrays)

    def assign(arrays: list[np.ndarray]) -> None:
        for variable, values in zip(variables, arrays, strict=True):
            variable.take(values)

    return LoadStep(read, assign)


__all__ = [
    "FileArray", "FileLayer", "LegacyGroup", "collect", "compare", "layer_variables",
    "pairs_in_order", "plan", "restore", "settle", "top_variables", "unique_layers", "unique_names",
    "write", "write_list",
]  # fmt: skip
