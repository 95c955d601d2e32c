"""Parts of one data set that would not stay apart, and pairs that would not belong together, as
each pass over it has another order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from nacre.core.errors import message
from nacre.core.warning import warn
from nacre.data.dataset.caching import Cache
from nacre.data.dataset.node import Node
from nacre.data.dataset.saving import FileCache
from nacre.data.dataset.shuffling import Shuffle


def note_part(node: Node, kind: str, count: int, index: int = 0) -> None:
    """Note that a part of a data set is made, and warn where it shares elements with another one.

    Those are the first so many and all but these, or two shards. Of two other numbers nobody knows
    whether they were to stay apart: `take(1)` looks at an element.

    Args:
        node: What it is a part of.
        kind: 'take', 'skip' or 'shard'.
        count: How many elements are taken or left out, or how many shards there are.
        index: Which shard it is.
    """
    for shuffle in reshuffled_by(node):
        shuffle.parts.add((kind, count, index))
        if kind == "shard":
            others = {i for k, n, i in shuffle.parts if (k, n) == (kind, count) and i != index}
            is_apart, made = not others, f"two of shard({count}, ...)"
        else:
            other = "skip" if kind == "take" else "take"
            is_apart = count <= 0 or (other, count, 0) not in shuffle.parts
            made = f"take({count}) and skip({count})"
        if not is_apart and not shuffle.is_told:
            shuffle.is_told = True
            warn(
                message(
                    f"Dataset.{kind}",
                    "parts of a data set that shuffles anew in each pass share elements: what is "
                    "validated on was trained on",
                    f"{made} below shuffle",
                    "Split before shuffle; or shuffle(..., reshuffle_each_iteration=False), a seed "
                    "alone does not hold the order; or nacre.utils.split_dataset(dataset, "
                    "left_size=0.8).",
                )
            )


def note_pairs(nodes: Sequence[Node]) -> None:
    """Warn where data sets that are put side by side stand on one that shuffles anew in each pass.

    One that stands there twice as it is gives pairs at random, as it is meant then.

    Args:
        nodes: What they are.
    """
    found = dict[Shuffle, Node]()
    for node in nodes:
        for shuffle in reshuffled_by(node):
            if found.setdefault(shuffle, node) is not node and not shuffle.is_told:
                shuffle.is_told = True
                warn(
                    message(
                        "Dataset.zip",
                        "each data set shuffles in an order of its own: what stands side by side "
                        "is not of one element",
                        "two made of one that shuffles anew in each pass",
                        "Shuffle after zip; or let one map give both: "
                        "ds.map(lambda x: (f(x), g(x))).",
                    )
                )


def reshuffled_by(node: Node) -> Iterator[Shuffle]:
    """What gives the elements of a node another order in each pass, nearest first. What is cached
    keeps the order of the first one."""
    if isinstance(node, Cache | FileCache):
        return
    if isinstance(node, Shuffle) and node.passes.varies:
        yield node
    for above in node.inputs:
        yield from reshuffled_by(above)


__all__ = ["note_pairs", "note_part", "reshuffled_by"]
