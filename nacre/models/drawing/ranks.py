"""What stands above what: ranks of a graph without cycles, and the order within each rank.

Sugiyama, Tagawa & Toda 1981 (IEEE Transactions on Systems, Man, and Cybernetics 11): cycles are
broken, nodes get ranks, edges over several ranks a node in each rank between, and each rank is
ordered by the barycentres of neighbours so that few edges cross.
"""

from __future__ import annotations

import itertools
from bisect import bisect_right, insort
from collections.abc import Sequence
from dataclasses import dataclass

_SWEEPS = 16  # more changed nothing in nets of 200 layers

Edge = tuple[int, int]


def without_cycles(count: int, edges: Sequence[Edge]) -> list[bool]:
    """Which edges are to be turned around so that no cycle is left: those that lead back in a walk
    depth first, begun where no edge ends. There are cycles when a layer is called again on what
    became of its own output.

    Example:
        >>> without_cycles(3, [(0, 1), (1, 2), (2, 1)])
        [False, False, True]
    """
    leaving: list[list[int]] = [[] for _ in range(count)]
    entered = [False] * count
    for number, (source, target) in enumerate(edges):
        leaving[source].append(number)
        entered[target] = True
    turned = [False] * len(edges)
    state = [0] * count  # not met, on the way, done
    for start in sorted(range(count), key=lambda node: entered[node]):
        if state[start]:
            continue
        state[start] = 1
        stack = [(start, iter(leaving[start]))]
        while stack:
            node, rest = stack[-1]
            number = next(rest, None)
            if number is None:
                state[node] = 2
                stack.pop()
                continue
            target = edges[number][1]
            if state[target] == 1:
                turned[number] = True
            elif not state[target]:
                state[target] = 1
                stack.append((target, iter(leaving[target])))
    return turned


def ranks_of(count: int, edges: Sequence[Edge]) -> list[int]:
    """The rank of each node, so that edges lead to higher ones: as early as possible, but with what
    more edges leave than enter (an input, a constant) close to where it is used.

    Example:
        >>> ranks_of(4, [(0, 1), (1, 2), (3, 2)])
        [0, 1, 2, 1]
    """
    before: list[list[int]] = [[] for _ in range(count)]
    after: list[list[int]] = [[] for _ in range(count)]
    for source, target in edges:
        before[target].append(source)
        after[source].append(target)
    ranks = [0] * count
    waiting = [len(nodes) for nodes in before]
    order = [node for node in range(count) if not waiting[node]]
    for node in order:  # grows on the way
        for target in after[node]:
            ranks[target] = max(ranks[target], ranks[node] + 1)
            waiting[target] -= 1
            if not waiting[target]:
                order.append(target)
    for node in reversed(order):
        if len(after[node]) > len(before[node]):
            ranks[node] = min(ranks[target] for target in after[node]) - 1
    return ranks


@dataclass
class Layers:
    """Nodes in ranks, with nodes of their own for edges that pass a rank.

    Attributes:
        rows: The nodes of each rank from left to right; those from `count` on are parts of edges.
        above, below: The neighbours of each node in the ranks beside its own.
        chains: The nodes that each edge goes through, its ends included.
        count: Of real nodes.
    """

    rows: list[list[int]]
    above: list[list[int]]
    below: list[list[int]]
    chains: list[list[int]]
    count: int


def layers_of(ranks: Sequence[int], edges: Sequence[Edge]) -> Layers:
    """Ranks with an order that lets few edges cross.

    Args:
        ranks: Of each node, from 0.
        edges: Each leads to a higher rank.

    Example:
        >>> layers_of([0, 0, 1, 1], [(0, 3), (1, 2)]).rows
        [[0, 1], [3, 2]]
    """
    count = len(ranks)
    rows: list[list[int]] = [[] for _ in range(max(ranks, default=-1) + 1)]
    for node, rank in enumerate(ranks):
        rows[rank].append(node)
    above: list[list[int]] = [[] for _ in ranks]
    below: list[list[int]] = [[] for _ in ranks]
    chains: list[list[int]] = []
    for source, target in edges:
        chain = [source]
        for rank in range(ranks[source] + 1, ranks[target]):
            chain.append(len(above))
            rows[rank].append(len(above))
            above.append([])
            below.append([])
        chain.append(target)
        chains.append(chain)
        for one, other in itertools.pairwise(chain):
            below[one].append(other)
            above[other].append(one)
    layers = Layers(rows, above, below, chains, count)
    _order(layers)
    return layers


def _order(layers: Layers) -> None:
    rows = layers.rows
    place = {node: index for row in rows for index, node in enumerate(row)}
    best, fewest = [list(row) for row in rows], _crossings(layers, place)
    for sweep in range(_SWEEPS):
        if not fewest:
            break
        downwards = sweep % 2 == 0
        neighbours = layers.above if downwards else layers.below
        for row in rows if downwards else reversed(rows):
            _sort_row(row, neighbours, place, turns_ties=sweep % 4 >= 2)
        now = _crossings(layers, place)
        if now < fewest:
            best, fewest = [list(row) for row in rows], now
    layers.rows = best


def _sort_row(
    row: list[int], neighbours: list[list[int]], place: dict[int, int], *, turns_ties: bool
) -> None:
    """By the mean place of neighbours; nodes without any keep their places."""
    movable = [node for node in row if neighbours[node]]
    centre = {
        node: sum(place[other] for other in neighbours[node]) / len(neighbours[node])
        for node in movable
    }
    tie = -1 if turns_ties else 1
    sorted_nodes = iter(sorted(movable, key=lambda node: (centre[node], tie * place[node])))
    row[:] = [next(sorted_nodes) if neighbours[node] else node for node in row]
    place.update({node: index for index, node in enumerate(row)})


def _crossings(layers: Layers, place: dict[int, int]) -> int:
    """How many pairs of edges cross between neighbouring ranks."""
    total = 0
    for row in layers.rows:
        ends: list[int] = []
        for node in sorted(row, key=place.__getitem__):
            targets = sorted(place[other] for other in layers.below[node])
            total += sum(len(ends) - bisect_right(ends, target) for target in targets)
            for target in targets:
                insort(ends, target)
    return total


__all__ = ["Edge", "Layers", "layers_of", "ranks_of", "without_cycles"]
