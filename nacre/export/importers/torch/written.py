"""Steps of which none writes into an array, made of steps that do.

Operators of PyTorch write into what they are given, and what they are given may be a part of, or
another view of, an array that is read later. Here each step gives a new array; where one is
written, the arrays that it is a part of are made anew, and the other parts of those.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax.numpy as jnp

from nacre.core.errors import UnsupportedOpError, message
from nacre.export.importers.torch.steps import Step, read_names, renamed_argument

# What gives another view of what it is given, whatever that is.
_VIEWS = frozenset(
    ("view", "unflatten", "permute", "transpose", "t", "unsqueeze", "squeeze", "expand", "select",
     "slice", "narrow", "split", "split_with_sizes", "chunk", "unbind", "detach", "alias",
     "movedim", "swapaxes", "expand_as", "dropout", "lift_fresh", "broadcast_to", "view_as",
     "numpy_T", "diagonal", "moveaxis", "swapdims", "mT")
)  # fmt: skip
# What gives one where the numbers lie so, and a copy elsewhere.
_UNSURE = frozenset(("reshape", "_unsafe_view", "flatten", "contiguous", "ravel", "reshape_as"))
# What gives one where the dtype stays.
_CASTS = frozenset(("to", "type_as"))
Link = tuple[str, Step, int]  # the whole, the view, which of its outputs


class _Views:
    """Which arrays share their numbers."""

    def __init__(self, kinds: Mapping[str, Any]) -> None:
        self.kinds = kinds
        self.root: dict[str, str] = {}
        self.links: dict[str, Link] = {}
        self.unsure: set[str] = set()  # roots of what may be a copy

    def add(self, step: Step, plain: str, reads: Sequence[str]) -> None:
        """Note a step that may be a view."""
        if not reads or plain not in _VIEWS | _UNSURE | _CASTS:
            return
        if plain in _CASTS and self._dtype(reads[0]) != self._dtype(step.all_outputs[0]):
            return
        lies_in_order = self._lies_in_order(reads[0])
        if plain == "contiguous" and lies_in_order is False:
            return
        root = self.root.get(reads[0], reads[0])
        for index, name in enumerate(step.all_outputs):
            self.root[name] = root
            self.links[name] = reads[0], step, index
        if plain in _UNSURE and not lies_in_order:
            self.unsure.add(root)

    def _lies_in_order(self, name: str) -> bool | None:
        """Whether an array's numbers lie one behind the other; None where sizes are open."""
        told = self.kinds.get(self._first_name(name))
        if told is None:
            return None
        sizes, strides = ([n.get("as_int") for n in told[key]] for key in ("sizes", "strides"))
        if None in sizes or None in strides:
            return None
        step = 1
        for size, stride in zip(reversed(sizes), reversed(strides), strict=True):
            if size != 1 and stride != step:
                return False
            step *= size
        return True

    @staticmethod
    def _first_name(name: str) -> str:
        return name.partition("'")[0]  # what was made anew lies as before

    def _dtype(self, name: str) -> Any:
        told = self.kinds.get(self._first_name(name))
        return None if told is None else told["dtype"]

    def others(self, name: str) -> list[str]:
        """All that share their numbers with one, in the order they came."""
        root = self.root.get(name, name)
        return [n for n in (root, *(k for k, r in self.root.items() if r == root)) if n != name]


def in_order(
    steps: list[Step], outputs: list[str], held: Mapping[str, str], kinds: Mapping[str, Any]
) -> tuple[list[Step], dict[str, str]]:
    """Steps of which none writes into an array, and what arrays that are kept become.

    Args:
        steps: In the order of the file.
        outputs: Names of what is given, changed in place to those that stand in their place.
        held: Name in the graph -> name of an array that the program keeps between calls.
        kinds: What the file says of arrays.

    Returns:
        The steps, and name of an array that is kept -> name of what is in it after them.

    Raises:
        UnsupportedOpError: What is written to may be another view of what is read later.
    """
    views, renamed = _Views(kinds), dict[str, str]()
    found: list[Step] = []
    written: set[str] = set()
    for at, step in enumerate(steps):
        step.inputs = [(name, renamed_argument(arg, renamed)) for name, arg in step.inputs]
        found.append(step)
        plain = step.op.removesuffix("_") if step.is_written else step.op
        reads = [n for _, argument in step.inputs for n in read_names(argument)]
        for place, new in step.moves.items():  # statistics of a batch normalization
            old = next(iter(read_names(dict(step.inputs)[place])), "")
            _take_over(renamed, old, new)
            written.add(_first(renamed, new))
        if not step.is_written or plain == "detach":
            views.add(step, plain, reads)
            continue
        own, new = next(iter(read_names(step.inputs[0][1])), ""), step.all_outputs[0]
        others = views.others(own)
        root = views.root.get(own, own)
        later = {n for s in steps[at + 1 :] for _, a in s.inputs for n in read_names(a)}
        later = {renamed.get(n, n) for n in later | set(outputs)}
        first = _first(renamed, root)
        fresh = {own: new}
        if later.intersection(others) or (first in held and others):
            if root in views.unsure:
                raise UnsupportedOpError(
                    message(
                        f"node '{step.name}'", "what is written to must have no other view",
                        f"{step.target}, and '{(sorted(later.intersection(others)) or others)[0]}' "
                        "is read later, which may be a copy",
                        "program.run_decompositions() before torch.export.save writes none.",
                    )
                )  # fmt: skip
            found += _made_anew(views, own, fresh, others, at)
        else:
            views.root.pop(own, None)
            views.links.pop(own, None)
        for old, name in fresh.items():
            _take_over(renamed, old, name)
        if first in held:
            written.add(first)
    outputs[:] = [renamed.get(name, name) for name in outputs]
    return found, {name: renamed[name] for name in written if name in held}


def _first(renamed: Mapping[str, str], name: str) -> str:
    """What an array was called at first."""
    return next((old for old, now in renamed.items() if now == name), name)


def _take_over(renamed: dict[str, str], old: str, new: str) -> None:
    for name, to in list(renamed.items()):
        if to == old:
            renamed[name] = new
    renamed[old] = new


def _made_anew(
    views: _Views, own: str, fresh: dict[str, str], others: list[str], at: int
) -> list[Step]:
    """Steps that write an array back into what it is a part of, and that take other parts anew."""
    made: list[Step] = []
    child = own
    while child in views.links:
        whole, view, index = views.links[child]
        name = f"{whole}'{at}"
        made.append(_written_back(view, index, whole, fresh[child], name))
        fresh[whole] = name
        child = whole

    def take_anew(name: str) -> None:
        if name in fresh:
            return
        whole, view, _ = views.links[name]
        take_anew(whole)
        names = {n: f"{n}'{at}" for n in view.all_outputs}
        made.append(view.again({whole: fresh[whole]}, names))
        for old, new in names.items():
            fresh.setdefault(old, new)

    for other in others:
        take_anew(other)
    root = views.root.get(own, own)
    for old, name in list(fresh.items()):
        link = views.links.pop(old, None)
        views.root.pop(old, None)
        if link is not None:
            whole, view, index = link
            names = {n: fresh.get(n, n) for n in view.all_outputs}
            views.links[name] = fresh.get(whole, whole), view.again(fresh, names), index
        if old != root:
            views.root[name] = fresh.get(root, root)
    return made


def _written_back(view: Step, index: int, whole: str, part: str, name: str) -> Step:
    """The whole in which a part has new numbers."""

    def compute(run: Callable[[Step, dict[str, Any]], None], values: dict[str, Any]) -> None:
        x = values[whole]
        # The view of the places tells which numbers of the whole it has.
        places = {whole: jnp.arange(x.size).reshape(x.shape)}
        run(view, held := {**values, **places})
        at = held[view.all_outputs[index]].reshape(-1)
        new = values[part].astype(x.dtype).reshape(-1)
        values[name] = x.reshape(-1).at[at].set(new).reshape(x.shape)

    others = [n for _, a in view.inputs for n in read_names(a)]
    return Step.own(f"write {name}", [whole, part, *others], name, compute)


__all__ = ["in_order"]
