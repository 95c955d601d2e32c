"""The outputs of a model: their names, and which part of a structure belongs to each of them.

Losses, weights, metrics, targets and sample weights come in the structure of the predictions, as a
flat list, as a dict by name, or as one thing for all outputs. Here is what each of these means.
"""

# What only training asks of a model has a leading underscore, out of the way of people.
# pyright: reportPrivateUsage=false

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from nacre.core import tree
from nacre.core.errors import ArgumentError, LossInputError, NacreError, message, nearest
from nacre.core.kinds import is_dict, is_list


@dataclass(frozen=True)
class Place:
    """Where one output is in what a model returns.

    Attributes:
        name: What dicts and messages call it: its key, the layer it comes from, or its number.
        path: Keys and numbers that lead to it.
        prefix: What the names of its metrics begin with in logs; None where it has no name.
    """

    name: str
    path: tuple[Any, ...]
    prefix: str | None

    def loss_name(self, loss: str) -> str:
        """Its loss's name in logs, as Keras has it: keys and numbers on the way, then its name.

        Args:
            loss: The name of its loss, for an output in a list that no layer has a name for.
        """
        last = self.path[-1] if self.path else None
        if not isinstance(last, str):
            last = loss if self.prefix is None else self.name
        return "/".join([*map(str, self.path[:-1]), f"{last}_loss"])


class Outputs:
    """The outputs of a model, in flat order.

    Args:
        model: Its layers give names to outputs in lists.
        predictions: What it returned: arrays, or anything with shape and dtype.

    Raises:
        LossInputError: It returned no tensors.
    """

    def __init__(self, model: Any, predictions: Any) -> None:
        paths = tree.flatten_with_path(predictions)
        if not paths or any(leaf is None for _, leaf in paths):
            raise LossInputError(
                message(
                    f"{model._who()}.call",
                    "a model with a loss must return tensors",
                    repr(predictions)[:60],
                    "Is its `return` missing?",
                )
            )
        self.who: str = model._who()
        self.places = _places(
            [path for path, _ in paths], is_dict(predictions), _names_of_layers(model, len(paths))
        )
        self.names = [place.name for place in self.places]
        self._structure = tree.pack_sequence_as(predictions, range(len(paths)))

    def __len__(self) -> int:
        return len(self.places)

    @property
    def shown(self) -> str:
        """Their names in their structure, for messages."""
        if all(len(place.path) < 2 for place in self.places):
            return str(self.names)
        return str(tree.pack_sequence_as(self._structure, self.names))

    # ------------------------------------------------------------ what compile was given

    def losses(self, given: Any) -> list[Any]:
        """The loss of each output, None where it has none.

        Raises:
            ArgumentError: Keys or lengths that are not those of the outputs.
        """
        return self._each(given, _Asked("loss", f"{self.who}.compile"))

    def loss_weights(self, given: Any) -> list[Any]:
        """The weight of each output's loss, None where none was given; as for `losses`."""
        return self._each(given, _Asked("loss_weights", f"{self.who}.compile"))

    def metrics(self, given: Any, what: str) -> list[list[Any]]:
        """The metrics of each output.

        A list as long as the outputs has one entry for each, as in Keras 3; one of another length,
        which Keras 3 refuses, is for each output, as in tf.keras 2.
        """
        found = self._each(given, _Asked(what, f"{self.who}.compile", takes_lists=True))
        return [list(_flat(entry)) for entry in found]

    def in_order_of(self, given: Any) -> list[int]:
        """The outputs in the order in which losses name them where they are in a dict, else flat.

        It is the order of the losses in `evaluate` and in `Model.metrics`, as in Keras.
        """
        order = list(_in_order(self._structure, given))
        return order + [place for place in range(len(self)) if place not in order]

    # ------------------------------------------------------------ what comes with each batch

    def targets(self, y: Any, needed: Collection[int], *, is_by_name: bool) -> list[Any]:
        """The targets of each output, None where there are none.

        Args:
            y: Targets in the structure of the outputs, flat, or by name; also of those outputs
                alone that need them.
            needed: Which outputs need targets, as they have a loss or a metric.
            is_by_name: Whether losses were given by name: then nobody knows the order in which a
                list for some of the outputs is meant.

        Raises:
            LossInputError: They fit no output, or it cannot be told which.
        """
        if len(self) == 1 and not tree.is_nested(y):
            return [y]
        count = len(tree.flatten(y))
        is_clear = count == 1 or not is_by_name
        if not is_dict(y) and is_clear and count != len(self) and count == len(needed):
            given = dict(zip(sorted(needed), tree.flatten(y), strict=True))
            return [given.get(place) for place in range(len(self))]
        return self._each(y, _Asked("y", self.who, spreads=False))

    def sample_weights(self, given: Any) -> list[Any]:
        """The sample weights of each output: by structure, by name, flat, or one array for all.

        An output that a dict does not name counts 1 a sample, as in tf.keras 2; Keras 3 wants all.

        Raises:
            LossInputError: They fit no output, or it cannot be told which.
        """
        leaves = tree.flatten(given)
        if not is_dict(given) and len(leaves) == 1:
            return leaves * len(self)
        return self._each(given, _Asked("sample_weight", self.who))

    def by_class(self, given: Any) -> list[Any]:
        """The class weights of each output: by name, or one an output in a list."""
        return self._each(given, _Asked("class_weight", self.who, spreads=False))

    # ------------------------------------------------------------ which part is whose

    def _each(self, given: Any, asked: _Asked) -> list[Any]:
        found: list[Any] = [None] * len(self)
        for place, entry in self._walk(self._structure, given, asked):
            found[place] = entry
        return found

    def _walk(self, node: Any, given: Any, asked: _Asked) -> Iterator[tuple[int, Any]]:
        """(output, what is given for it) for the outputs in a part of the structure."""
        if given is None or (is_dict(given) and not given):
            return
        below: list[int] = tree.flatten(node)
        if isinstance(node, int):
            yield node, self._entry(given, asked, node)
        elif is_dict(given) and not is_config(given):
            for part, entry in self._by_key(node, below, given, asked):
                yield from self._walk(part, entry, asked)
        elif is_list(given):
            for part, entry in self._by_position(node, below, given, asked):
                yield from self._walk(part, entry, asked)
        elif asked.spreads or len(below) == 1:
            yield from ((place, given) for place in below)
        else:
            self._refuse_length(asked, below, 1)

    def _entry(self, given: Any, asked: _Asked, place: int) -> Any:
        """What stands for one output: not within a list of one, or a dict with one key."""
        if asked.takes_tables and is_dict(given) and not any(map(is_dict, given.values())):
            return given
        if is_dict(given) and not is_config(given):
            # Of one output nobody needs to say the name, and one of a class of its own has none.
            is_alone = len(self) == len(given) == 1
            is_known = is_alone and (not asked.minds_keys or self.places[place].prefix is None)
            if list(given) != [self.names[place]] and not is_known:
                self._refuse_keys(asked, given, [self.names[place]])
            return self._entry(next(iter(given.values())), asked, place)
        if is_list(given) and not asked.takes_lists:
            if len(given) != 1:
                self._refuse_length(asked, [place], len(given))
            return self._entry(given[0], asked, place)
        return given

    def _by_key(
        self, node: Any, below: list[int], given: dict[Any, Any], asked: _Asked
    ) -> list[tuple[Any, Any]]:
        """(part of the structure, entry): keys of the structure, else names of outputs."""
        keys: dict[Any, Any] = node if is_dict(node) else {}
        names: dict[Any, Any] = {self.names[place]: place for place in below}
        for known in (keys, names):
            if all(key in known for key in given):
                return [(known[key], entry) for key, entry in given.items()]
        is_structured = any(tree.is_nested(part) for part in keys.values())
        self._refuse_keys(asked, given, [*keys, *names] if is_structured else list(keys or names))

    def _by_position(
        self, node: Any, below: list[int], given: Sequence[Any], asked: _Asked
    ) -> list[tuple[Any, Any]]:
        """(part of the structure, entry): one an item of the structure, else one an output."""
        for parts in (list(node) if is_list(node) else [], below):
            if len(given) == len(parts):
                return list(zip(parts, given, strict=True))
        if asked.takes_lists:
            return [(place, list(given)) for place in below]
        self._refuse_length(asked, below, len(given))

    def _refuse_keys(self, asked: _Asked, given: dict[Any, Any], known: list[Any]) -> NoReturn:
        unknown = [key for key in given if key not in known]
        named = [str(key) for key in known]
        hints = [(key, nearest(str(key), named)) for key in unknown]
        meant = ", ".join(f"{key!r} -> {hint!r}" for key, hint in hints if hint)
        raise asked.error(
            message(
                asked.who,
                f"keys of {asked.what} must be names of outputs: {self.shown}",
                f"{list(given)}; unknown: {unknown or list(given)}",
                f"Did you mean {meant}?" if meant else "",
            )
        )

    def _refuse_length(self, asked: _Asked, below: list[int], count: int) -> NoReturn:
        names = self.shown if len(below) == len(self) else [self.names[place] for place in below]
        raise asked.error(
            message(
                asked.who,
                f"{asked.rule} an output: {names}",
                f"{count} {asked.units(count)}",
                asked.fix,
            )
        )


class _Asked:
    """What a structure is asked for, and how messages speak of it."""

    def __init__(
        self, what: str, who: str, *, takes_lists: bool = False, spreads: bool = True
    ) -> None:
        self.what, self.who = what, who
        self.takes_lists = takes_lists  # several things may belong to one output
        self.spreads = spreads  # one thing may belong to several outputs
        self.takes_tables = what == "class_weight"  # what belongs to an output is a dict itself
        self.minds_keys = what in ("loss", "loss_weights")
        is_of_batch = what in ("y", "sample_weight")
        self.unit = "array" if is_of_batch else "entry"
        self.rule = f"{what} must have one {self.unit}"
        if what == "sample_weight":
            self.rule = "sample_weight must be one array for all outputs, or one"
        self.error: type[NacreError] = LossInputError if is_of_batch else ArgumentError
        self.fix = "Pass a list in this order, or a dict by name."
        if what != "y":
            self.fix = "Pass a list in this order with None for outputs without, or a dict by name."

    def units(self, count: int) -> str:
        plural = {"array": "arrays", "entry": "entries"}[self.unit]
        return self.unit if count == 1 else plural


def _in_order(node: Any, given: Any) -> Iterator[int]:
    if is_dict(node) and is_dict(given) and all(key in node for key in given):
        for key, entry in given.items():
            yield from _in_order(node[key], entry)
    elif is_list(node) and is_list(given) and len(node) == len(given):
        for part, entry in zip(node, given, strict=True):
            yield from _in_order(part, entry)
    else:
        yield from tree.flatten(node)


def is_config(given: dict[Any, Any]) -> bool:
    """Whether a dict describes an object, as files do, and is no dict of outputs."""
    return "class_name" in given and "config" in given


def _flat(entry: Any) -> Iterator[Any]:
    """The metrics in a list of metrics, or of lists of them; None stands for none."""
    if is_list(entry):
        for item in entry:
            yield from _flat(item)
    elif entry is not None:
        yield entry


def _names_of_layers(model: Any, count: int) -> list[str] | None:
    names = list[str](getattr(model, "output_names", None) or [])
    return names if len(names) == count else None


def _places(
    paths: list[tuple[Any, ...]], are_in_dict: bool, layers: list[str] | None
) -> list[Place]:
    found: list[Place] = []
    for number, path in enumerate(paths, 1):
        if are_in_dict and all(len(other) == 1 for other in paths):
            found.append(Place(str(path[0]), path, str(path[0])))
        elif layers is not None:
            found.append(Place(layers[number - 1], path, layers[number - 1]))
        elif len(path) > 1:
            found.append(Place("/".join(map(str, path)), path, None))
        else:
            found.append(Place("output" if len(paths) == 1 else f"output_{number}", path, None))
    return found


__all__ = ["Outputs", "Place", "is_config"]
