"""Where the nodes of each rank stand from left to right.

Brandes & Köpf 2002 (Fast and Simple Horizontal Coordinate Assignment, Graph Drawing 2001): nodes
are aligned with the medians of their neighbours in four ways, each way is pushed together, and the
mean of the two middle results is taken. Edges over several ranks become straight. Differs: a way
is pushed together by longest paths through its blocks instead of the paper's classes, whose shifts
are wrong for some graphs.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from nacre.models.drawing.ranks import Layers


def places_of(
    layers: Layers, left: Sequence[float], right: Sequence[float], gap: float
) -> list[float]:
    """The place of each node.

    Args:
        layers: Nodes in ranks.
        left, right: How far each node reaches from its place to both sides.
        gap: Between two nodes.

    Example:
        >>> from nacre.models.drawing.ranks import layers_of
        >>> layers = layers_of([0, 1, 1], [(0, 1), (0, 2)])
        >>> places_of(layers, [5.0] * 3, [5.0] * 3, gap=2.0)
        [6.0, 0.0, 12.0]
    """
    conflicts = _conflicts(layers)
    found: list[list[float]] = []
    for upwards in (False, True):
        rows = layers.rows[::-1] if upwards else layers.rows
        neighbours = layers.below if upwards else layers.above
        for mirrored in (False, True):
            turned = [row[::-1] for row in rows] if mirrored else rows
            root = _aligned(turned, neighbours, conflicts)
            reach = (right, left) if mirrored else (left, right)
            xs = _compacted(turned, root, *reach, gap)
            found.append([-x for x in xs] if mirrored else xs)
    return _balanced(found)


def _conflicts(layers: Layers) -> set[tuple[int, int]]:
    """Pieces of edges that cross a piece between two parts of edges, which shall be straight."""
    found: set[tuple[int, int]] = set()
    place = {node: index for row in layers.rows for index, node in enumerate(row)}
    for row in layers.rows[1:]:
        inner = sorted(
            (place[node], place[layers.above[node][0]])
            for node in row
            if node >= layers.count and layers.above[node][0] >= layers.count
        )
        if not inner:
            continue
        for node in row:
            for other in layers.above[node]:
                if node >= layers.count and other >= layers.count:
                    continue
                here, there = place[node], place[other]
                if any((here - low) * (there - high) < 0 for low, high in inner):
                    found.add((other, node))
                    found.add((node, other))
    return found


def _aligned(
    rows: Sequence[Sequence[int]], neighbours: Sequence[Sequence[int]], conflicts: set
) -> list[int]:
    """The first node of the block that each node stands in: nodes in one block stand straight
    below each other."""
    root = list(range(len(neighbours)))
    is_taken = [False] * len(neighbours)
    place = {node: index for row in rows for index, node in enumerate(row)}
    for row in rows:
        last = -1
        for node in row:
            others = sorted(neighbours[node], key=place.__getitem__)
            if not others:
                continue
            for other in others[(len(others) - 1) // 2 : len(others) // 2 + 1]:
                if root[node] != node or is_taken[other] or place[other] <= last:
                    continue
                if (node, other) not in conflicts:
                    root[node] = root[other]
                    is_taken[other] = True
                    last = place[other]
    return root


def _compacted(
    rows: Sequence[Sequence[int]],
    root: list[int],
    left: Sequence[float],
    right: Sequence[float],
    gap: float,
) -> list[float]:
    """Each block as far left as its neighbours let it, then as far right as those do: what is free
    to move stands near what it is beside."""
    after: dict[int, dict[int, float]] = {block: {} for block in set(root)}
    waiting = dict.fromkeys(after, 0)
    for row in rows:
        for one, other in itertools.pairwise(row):
            a, b = root[one], root[other]
            distance = right[one] + gap + left[other]
            if b not in after[a]:
                waiting[b] += 1
            after[a][b] = max(after[a].get(b, 0.0), distance)
    order = [block for block in sorted(after) if not waiting[block]]
    xs = dict.fromkeys(after, 0.0)
    for block in order:  # grows on the way
        for other, distance in after[block].items():
            xs[other] = max(xs[other], xs[block] + distance)
            waiting[other] -= 1
            if not waiting[other]:
                order.append(other)
    for block in reversed(order):
        if after[block]:
            xs[block] = max(xs[block], min(xs[o] - d for o, d in after[block].items()))
    return [xs[block] for block in root]


def _balanced(found: list[list[float]]) -> list[float]:
    """The mean of the two middle ones of four, each moved to where the narrowest begins or ends."""
    if not found[0]:
        return []
    narrowest = min(found, key=lambda xs: max(xs) - min(xs))
    low, high = min(narrowest), max(narrowest)
    shifts = [low - min(xs) if i % 2 == 0 else high - max(xs) for i, xs in enumerate(found)]
    moved = [[x + shift for x in xs] for xs, shift in zip(found, shifts, strict=True)]
    middle = [sorted(values)[1:3] for values in zip(*moved, strict=True)]
    return [(a + b) / 2 for a, b in middle]


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Places in the given order, `gap` apart and between two ends, as near as can be to those that
    are wanted (least squares, by pooling neighbours that are too close).

    Example:
        >>> spread([0.0, 0.0, 10.0], gap=2.0, low=-5.0, high=8.0)
        [-1.0, 1.0, 8.0]
    """
    pools: list[tuple[float, int]] = []
    for index, place in enumerate(wanted):
        mean, size = place - index * gap, 1
        while pools and pools[-1][0] > mean:
            other, count = pools.pop()
            mean = (mean * size + other * count) / (size + count)
            size += count
        pools.append((mean, size))
    last = max(high - (len(wanted) - 1) * gap, low)
    free = [min(max(mean, low), last) for mean, size in pools for _ in range(size)]
    return [place + index * gap for index, place in enumerate(free)]


__all__ = ["places_of", "spread"]
