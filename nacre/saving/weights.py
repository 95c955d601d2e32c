"""Arrays of a model in a Keras 3 weights file: collect, write, compare, put back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

import h5py
import numpy as np

from nacre.core.dtypes import is_float
from nacre.core.errors import (
    FileFormatError,
    NotBuiltError,
    WeightsMismatchError,
    listed,
    message,
)
from nacre.core.names import without_numbers
from nacre.core.protocols import speaks_for
from nacre.core.random import SeedGenerator
from nacre.core.regions import Content, Region, as_bytes
from nacre.core.variable import Variable
from nacre.core.warning import warn
from nacre.layers.base.layer import Layer
from nacre.models.model import Model
from nacre.optimizers import Nadam, OptaxOptimizer, Optimizer
from nacre.saving import hdf5
from nacre.saving.layout import Entry, entries
from nacre.saving.optimizer_parts import is_of_another_line
from nacre.saving.optimizer_state import fit_state, product_of_momenta
from nacre.training.state import tell_paths

# What Keras 2.11 and 2.12 called the group of a model's layers.
_OLD_LAYERS = "_layer_checkpoint_dependencies"
_METRICS = "metrics"  # the group of what metrics counted


class Store(dict):
    """What `save_own_variables` fills: name -> array, and `attrs` beside."""

    def __init__(self) -> None:
        super().__init__()
        self.attrs: dict[str, Any] = {}


@dataclass(frozen=True)
class _Owned:
    """A group of a weights file: its path, and the name of its owner."""

    path: str
    name: str

    @property
    def place(self) -> str:
        """The group in the file that holds the arrays."""
        return f"{self.path}/vars" if self.path else "vars"

    def made(self, root: h5py.Group) -> h5py.Group:
        """The group, made."""
        inner = root.require_group(self.place)
        inner.attrs["name"] = self.name
        return inner


@dataclass(frozen=True)
class Group(_Owned):
    """One group of a weights file, and its arrays.

    Variables stand for the arrays in them, which are read when they are written.
    """

    arrays: dict[str, np.ndarray | Variable]


@dataclass(frozen=True)
class GroupElsewhere(_Owned):
    """One group of a weights file whose arrays are elsewhere."""

    arrays: dict[str, hdf5.Elsewhere]


def collect(root: Any, optimizer: bool = True) -> list[Group]:
    """The arrays of a model or layer, by group."""
    groups = []
    for entry in entries(root, optimizer):
        arrays = {str(k): _as_array(v) for k, v in _own_values(entry.owner).items()}
        groups.append(Group(entry.path, getattr(entry.owner, "name", ""), arrays))
    return groups


def metrics_of(model: Any) -> list[Any]:
    """Metrics that are attributes of a model and of what is within; those of compile() count anew
    in each epoch."""
    return list(model._inventory().metrics) if hasattr(model, "_inventory") else []


def collect_metrics(model: Any) -> list[Group]:
    """What metrics counted, one group each; Keras passes over these groups."""
    return [
        Group(f"{_METRICS}/{number}", metric.name, {str(i): v for i, v in enumerate(variables)})
        for number, metric in enumerate(metrics_of(model))
        if (variables := list(metric.variables))
    ]


def _metric_steps(model: Any, file: h5py.Group, who: str) -> list[LoadStep]:
    """How metrics get what they had counted, where the file has it for metrics of their shapes."""
    steps: list[LoadStep] = []
    for number, metric in enumerate(metrics_of(model)):
        arrays = hdf5.Arrays(hdf5.subgroup(file, f"{_METRICS}/{number}/vars", who), who)
        variables, names = list(metric.variables), list(arrays)
        numbers = [str(i) for i in range(len(variables))]
        if sorted(names) == sorted(numbers) and all(
            arrays.shape(n) == v.shape for n, v in zip(numbers, variables, strict=True)
        ):

            def read(arrays: hdf5.Arrays = arrays, numbers: list[str] = numbers) -> Any:
                return {n: arrays.numbers(n) for n in numbers}

            steps.append(LoadStep(read, partial(_take, variables)))
    return steps


def _own_values(owner: Any) -> dict[str, Any]:
    if isinstance(owner, SeedGenerator):
        return {"0": owner.state}
    if isinstance(owner, Optimizer):
        if type(owner).save_own_variables is Optimizer.save_own_variables:
            return {str(i): variable for i, variable in enumerate(owner.variables)}
    elif (
        _has_numbered_arrays(owner)
        and owner._adapter is None
        and _is_layers_own(owner, "save_own_variables")
    ):
        return {str(i): variable for i, variable in enumerate(owner._saved_variables())}
    store = Store()
    owner.save_own_variables(store)
    return store


def _as_array(value: Any) -> np.ndarray | Variable:
    return value if isinstance(value, Variable) else np.asarray(value)


def write(root: h5py.Group, groups: list[Group]) -> None:
    """Write groups as Keras 3 lays them out."""
    for group in groups:
        inner = group.made(root)
        for name, values in group.arrays.items():
            hdf5.write_array(inner, name, values)


# Root attribute of nacre's that says how a layer's arrays are ordered: as in Keras by what they
# were made as, trainable or not. Files without it had those first that were trainable at the save.
_ORDER, _AS_MADE = "nacre_array_order", "made trainable first"


def content(
    groups: list[Group], checksums: bool = True, note: Callable[[h5py.Group], object] | None = None
) -> Content:
    """A weights file; an archive around it has checksums of its own.

    Args:
        note: Writes what stands beside the groups.
    """

    def fill(region: Region) -> None:
        with hdf5.Writer(region, checksums) as root:
            write(root, groups)
            root.attrs[_ORDER] = _AS_MADE
            if note is not None:
                note(root)

    return fill


def outline(groups: list[GroupElsewhere], size: int) -> hdf5.Outline:
    """A weights file whose arrays are all elsewhere.

    Args:
        size: Bytes of what they are read from.
    """

    def fill(region: Region) -> None:
        with hdf5.Writer(region, checksums=False) as root:
            for group in groups:
                inner = group.made(root)
                for name, array in group.arrays.items():
                    hdf5.declare_array(inner, name, array)

    arrays = {f"{group.place}/{name}": a for group in groups for name, a in group.arrays.items()}
    return hdf5.Outline(as_bytes(fill), arrays, size)


def compare(file: h5py.Group, groups: list[Group], who: str) -> None:
    """Raise unless a written file holds exactly these arrays.

    Raises:
        FileFormatError: An array is missing or differs.
    """
    for group in groups:
        arrays = hdf5.Arrays(hdf5.subgroup(file, group.place, who), who)
        for name, values in group.arrays.items():
            compare_array(arrays.dataset(name), values, f"{group.place}/{name}", who)


def compare_array(dataset: Any, values: np.ndarray | Variable, place: str, who: str) -> None:
    """Raise unless a dataset has the bytes of an array."""
    refuse_difference(
        None if dataset is None else hdf5.read_array(dataset, who), values, place, who
    )


_COMPARED_BYTES = 4 << 20


def refuse_difference(
    written: np.ndarray | None, values: np.ndarray | Variable, place: str, who: str
) -> None:
    """Raise unless what was read back has the bytes of an array."""
    wanted = hdf5.host_array(values)
    text = wanted.dtype.kind in "OUS"
    if written is None or (not text and not has_bytes_of(written, wanted)):
        raise FileFormatError(
            message(
                who,
                "what was written must be what is in memory",
                f"another array at '{place}'" if written is not None else f"no array at '{place}'",
                "The disk may be full or faulty; the file that was there before is untouched.",
            )
        )


def has_bytes_of(written: np.ndarray, wanted: np.ndarray) -> bool:
    """Whether an array has the bytes of another, whatever its shape.

    Compared eight at a time, and not all at once, which would take memory of its own.
    """
    one, other = (np.frombuffer(hdf5.bytes_of(a), np.uint8) for a in (written, wanted))
    if len(one) != len(other):
        return False
    whole = len(one) // 8 * 8
    words = one[:whole].view(np.uint64), other[:whole].view(np.uint64)
    step = _COMPARED_BYTES // 8
    parts = range(0, len(words[0]), step)
    same = all(np.array_equal(words[0][i : i + step], words[1][i : i + step]) for i in parts)
    return same and bytes(one[whole:]) == bytes(other[whole:])


# -------------------------------------------------------------------- reading


@dataclass
class Differences:
    """Everything that does not fit, gathered before anything is changed."""

    shapes: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    extra: list[str] = field(default_factory=list)
    unbuilt: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.shapes or self.missing or self.unbuilt)

    def counts(self) -> str:
        """Such as `1 shape differs, 2 missing`."""
        parts = []
        if self.shapes:
            one = len(self.shapes) == 1
            parts.append(f"{len(self.shapes)} shape{'' if one else 's'} differ{'s' if one else ''}")
        if self.missing:
            parts.append(f"{len(self.missing)} missing in the file")
        if self.extra:
            parts.append(f"{len(self.extra)} in the file only")
        if self.unbuilt:
            parts.append(f"{len(self.unbuilt)} layers not built")
        return ", ".join(parts)

    def lines(self) -> str:
        """Up to ten of each kind."""
        text = [f"\n    {line}" for line in self.shapes[:10]]
        if len(self.shapes) > 10:
            text.append(f"\n    and {len(self.shapes) - 10} more")
        for label, items in (
            ("missing", self.missing),
            ("in the file only", self.extra),
            ("not built", self.unbuilt),
        ):
            if items:
                text.append(f"\n    {label}: {listed(items)}")
        return "".join(text)


def mismatch(
    who: str, model: Any, differences: Differences, is_new: bool = False
) -> WeightsMismatchError:
    """The error that lists all differences at once.

    Args:
        who: The file.
        model: What its arrays were for.
        differences: What does not fit.
        is_new: Whether the model was made from the same file, so that its user cannot change it.
    """
    if differences.unbuilt and is_new:
        fix = (
            "Give classes of your own a build() that builds the layers within, and a get_config() "
            "with all arguments; or make the model in code, call it, and load_weights(path)."
        )
    elif differences.unbuilt:
        fix = "Build the model first: call it on a batch, or model.build(input_shape)."
    elif is_new:
        fix = (
            "The model in the file is made otherwise now than when it was saved: have a class or "
            "its get_config() changed? Or make the model in code and load_weights(path)."
        )
    else:
        fix = "If parts are new on purpose: model.load_weights(path, skip_mismatch=True)."
    kind = type(model).__name__
    return WeightsMismatchError(
        f"{who} does not fit {kind} '{model.name}': {differences.counts()}."
        f"{differences.lines()}\n  {fix}"
    )


def restore(
    root: Any,
    file: h5py.Group,
    who: str,
    skip_mismatch: bool = False,
    optimizer: bool = False,
    is_new: bool = False,
    is_by_older: bool | None = None,
) -> None:
    """Set all arrays of `root` from a Keras 3 weights file.

    Every shape is compared before the first array is read, so a file that does not fit changes
    nothing, and its sizes are never allocated.

    Args:
        root: A model or layer.
        file: The open file.
        who: Its name, for errors.
        skip_mismatch: Leave out what does not fit, with a warning.
        optimizer: Whether a compiled model's optimizer is restored with it.
        is_new: Whether nobody has seen `root` yet, so that it may be left half-way by an error.
        is_by_older: Whether a nacre wrote it that ordered arrays otherwise; None asks the file.

    Raises:
        WeightsMismatchError: Something does not fit; everything is listed.
        FileFormatError: The file is damaged, or does not tell which array is which.
    """
    if is_by_older is None:
        is_by_older = hdf5.has_attribute(file, hdf5.CHECKSUMS)
    is_by_older = is_by_older and not hdf5.has_attribute(file, _ORDER)
    finder = GroupFinder(file, who)
    differences = Differences()
    steps: list[LoadStep] = []
    found = entries(root, optimizer=False)
    finder.resolve(found)
    for entry in found:
        _plan(entry, finder, who, differences, steps, is_by_older)
    differences.extra = finder.unclaimed_arrays()
    if differences and not skip_mismatch:
        raise mismatch(who, root, differences, is_new)
    if (differences or differences.extra) and (skip_mismatch or differences.extra):
        warn(
            f"{who}, loaded into '{root.name}': {differences.counts()}; these were left as they "
            f"are.{differences.lines()}",
        )
    if optimizer:
        steps += _optimizer_steps(root, file, who)
    if is_new:
        steps += _metric_steps(root, file, who)
    run_steps(steps, is_new, partial(hdf5.settle, file))


# Arrays up to this many bytes are held in memory until all have been read.
_MAX_BUFFERED_BYTES = 1 << 30


@dataclass(frozen=True)
class LoadStep:
    """Some variables that are set from a file, in two parts: read, then set.

    Attributes:
        read: Gives the arrays as a dict, a list or a mapping of the file; raises when they are
            damaged.
        assign: Sets the variables.
    """

    read: Callable[[], Any]
    assign: Callable[[Any], object]


def run_steps(
    steps: list[LoadStep], is_new: bool = False, settle: Callable[[], object] | None = None
) -> None:
    """Read the arrays of all steps before the first variable is set.

    What is damaged in the middle of a file changes nothing so. Of arrays that are too many to hold,
    the rest is read twice. With `is_new` each is set as it is read, as what is half-way is dropped.
    `settle` waits until what was read has been compared with its checksums.
    """
    if is_new:
        for step in steps:
            step.assign(step.read())
        if settle is not None:
            settle()
        return
    buffered: list[Any] = []
    bytes_left = _MAX_BUFFERED_BYTES
    for step in steps:
        values = step.read()
        if isinstance(values, hdf5.Arrays):  # a class of the user's picks from them
            values.check()
        else:
            arrays = values.values() if isinstance(values, dict) else values
            bytes_left -= sum(array.nbytes for array in arrays)
        buffered.append(values if bytes_left >= 0 else None)
    if settle is not None:
        settle()
    for index, step in enumerate(steps):
        values, buffered[index] = buffered[index], None
        step.assign(step.read() if values is None else values)


def _plan(
    entry: Entry,
    finder: GroupFinder,
    who: str,
    differences: Differences,
    steps: list[LoadStep],
    is_by_older: bool,
) -> None:
    owner, group = entry.owner, finder.group(entry)
    arrays = hdf5.Arrays(group, who)
    if isinstance(owner, SeedGenerator):
        dataset = arrays.dataset("0")
        if dataset is not None and hdf5.shape_of(dataset) == owner.state.shape:
            steps.append(
                LoadStep(lambda: [arrays.numbers("0")], lambda a: owner.state.assign(a[0]))
            )
        return
    if isinstance(owner, Optimizer):  # one that is an attribute of a layer
        values = list(arrays)
        if owner.built and len(values) == len(owner.variables):
            steps.append(LoadStep(lambda: arrays, owner.load_own_variables))
        return
    if not _has_numbered_arrays(owner):
        steps.append(LoadStep(lambda: arrays, owner.load_own_variables))
        return
    variables = owner._saved_variables()
    names = list(arrays)
    if not owner.built and names and not variables:
        differences.unbuilt.append(entry.path or owner.name)
        return
    if is_by_older:
        variables = _in_older_order(owner, variables, arrays, who)
    fits = True
    for index, variable in enumerate(variables):
        dataset = arrays.dataset(str(index))
        if dataset is None:
            differences.missing.append(variable.path)
            fits = False
        elif hdf5.shape_of(dataset) != variable.shape:
            shape = hdf5.shape_of(dataset)
            differences.shapes.append(f"{variable.path}   file {shape}   model {variable.shape}")
            fits = False
        elif hdf5.is_int8(dataset) and is_float(variable.own_dtype):
            # Whole numbers of a quantized weight: as floats they would be far too large.
            differences.shapes.append(f"{variable.path}   file int8   model {variable.own_dtype}")
            fits = False
        else:
            hdf5.check_dataset(dataset, who)
    for name in names:
        if not name.isdigit() or int(name) >= len(variables):
            differences.extra.append(f"{entry.path}/vars/{name}".lstrip("/"))
    if fits and variables:
        chosen = [str(i) for i in range(len(variables))]
        is_plain = owner._adapter is None and _is_layers_own(owner, "load_own_variables")
        take = partial(_take, variables) if is_plain else owner.load_own_variables
        steps.append(LoadStep(lambda: {n: arrays.numbers(n) for n in chosen}, take))


def _in_older_order(
    owner: Any, variables: list[Variable], arrays: hdf5.Arrays, who: str
) -> list[Variable]:
    """Variables in the order of an older file, which shapes must tell: what was trainable first.

    Raises:
        FileFormatError: They do not.
    """
    places = {id(v): i for i, v in enumerate(owner._own_variables)}
    made = sorted(variables, key=lambda v: places.get(id(v), len(places)))
    older = sorted(made, key=lambda v: not v.trainable)
    if [id(v) for v in older] == [id(v) for v in variables]:
        return variables

    def fits(order: list[Variable]) -> bool:
        found = [arrays.dataset(str(i)) for i in range(len(order))]
        return all(
            dataset is not None and hdf5.shape_of(dataset) == variable.shape
            for dataset, variable in zip(found, order, strict=True)
        )

    if not (fits(older) and fits(variables)):
        return older if fits(older) else variables
    names = [v.name for v in variables if v.trainable is not v.made_trainable]
    raise FileFormatError(
        message(
            f"{who}, {owner._who()}",
            "a file must tell which array is which variable, and older ones of nacre had those "
            "first that were trainable",
            f"variables of one shape, of which trainable was set later: {listed(names)}",
            "Make them so at once, add_weight(..., trainable=False), or load before it is set; "
            "then save anew.",
        )
    )


def _take(variables: list[Variable], arrays: dict[str, np.ndarray]) -> None:
    """Set variables from arrays that were read for them alone."""
    for index, variable in enumerate(variables):
        variable.take(arrays[str(index)])


def _has_numbered_arrays(owner: Any) -> bool:
    """Whether arrays 0, 1, ... of the file are the owner's variables in order."""
    methods = ("save_own_variables", "load_own_variables")
    says = [speaks_for(owner, "saves_by_number", method) for method in methods]
    return all(says) and bool(owner.saves_by_number)


def _is_layers_own(owner: Any, method: str) -> bool:
    """Whether it is the layer's method, and not one that does more beside, as Normalization's."""
    return getattr(type(owner), method, None) is getattr(Layer, method)


class GroupFinder:
    """Finds the group of each entry in a file, and knows which groups nobody asked for.

    Elements of a container are numbered by class. Where the file tells the names of all elements
    and they are the model's, names decide instead: they survive another order of layers.
    """

    def __init__(self, file: h5py.Group, who: str) -> None:
        self._file = file
        self._who = who
        self._resolved: dict[str, str] = {"": ""}
        self._claimed: set[tuple[int, int]] = set()
        names = hdf5.member_names(file, who)
        self._is_old = _OLD_LAYERS in names
        self._backslashes = any("\\" in name for name in names)

    def resolve(self, found: list[Entry]) -> None:
        """Decide the path in the file of every entry."""
        members: dict[str, list[Entry]] = {}
        for entry in found:
            if entry.container is not None:
                members.setdefault(entry.container, []).append(entry)
        seen: set[str] = set()
        for entry in found:
            if entry.container is not None and entry.container not in seen:
                seen.add(entry.container)
                self._resolve_by_names(entry.container, members[entry.container])
            if entry.path not in self._resolved:
                self._resolved[entry.path] = self._resolved_path(entry.path)

    def _resolved_path(self, path: str) -> str:
        parts = path.split("/")
        for count in range(len(parts) - 1, -1, -1):
            beginning = "/".join(parts[:count])
            if beginning in self._resolved:
                rest = "/".join(parts[count:])
                return f"{self._resolved[beginning]}/{rest}".lstrip("/")
        return path

    def _resolve_by_names(self, container: str, members: list[Entry]) -> None:
        place = self._resolved_path(container)
        group = self._open_group(place)
        if group is None:
            return
        names: dict[str, str] = {}
        for child_name in hdf5.member_names(group, self._who):
            inner = hdf5.subgroup(group, f"{child_name}/vars", self._who)
            name = None if inner is None else hdf5.text_attribute(inner, "name")
            if name is None or name in names:
                return
            names[name] = child_name
        wanted = [entry.owner.name for entry in members]
        if len(set(wanted)) == len(wanted) and set(wanted) == set(names):
            for entry in members:
                self._resolved[entry.path] = f"{place}/{names[entry.owner.name]}"

    def _open_group(self, path: str) -> h5py.Group | None:
        if not path:
            return self._file
        found = hdf5.subgroup(self._file, path, self._who)
        if found is None and self._is_old:
            found = hdf5.subgroup(self._file, path.replace("layers", _OLD_LAYERS, 1), self._who)
        if found is None:
            # tf.keras 2 calls some layers within others `_key_dense` where Keras 3 has `key_dense`.
            parent, _, name = path.removesuffix("/vars").rpartition("/")
            inner = f"{parent}/_{name}" + ("/vars" if path.endswith("/vars") else "")
            found = hdf5.subgroup(self._file, inner.lstrip("/"), self._who)
        if found is None and self._backslashes:
            # Keras 2.12 on Windows wrote whole paths as names, with backslashes.
            found = hdf5.subgroup(self._file, path.replace("/", "\\"), self._who)
        return found

    def place(self, entry: Entry) -> str:
        """Where the file has an entry, whether it is there or not."""
        return self._resolved.get(entry.path, entry.path)

    def group(self, entry: Entry) -> h5py.Group | None:
        """The `vars` group of an entry."""
        place = self.place(entry)
        found = self._open_group(f"{place}/vars".lstrip("/"))
        if found is not None:
            self._claimed.add(hdf5.address(found, self._who))
        elif isinstance(entry.owner, SeedGenerator):
            # Keras keeps the state under the generator's attribute or under `seed_generator`.
            return None
        return found

    def unclaimed_arrays(self) -> list[str]:
        """Arrays that no layer has, without those of optimizers, metrics and seeds."""
        found: list[str] = []
        for path, item in hdf5.walk(self._file, self._who, self._is_ignored):
            if isinstance(item, h5py.Dataset):
                found.append(path)
        return found

    def _is_ignored(self, name: str, group: h5py.Group) -> bool:
        others = name.startswith(("optimizer", "metrics", "seed_generator"))
        return others or hdf5.address(group, self._who) in self._claimed


def optimizer_and_state(
    model: Any, file: h5py.Group, name: str, who: str
) -> tuple[Optimizer, h5py.Group] | None:
    """A compiled model's optimizer, built, and the group of its state; None unless both exist."""
    optimizer = getattr(model, "optimizer", None)
    group = hdf5.subgroup(file, name, who)
    if not isinstance(optimizer, Optimizer) or group is None:
        return None
    if not optimizer.built:
        tell_paths(model, optimizer)
        optimizer.build(model.trainable_variables)
    return optimizer, group


def restore_optimizer(model: Any, file: h5py.Group, who: str) -> None:
    """Set the state of a compiled model's optimizer; warn when the file's does not fit."""
    run_steps(_optimizer_steps(model, file, who), settle=partial(hdf5.settle, file))


def _optimizer_steps(model: Any, file: h5py.Group, who: str) -> list[LoadStep]:
    found = optimizer_and_state(model, file, "optimizer/vars", who)
    if found is None:
        return []
    optimizer, group = found
    arrays = hdf5.Arrays(group, who)
    inner = hdf5.subgroup(file, "optimizer/inner_optimizer/vars", who)
    if inner is not None and len(arrays) != len(optimizer.variables):
        # Keras writes the state of its automatic loss scaling, and the config without it.
        arrays, group = hdf5.Arrays(inner, who), inner
    innermost = optimizer
    while isinstance(within := getattr(innermost, "inner_optimizer", None), Optimizer):
        innermost = within
    # Those of one shape differ in meaning: Adam's second moment is not Adamax's norm. Keras and
    # nacre write the optimizer's name, which is its class's unless the user gave another.
    names = (hdf5.text_attribute(of, "name") for of in (inner, group) if of is not None)
    name = without_numbers(next(names, None) or "")
    is_own = name == without_numbers(innermost.name)  # a class of the user's called Adam
    if not is_own and is_of_another_line(name, innermost):
        warn(
            message(
                who,
                f"the state of optimizer '{optimizer.name}' must be of its kind, so it was left "
                "out and training starts with a fresh state",
                f"that of '{name}'",
                "To go on exactly, compile with the optimizer the file was saved with.",
            ),
        )
        return []
    return optimizer_steps(optimizer, arrays, list(arrays), who)


class StoredArrays(Protocol):
    """Arrays of a file by name, whose shapes are known before they are read."""

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of one."""
        ...

    def numbers(self, name: str) -> np.ndarray:
        """Its numbers."""
        ...


def optimizer_steps(
    optimizer: Optimizer,
    arrays: StoredArrays,
    keys: list[str],
    who: str,
    names: list[str] | None = None,
) -> list[LoadStep]:
    """How an optimizer's variables are set from arrays called `keys`, in file order.

    Args:
        optimizer: A built optimizer.
        arrays: Its group in the file.
        keys: Names in the group.
        who: The file, for errors.
        names: What the variables were called, where `keys` tell it.
    """
    if isinstance(optimizer, OptaxOptimizer) and not optimizer.built:
        return [LoadStep(lambda: [arrays.numbers(key) for key in keys], optimizer.keep_state)]
    shapes = [arrays.shape(key) for key in keys]
    order = fit_state(optimizer, shapes, names)
    inner = getattr(optimizer, "inner_optimizer", None)
    if order is None and isinstance(inner, Optimizer):
        # tf.keras 2 writes nothing of its loss scaling.
        order = fit_state(inner, shapes, names)
        optimizer = optimizer if order is None else inner
    if order is None:
        warn(
            message(
                who,
                f"the state of optimizer '{optimizer.name}' must have {len(optimizer.variables)} "
                "arrays of its shapes, so it was left out and training starts with a fresh state",
                f"{len(keys)} arrays",
                "To go on exactly, compile with the optimizer the file was saved with.",
            ),
        )
        return []
    pairs = list(zip(optimizer.variables, order, strict=True))

    def read() -> list[np.ndarray]:
        return [arrays.numbers(keys[source]) for _, source in pairs if isinstance(source, int)]

    def assign(found: list[np.ndarray]) -> None:
        values = iter(found)
        for variable, source in pairs:
            if isinstance(source, int):
                variable.take(next(values))
            elif source == "variable" and isinstance(optimizer, Nadam):
                variable.assign(product_of_momenta(optimizer, int(optimizer.iterations.numpy())))

    return [LoadStep(read, assign)]


def require_built(model: Any, who: str) -> None:
    """Raise when a model has no variables to load into."""
    is_built = model.built or (isinstance(model, Model) and model._has_all_variables())
    if not is_built:
        raise NotBuiltError(
            message(
                who,
                f"{type(model).__name__} '{model.name}' must be built before weights are read",
                "a model without variables" if not model.weights else "one with parts that are not",
                "Call it on a batch first, or model.build((None, ...)).",
            )
        )


__all__ = [
    "Differences", "Group", "GroupFinder", "LoadStep", "Store", "collect", "collect_metrics",
    "compare", "compare_array", "content", "metrics_of", "mismatch", "optimizer_steps",
    "refuse_difference", "require_built", "restore", "restore_optimizer", "run_steps", "write",
]  # fmt: skip
