"""Boxes, frames and arrows of a diagram in a plane; frames within frames, and no arrow through what
it does not belong to.

The layers of a nested model are laid out by themselves; what leads into its frame or out of it
goes to a port on the frame's border, and outside the frame stands for one large box. Two directions
are spoken of until the end: arrows lead *along*, and ranks reach *across*. From top to bottom these
are y and x; the other three directions follow by exchanging and turning them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from nacre.models.drawing.diagram import Diagram
from nacre.models.drawing.places import places_of, spread
from nacre.models.drawing.ranks import layers_of, ranks_of, without_cycles

# All in points, 1/72 inch.
_GAP = 20.0  # between boxes of a rank
_LINE = -4.0  # how far an arrow that passes a rank reaches to both sides: less than a gap apart
_CORNER = 12.0  # between the end of an arrow and a box's corner
_ENDS = 14.0  # between the ends of two arrows at one box
_LOOP = 20.0  # how far an arrow from a box to itself reaches out
_BORDER = 14.0  # between a frame and what it holds
_TITLE = 18.0  # height of a frame's title
_MARGIN = 10.0  # around the picture

Point = tuple[float, float]
Path = list[Point]  # where it starts, then for each piece two points of control and where it ends


class Rectangle(NamedTuple):
    """A box or frame."""

    left: float
    top: float
    width: float
    height: float


@dataclass(frozen=True)
class Layout:
    """Where everything is: lists in the order of the diagram's boxes, frames and arrows."""

    width: float
    height: float
    boxes: list[Rectangle]
    frames: list[Rectangle]
    paths: list[Path]


class _Port(NamedTuple):
    """Where an arrow passes a frame's border: its number, the box inside, and on which side."""

    arrow: int
    box: int
    is_first: bool


@dataclass
class _Part:
    """What is laid out: how far it reaches from 0 to both sides across, and from 0 along."""

    left: float
    right: float
    length: float
    boxes: dict[int, Rectangle]
    frames: dict[int, Rectangle]
    paths: dict[int, Path]
    ports: dict[int, float]


def layout_of(
    diagram: Diagram, sizes: Sequence[tuple[float, float]], titles: Sequence[float], rankdir: str
) -> Layout:
    """Lay a diagram out.

    Args:
        diagram: Boxes, frames, arrows.
        sizes: (width, height) of each box.
        titles: Width of each frame's title.
        rankdir: 'TB', 'BT', 'LR' or 'RL'.
    """
    is_flat = rankdir in ("LR", "RL")
    turned = [(height, width) for width, height in sizes] if is_flat else list(sizes)
    maker = _Maker(diagram, turned, titles, rankdir)
    part = maker.lay_out(None, list(range(len(diagram.arrows))), [])
    across, along = part.left + part.right + 2 * _MARGIN, part.length + 2 * _MARGIN

    def placed(point: Point) -> Point:
        x, y = point[0] + part.left + _MARGIN, point[1] + _MARGIN
        y = along - y if rankdir in ("BT", "RL") else y
        return (y, x) if is_flat else (x, y)

    def rectangle(one: Rectangle) -> Rectangle:
        corners = [
            placed((one.left, one.top)),
            placed((one.left + one.width, one.top + one.height)),
        ]
        (left, right), (top, bottom) = (sorted(values) for values in zip(*corners, strict=True))
        return Rectangle(left, top, right - left, bottom - top)

    return Layout(
        along if is_flat else across,
        across if is_flat else along,
        [rectangle(part.boxes[index]) for index in range(len(diagram.boxes))],
        [rectangle(part.frames[index]) for index in range(len(diagram.frames))],
        [[placed(p) for p in part.paths[index]] for index in range(len(diagram.arrows))],
    )


class _Maker:
    def __init__(
        self,
        diagram: Diagram,
        sizes: Sequence[tuple[float, float]],
        titles: Sequence[float],
        rankdir: str,
    ) -> None:
        self.diagram = diagram
        self.arrows = list(diagram.arrows)
        self.sizes = sizes
        self.titles = titles
        self.rankdir = rankdir

    def lay_out(self, frame: int | None, arrows: list[int], ports: list[_Port]) -> _Part:
        """What stands right in a frame, with all that it holds.

        Args:
            frame: The frame, None for the whole.
            arrows: Those that begin and end within.
            ports: Those that do not.
        """
        level = _Level(self, frame, arrows, ports)
        part = level.placed()
        return part if frame is None else self._framed(frame, part, ports)

    def _framed(self, frame: int, part: _Part, ports: list[_Port]) -> _Part:
        """The same with a border and a title; ports are on the border then."""
        start = end = left = right = _BORDER
        title = self.titles[frame] + _BORDER
        if self.rankdir in ("LR", "RL"):
            left += _TITLE
            end += max(title + _BORDER - (part.length + start + end), 0.0)
        else:
            beside = [part.ports[p.arrow] for p in ports if p.is_first == (self.rankdir == "TB")]
            left += max(title - (min(beside, default=part.right) + part.left + left) + 6.0, 0.0)
            right += max(title + _BORDER - (part.left + part.right + left + right), 0.0)
            if self.rankdir == "TB":
                start += _TITLE
            else:
                end += _TITLE
        length = part.length + start + end
        moved = _moved(part, 0.0, start)
        for port in ports:
            x, path = part.ports[port.arrow], moved.paths[port.arrow]
            if port.is_first:
                moved.paths[port.arrow] = _line([(x, 0.0)], path[0]) + path[1:]
            else:
                _line(path, (x, length))
        moved.left, moved.right, moved.length = part.left + left, part.right + right, length
        moved.frames[frame] = Rectangle(-moved.left, 0.0, moved.left + moved.right, length)
        return moved


class _Level:
    """One frame's own boxes and frames ("nodes"), and the ports on its border."""

    def __init__(
        self, maker: _Maker, frame: int | None, arrows: list[int], ports: list[_Port]
    ) -> None:
        self.maker = maker
        self.frame = frame
        self.ports = ports
        diagram = maker.diagram
        boxes = [i for i, box in enumerate(diagram.boxes) if box.frame == frame]
        frames = [~i for i, one in enumerate(diagram.frames) if one.parent == frame]
        # In the order of the layers: a frame stands where its first box does.
        self.holders = sorted(boxes + frames, key=self._first_box)
        self.node_of = {holder: node for node, holder in enumerate(self.holders)}
        inner: dict[int, list[int]] = {}
        own: list[tuple[int, int, int]] = []
        self.loops: list[int] = []
        for arrow in arrows:
            source, target = (self._holder(box) for box in maker.arrows[arrow])
            if source != target:
                own.append((arrow, self.node_of[source], self.node_of[target]))
            elif source < 0:
                inner.setdefault(source, []).append(arrow)
            else:
                self.loops.append(arrow)
        self._add_edges(own)
        self.parts = {
            self.node_of[holder]: maker.lay_out(
                ~holder, inner.get(holder, []), self._ports_of(self.node_of[holder])
            )
            for holder in self.holders
            if holder < 0
        }

    def _first_box(self, holder: int) -> int:
        if holder >= 0:
            return holder
        boxes = self.maker.diagram.boxes
        return next((i for i in range(len(boxes)) if self._is_in(i, ~holder)), len(boxes))

    def _is_in(self, box: int, frame: int) -> bool:
        around = self.maker.diagram.boxes[box].frame
        while around is not None and around != frame:
            around = self.maker.diagram.frames[around].parent
        return around == frame

    def _holder(self, box: int) -> int:
        """What stands on this level and is or holds a box: its number, or ~ that of the frame."""
        diagram = self.maker.diagram
        holder, around = box, diagram.boxes[box].frame
        while around != self.frame:
            assert around is not None
            holder, around = ~around, diagram.frames[around].parent
        return holder

    def _add_edges(self, own: list[tuple[int, int, int]]) -> None:
        """(arrow, upper node, lower node) of all edges; ports come after the other nodes."""
        turned = without_cycles(len(self.holders), [(a, b) for _, a, b in own])
        self.edges = [
            (arrow, b, a) if is_turned else (arrow, a, b)
            for (arrow, a, b), is_turned in zip(own, turned, strict=True)
        ]
        self.is_turned = {e[0]: is_turned for e, is_turned in zip(own, turned, strict=True)}
        ranks = ranks_of(len(self.holders), [(a, b) for _, a, b in self.edges])
        lowest = min(ranks, default=0) - int(any(port.is_first for port in self.ports))
        ranks = [rank - lowest for rank in ranks]
        last = max(ranks, default=0) + 1
        for number, port in enumerate(self.ports):
            node = self.node_of[self._holder(port.box)]
            own_node = len(self.holders) + number
            ends = (own_node, node) if port.is_first else (node, own_node)
            self.edges.append((port.arrow, *ends))
            ranks.append(0 if port.is_first else last)
        self.ranks = ranks

    def _ports_of(self, node: int) -> list[_Port]:
        found: list[_Port] = []
        outer = {port.arrow: port.box for port in self.ports}
        for arrow, upper, lower in self.edges:
            if node in (upper, lower):
                source, target = self.maker.arrows[arrow]
                is_first = node == lower
                box = outer.get(arrow)
                if box is None:
                    box = target if is_first != self.is_turned[arrow] else source
                found.append(_Port(arrow, box, is_first))
        return found

    # ------------------------------------------------------------- placing

    def placed(self) -> _Part:
        """Everything of this level in its place."""
        nodes = len(self.ranks)
        self.layers = layers_of(self.ranks, [(a, b) for _, a, b in self.edges])
        total = len(self.layers.above)
        left, right, self.lengths = [_LINE] * total, [_LINE] * total, [0.0] * total
        for node in range(len(self.holders)):
            left[node], right[node], self.lengths[node] = self._reach(node)
        looping = {self.node_of[self.maker.arrows[a][0]] for a in self.loops}
        outer_right = [r + _LOOP * (n in looping) for n, r in enumerate(right)]
        self.xs = places_of(self.layers, left, outer_right, _GAP)
        self.half = left
        self._find_ends(nodes)
        self._find_ranks()
        part = _Part(0.0, 0.0, self.bottoms[-1] if self.bottoms else 0.0, {}, {}, {}, {})
        for node, holder in enumerate(self.holders):
            self._put(part, node, holder)
        pieces = {(a, u, v): self._path(e) for e, (a, u, v) in enumerate(self.edges)}
        self._join(part, pieces)
        low = min((x - w for x, w in zip(self.xs, left, strict=True)), default=0.0)
        high = max((x + w for x, w in zip(self.xs, outer_right, strict=True)), default=0.0)
        first = [x for port, x in self._port_places() if port.is_first]
        anchor = sum(first) / len(first) if first else (low + high) / 2
        moved = _moved(part, -anchor, 0.0)
        moved.left, moved.right = anchor - low, high - anchor
        moved.ports = {port.arrow: x - anchor for port, x in self._port_places()}
        return moved

    def _port_places(self) -> list[tuple[_Port, float]]:
        first = len(self.holders)
        return [(port, self.xs[first + i]) for i, port in enumerate(self.ports)]

    def _reach(self, node: int) -> tuple[float, float, float]:
        part = self.parts.get(node)
        if part is not None:
            return part.left, part.right, part.length
        across, along = self.maker.sizes[self.holders[node]]
        return across / 2, across / 2, along

    def _find_ends(self, nodes: int) -> None:
        """Where across each edge leaves its upper node, and where it comes to its lower one."""
        self.exits = [0.0] * len(self.edges)
        self.entries = [0.0] * len(self.edges)
        leaving: list[list[int]] = [[] for _ in range(nodes)]
        coming: list[list[int]] = [[] for _ in range(nodes)]
        for edge, (_, upper, lower) in enumerate(self.edges):
            leaving[upper].append(edge)
            coming[lower].append(edge)
        chains = self.layers.chains

        def towards(edge: int) -> float:
            other = chains[edge][1]
            part = self.parts.get(other)
            return self.xs[other] + (part.ports[self.edges[edge][0]] if part else 0.0)

        def origin(edge: int) -> float:
            other = chains[edge][-2]
            return self.exits[edge] if other < nodes else self.xs[other]

        for node in range(nodes):
            self._spread_ends(node, leaving[node], towards, self.exits)
        for node in range(nodes):
            self._spread_ends(node, coming[node], origin, self.entries)

    def _spread_ends(
        self, node: int, edges: list[int], other_end: Callable[[int], float], ends: list[float]
    ) -> None:
        x, part = self.xs[node], self.parts.get(node)
        for edge in edges:
            ends[edge] = x + (part.ports[self.edges[edge][0]] if part else 0.0)
        if part is not None or node >= len(self.holders):
            return
        half = self.half[node]
        room = half - min(_CORNER, 0.4 * half)
        wanted = sorted((other_end(edge), edge) for edge in edges)
        if len(edges) == 1 and abs(wanted[0][0] - x) > room:
            return  # a single arrow from aside looks best in the middle
        gap = min(_ENDS, 2 * room / max(len(edges) - 1, 1))
        near = [min(max(place, x - room), x + room) for place, _ in wanted]
        for (_, edge), place in zip(wanted, spread(near, gap, x - room, x + room), strict=True):
            ends[edge] = place

    def _find_ranks(self) -> None:
        """Where along each rank begins and ends: where arrows go far aside they get more room."""
        rows = self.layers.rows
        widest = [0.0] * len(rows)
        rank_of = {node: rank for rank, row in enumerate(rows) for node in row}
        for edge, chain in enumerate(self.layers.chains):
            places = self._across(edge)
            for step in range(len(chain) - 1):
                rank = rank_of[chain[step]]
                widest[rank] = max(widest[rank], abs(places[step + 1][0] - places[step][1]))
        self.tops: list[float] = []
        self.bottoms: list[float] = []
        y = 0.0
        for rank, row in enumerate(rows):
            length = max((self.lengths[node] for node in row), default=0.0)
            self.tops.append(y)
            self.bottoms.append(y + length)
            y += length + min(28.0 + 0.15 * widest[rank], 110.0)
        self.rank_of = rank_of

    def _across(self, edge: int) -> list[tuple[float, float]]:
        """Where an edge comes to each node of its chain, and where it leaves it."""
        chain = self.layers.chains[edge]
        middle = [(self.xs[node], self.xs[node]) for node in chain[1:-1]]
        exit_, entry = self.exits[edge], self.entries[edge]
        return [(exit_, exit_), *middle, (entry, entry)]

    def _along(self, node: int) -> tuple[float, float]:
        """Where a node begins and ends; it stands in the middle of its rank."""
        rank = self.rank_of[node]
        start = (self.tops[rank] + self.bottoms[rank] - self.lengths[node]) / 2
        return start, start + self.lengths[node]

    def _path(self, edge: int) -> Path:
        """From the border of the upper node to that of the lower one."""
        chain = self.layers.chains[edge]
        places = self._across(edge)
        path: Path = [(places[0][1], self._along(chain[0])[1])]
        for step in range(len(chain) - 1):
            rank = self.rank_of[chain[step]]
            leave, come = places[step][1], places[step + 1][0]
            _line(path, (leave, self.bottoms[rank]))
            _curve(path, (come, self.tops[rank + 1]))
        _line(path, (places[-1][0], self._along(chain[-1])[0]))
        return path

    def _put(self, part: _Part, node: int, holder: int) -> None:
        x, (start, end) = self.xs[node], self._along(node)
        if holder >= 0:
            width = 2 * self.half[node]
            part.boxes[holder] = Rectangle(x - width / 2, start, width, end - start)
            return
        moved = _moved(self.parts[node], x, start)
        self.parts[node] = moved
        part.boxes.update(moved.boxes)
        part.frames.update(moved.frames)

    def _join(self, part: _Part, pieces: dict[tuple[int, int, int], Path]) -> None:
        """The paths of this level with their pieces within frames at both ends."""
        for inner in self.parts.values():
            part.paths.update(inner.paths)  # those that are pieces are replaced below
        for (arrow, upper, lower), path in pieces.items():
            whole = path
            if upper in self.parts:
                whole = _joined(self.parts[upper].paths[arrow], whole)
            if lower in self.parts:
                whole = _joined(whole, self.parts[lower].paths[arrow])
            part.paths[arrow] = whole[::-1] if self.is_turned.get(arrow) else whole
        for arrow in self.loops:
            box = part.boxes[self.maker.arrows[arrow][0]]
            x, y, quarter = box.left + box.width, box.top + box.height / 2, box.height / 4
            out = x + _LOOP
            part.paths[arrow] = [(x, y + quarter), (out, y + quarter), (out, y - quarter)]
            part.paths[arrow].append((x, y - quarter))


def _moved(part: _Part, x: float, y: float) -> _Part:
    def rectangles(found: dict[int, Rectangle]) -> dict[int, Rectangle]:
        return {
            key: Rectangle(one.left + x, one.top + y, one.width, one.height)
            for key, one in found.items()
        }

    paths = {key: [(a + x, b + y) for a, b in path] for key, path in part.paths.items()}
    boxes, frames = rectangles(part.boxes), rectangles(part.frames)
    return _Part(part.left, part.right, part.length, boxes, frames, paths, dict(part.ports))


def _line(path: Path, end: Point) -> Path:
    """Go on straight; the path is returned."""
    (x, y), (a, b) = path[-1], end
    if abs(a - x) + abs(b - y) > 1e-6:  # less is the rounding of sums, and leads anywhere
        path += [(x + (a - x) / 3, y + (b - y) / 3), (a - (a - x) / 3, b - (b - y) / 3), end]
    return path


def _curve(path: Path, end: Point) -> None:
    """Go on to another place across, beginning and ending along."""
    (x, y), (a, b) = path[-1], end
    if abs(a - x) < 0.01:
        _line(path, end)
    else:
        path += [(x, (y + b) / 2), (a, (y + b) / 2), end]


def _joined(first: Path, second: Path) -> Path:
    return [*first, *_line([first[-1]], second[0])[1:], *second[1:]]


__all__ = ["Layout", "Path", "Point", "Rectangle", "layout_of"]
