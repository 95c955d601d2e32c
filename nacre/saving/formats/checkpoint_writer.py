"""Write the weights of a model as a checkpoint of TensorFlow, for tf.keras and for `load_weights`.

The graph of objects has what tf.keras 2.15.1 finds its own by: layers of a model with a graph by
their number, all else by attribute; a variable that no attribute holds by its name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from nacre.core import temporary
from nacre.core.atomic import write_file
from nacre.core.errors import ArgumentError, FileFormatError, message
from nacre.core.regions import Region
from nacre.core.save_turn import one_save_at_a_time
from nacre.core.variable import Variable
from nacre.core.wire.bundle import Bundle, Stored, files_of, write_data
from nacre.core.wire.tensorflow.objects import (
    OBJECTS,
    TrackableObject,
    TrackableObjectGraph,
    key_of,
    trackable,
)
from nacre.layers.base.layer import Layer
from nacre.metrics import Metric
from nacre.models import Model, Sequential
from nacre.optimizers import Optimizer
from nacre.saving import seeds
from nacre.saving.checkpoint_optimizer import OWN_LIST
from nacre.saving.legacy_layout import unique_layers
from nacre.saving.optimizer_parts import ACCUMULATOR, LOSS_SCALE, SCALARS, Held, held_by
from nacre.saving.weights import refuse_difference

_MAX_SHARDS = 100_000  # names have five digits
_COUNTER = SCALARS["iteration"][0]
_COUNTED = (_COUNTER, SCALARS[f"{LOSS_SCALE}step_counter"][0])
COUNTERS = {f"optimizer/{_COUNTER}", f"optimizer/{SCALARS[f'{LOSS_SCALE}step_counter'][0]}"}
# Attributes under which nacre itself keeps layers and variables, and tf.keras does not.
_OWN = frozenset("_layers _graph_layers _own_variables _trainer _functional optimizer".split())


@dataclass
class Found:
    """A node of the graph.

    Attributes:
        path: How it was reached, as the keys of arrays have it.
        slots: (name of a slot, the variable's place, the slot's place), of an optimizer.
        thing: What it is; None for what only a file has.
        is_counter: Whether it is written with 64 bits, as TensorFlow counts.
    """

    path: str
    children: list[tuple[str, int]] = field(default_factory=list)
    slots: list[tuple[str, int, int]] = field(default_factory=list)
    variable: Variable | None = None
    name: str = ""
    thing: Any = None
    is_counter: bool = False

    def content(self) -> TrackableObject:
        key = None if self.variable is None else key_of(self.path)
        return trackable(self.children, self.name, key, self.slots)


def save(model: Any, path: Path, who: str, verify: bool = True) -> None:
    """Write a model's weights, and the optimizer's state of a compiled one.

    The data is in place before the index that tells of it. A checkpoint of the same name keeps its
    data until then, as the new one's is called otherwise: `-00001-of-00002` where that was
    `-00000-of-00001`, and the other way round. The index says which it is.

    Raises:
        FileFormatError: What was written differs from memory.
        ArgumentError: TensorFlow has no dtype for an array, or a layer holds a model it is in.
    """
    optimizer = getattr(model, "optimizer", None)
    graph = Objects(who)
    graph.add(model, "")
    if isinstance(optimizer, Optimizer) and getattr(model, "compiled", False):
        graph.add_optimizer(optimizer, model)
    graph.add_seeds(model)
    write(graph.arrays(), path, who, verify)
    write_state(path.parent, [path.name], who)


def save_objects(root: Any, path: Path, who: str) -> None:
    """Write a checkpoint of an object: the variables, layers, models and optimizers it holds.

    Args:
        root: It tells what it holds, `_children_in_checkpoints()`.
        path: The beginning of the files' names.
        who: What errors call it.
    """
    graph = Objects(who, with_optimizers=True)
    graph.add(root, "")
    graph.add_waiting_optimizers(root)
    write(graph.arrays(), path, who)


def write_state(
    folder: Path, names: Sequence[str], who: str, times: Sequence[float] = (), kept_at: float = 0
) -> None:
    """Write the file `checkpoint` of a folder, which tells the newest and those before it.

    Args:
        folder: The folder.
        names: The beginnings of files' names, the newest last.
        who: What errors call it.
        times: When each was written, in seconds since 1970; none for a writer that keeps no count.
        kept_at: When the last one was written that is kept for good.
    """
    quoted = [name.replace("\\", "\\\\").replace('"', '\\"') for name in names]
    lines = [f'model_checkpoint_path: "{quoted[-1]}"']
    lines += [f'all_model_checkpoint_paths: "{name}"' for name in quoted]
    lines += [f"all_model_checkpoint_timestamps: {seconds!r}" for seconds in times]
    if times:
        lines.append(f"last_preserved_timestamp: {kept_at!r}")
    content = "".join(f"{line}\n" for line in lines).encode()
    write_file(folder / "checkpoint", content, partial(_check, content=content, who=who))


def write(arrays: Mapping[str, Stored], path: Path, who: str, verify: bool = True) -> None:
    """Write the files of a checkpoint, when no other save writes into the folder."""
    with one_save_at_a_time(path.parent):
        _write(arrays, path, who, verify)


def _write(arrays: Mapping[str, Stored], path: Path, who: str, verify: bool) -> None:
    index_file, _ = files_of(path)
    old = _data_files(path)
    shards = 2 if files_of(path)[1] in old else 1
    data_file = files_of(path, shards - 1, shards)[1]
    written: list[tuple[bytes, dict[str, int]]] = []

    def fill(region: Region) -> None:
        written.append(write_data(region, arrays, shards - 1, shards))

    def check(file: Path) -> None:
        _compare(file, arrays, written[-1][1], who)

    try:
        write_file(data_file, fill, check if verify else None, part_of=index_file)
    except ValueError as error:
        raise ArgumentError(
            message(who, "a checkpoint's arrays must be of TensorFlow's dtypes", str(error))
        ) from None
    index = written[-1][0]
    try:
        write_file(index_file, index, partial(_check, content=index, who=who), part_of=index_file)
    except BaseException:
        if data_file not in old:
            temporary.remove(data_file)
        raise
    for file in old - {data_file}:
        temporary.remove(file)


def _data_files(path: Path) -> set[Path]:
    """The files of data of the checkpoint that is there; none where it cannot be read."""
    try:
        shards = Bundle(path).shards
    except (ValueError, OSError):
        return set()
    if not 0 < shards <= _MAX_SHARDS:
        return set()
    files = {files_of(path, shard, shards)[1] for shard in range(shards)}
    return {file for file in files if file.is_file()}


def _compare(file: Path, arrays: Mapping[str, Stored], begins: Mapping[str, int], who: str) -> None:
    """Raise unless a written file of data holds exactly these arrays."""
    with open(file, "rb", buffering=0) as opened:
        region = Region(opened)
        for name, begin in begins.items():
            value = arrays[name]
            if isinstance(value, bytes):
                continue
            wanted = value() if callable(value) else value
            found = np.empty(wanted.shape, wanted.dtype)
            region.seek(begin)
            region.readinto(found.reshape(-1).view(np.uint8))
            refuse_difference(found, wanted, name, who)


def _check(source: Any, content: bytes, who: str) -> None:
    """Raise unless a written file holds exactly these bytes."""
    if Path(source).read_bytes() != content:
        raise FileFormatError(
            message(
                who,
                "what was written must be what is in memory",
                f"other bytes in '{Path(source).name}'",
                "The disk may be full or faulty.",
            )
        )


class Objects:
    """The objects of a model, each once.

    Args:
        who: What errors call it.
        with_optimizers: Whether a compiled model brings its optimizer.
    """

    def __init__(self, who: str, with_optimizers: bool = False) -> None:
        self.objects: list[Found] = []
        self._with_optimizers = with_optimizers
        self._who = who
        self._places: dict[int, int] = {}
        self._open: set[int] = set()  # ids of what is being added, with all within
        self._waiting: list[tuple[Optimizer, Found]] = []  # until all they may train is there

    def arrays(self) -> dict[str, Stored]:
        """The values of all variables, and the graph itself, by the keys of a checkpoint."""
        arrays: dict[str, Stored] = {}
        for found in self.objects:
            if found.variable is not None:
                value: Stored = found.variable.on_host
                if found.path in COUNTERS or found.is_counter:
                    value = found.variable.numpy().astype("int64")  # as in TensorFlow
                arrays[key_of(found.path)] = value
        graph = TrackableObjectGraph(nodes=[found.content() for found in self.objects])
        arrays[OBJECTS] = graph.write()
        return arrays

    def add(self, thing: Any, path: str) -> int:
        """Add an object and all within it; gives its place."""
        if id(thing) in self._open:
            raise ArgumentError(
                message(
                    self._who,
                    "no layer may hold a model or layer that it is in, whose weights would be its "
                    "own",
                    f"'{path}'",
                    "Write another format, save_weights('name.weights.h5').",
                )
            )
        place = self._places.get(id(thing))
        if place is not None:
            return place
        place = self._places[id(thing)] = len(self.objects)
        found = Found(path, thing=thing)
        self.objects.append(found)
        if isinstance(thing, Variable):
            found.variable, found.name = thing, thing.path
            found.is_counter = getattr(thing, "_is_counter", False)
            return place
        if isinstance(thing, Optimizer):
            self._waiting.append((thing, found))
            return place
        self._open.add(id(thing))
        for name, child in _children(thing):
            found.children.append((name, self.add(child, _joined(path, name))))
        optimizer = _optimizer_of(thing) if self._with_optimizers else None
        if optimizer is not None:
            place = self.add(optimizer, _joined(path, "optimizer"))
            found.children.append(("optimizer", place))
            place = self._places[id(thing)]
        self._open.discard(id(thing))
        return place

    def add_optimizer(self, optimizer: Optimizer, model: Any) -> None:
        """Add the state of an optimizer, as the attribute of the model."""
        top = Found("optimizer")
        self.objects[0].children.append(("optimizer", self._new(top)))
        self._fill_optimizer(top, optimizer, model)

    def add_waiting_optimizers(self, root: Any) -> None:
        """Add the states of optimizers that were met among the objects of `root`."""
        for optimizer, top in self._waiting:
            self._fill_optimizer(top, optimizer, root)

    def _fill_optimizer(self, top: Found, optimizer: Optimizer, model: Any) -> None:
        begin = top.path
        found = [
            held for held in held_by(optimizer) if held.of is None or id(held.of) in self._places
        ]
        places: dict[int, int] = {}  # id of a variable -> its place, in the order of the list
        ours = {id(held.variable) for held in found}
        listed_for_keras = [
            held for held in listed_by_keras(optimizer, model) if id(held.variable) in ours
        ]
        for number, held in enumerate(listed_for_keras):
            path = f"{begin}/_variables/{number}"
            if held.of is None:
                path = f"{begin}/{held.names[0]}"
            places[id(held.variable)] = self._new(self._variable(held, path))
        top.children.append(("_variables", self._new(_listing(f"{begin}/_variables", places))))
        for number, held in enumerate(found):
            if id(held.variable) not in places:
                path = next(iter(held.attributes), f"{OWN_LIST}/{number}")
                place = self._new(self._variable(held, f"{begin}/{path}"))
                places[id(held.variable)] = place
        trained = dict.fromkeys(id(h.of) for h in listed_for_keras if h.of is not None)
        numbers = {key: number for number, key in enumerate(trained)}
        for held in found:
            if held.is_unused and id(held.of) in numbers:  # tf.keras looks for these, too
                path = f"_{held.names[0]}/{numbers[id(held.of)]}"
                self._add_below(top, path, places[id(held.variable)])
        in_order = {id(h.variable): places[id(h.variable)] for h in found}
        if self._with_optimizers and all(_has_place_in_keras(h) or h.attributes for h in found):
            for held in found:  # tf.keras has a place for everything, and takes all of the file
                if held.of is None and held.attributes:
                    self._add_below(top, held.names[0], in_order[id(held.variable)])
            return
        own_list = _listing(f"{begin}/{OWN_LIST}", in_order)
        top.children.append((OWN_LIST, self._new(own_list)))
        for held in found:
            place = in_order[id(held.variable)]
            if held.of is not None:  # tf.keras refuses an optimizer with slots
                own_list.slots.append((held.names[0], self._places[id(held.of)], place))
            elif held.attributes:
                self._add_below(top, held.names[0], place)

    def add_seeds(self, model: Any) -> None:
        """Add the seeds of layers, as a list that tf.keras passes over."""
        places: dict[int, int] = {}
        for number, (path, state) in enumerate(seeds.seeds_of(model).items()):
            made = Found(f"{seeds.NAME}/{number}", variable=state, name=path)
            places[number] = self._new(made)
        if places:
            self.objects[0].children.append((seeds.NAME, self._new(_listing(seeds.NAME, places))))

    def _add_below(self, holder: Found, path: str, place: int) -> None:
        """Add an object under an attribute, such as `loss_scale/good_steps`."""
        first, slash, rest = path.partition("/")
        if not slash:
            holder.children.append((first, place))
            return
        known = dict(holder.children)
        if first not in known:
            known[first] = self._new(Found(f"{holder.path}/{first}"))
            holder.children.append((first, known[first]))
        self._add_below(self.objects[known[first]], rest, place)

    def _new(self, made: Found) -> int:
        self.objects.append(made)
        return len(self.objects) - 1

    def _variable(self, held: Held, path: str) -> Found:
        is_counter = held.of is None and held.names[0] in _COUNTED
        return Found(path, variable=held.variable, name=held.full_name, is_counter=is_counter)


def _listing(path: str, places: Mapping[int, int]) -> Found:
    """A list of variables."""
    return Found(path, [(str(number), place) for number, place in enumerate(places.values())])


def _optimizer_of(thing: Any) -> Optimizer | None:
    """The optimizer that a model was compiled with."""
    optimizer = getattr(thing, "optimizer", None) if isinstance(thing, Model) else None
    is_compiled = isinstance(optimizer, Optimizer) and getattr(thing, "compiled", False)
    return optimizer if is_compiled else None


def listed_by_keras(optimizer: Optimizer, model: Any) -> list[Held]:
    """The variables of an optimizer that tf.keras 2.15 lists, in its order."""
    return [held for held in _as_listed(held_by(optimizer), model) if _has_place_in_keras(held)]


def _has_place_in_keras(held: Held) -> bool:
    """Whether tf.keras lists a variable: its number of updates, and slots."""
    if held.of is None:
        return held.names[0] == _COUNTER
    return held.name != ACCUMULATOR and "/" not in held.name and not held.is_unused


def _as_listed(found: list[Held], model: Any) -> list[Held]:
    """An optimizer's variables in the order that tf.keras has of the variables they are for.

    What is for all trainable variables stands together, such as all averages, and then both momenta
    of each one.
    """
    order = {id(variable): index for index, variable in enumerate(_in_order(model))}
    blocks: list[list[Held]] = [[]]
    seen: dict[int, int] = {}  # id of a trainable variable -> its number in this block
    last = -1
    for held in found:
        number = -1 if held.of is None else seen.setdefault(id(held.of), len(seen))
        if number < last or held.of is None:
            blocks.append([])
            seen = {} if held.of is None else {id(held.of): 0}
            number = 0
        last = number
        blocks[-1].append(held)
    return [
        held
        for block in blocks
        for held in sorted(block, key=lambda held: order.get(id(held.of), len(order)))
    ]


def _in_order(thing: Any) -> Iterator[Variable]:
    """All variables; a model's own come behind those of its layers, in tf.keras."""
    if isinstance(thing, Variable):
        yield thing
        return
    children = [child for _, child in _children(thing)]
    if isinstance(thing, Model):
        children.sort(key=lambda child: isinstance(child, Variable))
    elif isinstance(thing, Layer):
        children.sort(key=lambda child: not isinstance(child, Variable))
    for child in children:
        yield from _in_order(child)


def _joined(path: str, name: str) -> str:
    escaped = name.replace(".", "..").replace("/", ".S")
    return f"{path}/{escaped}" if path else escaped


def _children(thing: Any) -> Iterator[tuple[str, Any]]:
    """What a layer, a model or a container holds, by the names that tf.keras has for it."""
    if hasattr(thing, "_children_in_checkpoints"):
        found = thing._children_in_checkpoints()
        yield from ((name, value) for name, value in found.items() if is_kept(value))
        return
    if isinstance(thing, Metric):
        yield from ((variable.name, variable) for variable in thing.variables)
        return
    if isinstance(thing, Optimizer):
        return
    if isinstance(thing, Mapping):
        yield from ((str(key), value) for key, value in thing.items() if is_kept(value))
        return
    if isinstance(thing, list | tuple):
        yield from ((str(i), value) for i, value in enumerate(thing) if is_kept(value))
        return
    if isinstance(thing, Sequential) or (isinstance(thing, Model) and thing._graph is not None):
        with_weights = 0
        for number, layer in enumerate(unique_layers(thing)):
            if layer.weights:
                yield f"layer_with_weights-{with_weights}", layer
                with_weights += 1
            yield f"layer-{number}", layer
    held: set[int] = set()
    theirs: Mapping[str, str] = getattr(type(thing), "names_in_tf_keras", {})
    for name, value in vars(thing).items():
        if name not in _OWN and _is_held(value):
            held.add(id(value))
            yield theirs.get(name, name), value
    for variable in thing._direct_variables():
        if id(variable) not in held:
            yield theirs.get(variable.name, variable.name), variable


def children_of_object(thing: Any) -> Iterator[tuple[str, Any]]:
    """What an object holds: variables, layers, and others that hold some, each by its name."""
    for name, child in _children(thing):
        if not isinstance(child, Optimizer):
            yield name, child


def _is_held(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(_is_held(element) for element in value.values())
    if isinstance(value, list | tuple):
        return any(_is_held(element) for element in value)
    return isinstance(value, Layer | Variable)


def is_kept(value: Any) -> bool:
    """Whether a checkpoint of objects has a place for a value."""
    if isinstance(value, Mapping):
        return any(map(is_kept, value.values()))
    if isinstance(value, list | tuple):
        return any(map(is_kept, value))
    known = isinstance(value, Layer | Variable | Optimizer | Metric)
    return known or hasattr(type(value), "_children_in_checkpoints")


__all__ = [
    "COUNTERS",
    "Found",
    "Objects",
    "children_of_object",
    "is_kept",
    "save",
    "save_objects",
    "write",
    "write_state",
]
