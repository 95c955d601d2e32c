"""nacre's own drawing: what stands where, and that nothing covers anything."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nacre.models.drawing.canvas import canvas_of
from nacre.models.drawing.diagram import Box, Diagram, Frame, Shown, diagram_of
from nacre.models.drawing.layout import Layout, Rectangle, layout_of
from nacre.models.drawing.raster import _sampled
from nacre.models.drawing.svg import text_width
from tests.models.drawing import nets

DIRECTIONS = ["TB", "BT", "LR", "RL"]


def covers(one: Rectangle, other: Rectangle) -> bool:
    return (
        one.left < other.left + other.width
        and other.left < one.left + one.width
        and one.top < other.top + other.height
        and other.top < one.top + one.height
    )


def holds(one: Rectangle, other: Rectangle) -> bool:
    return (
        one.left <= other.left
        and one.top <= other.top
        and other.left + other.width <= one.left + one.width + 1e-6
        and other.top + other.height <= one.top + one.height + 1e-6
    )


def frames_around(diagram: Diagram, box: int) -> list[int]:
    found, frame = [], diagram.boxes[box].frame
    while frame is not None:
        found.append(frame)
        frame = diagram.frames[frame].parent
    return found


def check(diagram: Diagram, layout: Layout) -> None:
    """No box covers another, frames hold their own boxes alone, and no arrow goes through a box or
    a frame that it does not begin or end in."""
    whole = Rectangle(0, 0, layout.width, layout.height)
    for one, other in itertools.combinations(layout.boxes, 2):
        assert not covers(one, other)
    for number, box in enumerate(layout.boxes):
        assert holds(whole, box)
        around = frames_around(diagram, number)
        for frame, at in enumerate(layout.frames):
            assert holds(at, box) if frame in around else not covers(at, box)
    for (source, target), path in zip(diagram.arrows, layout.paths, strict=True):
        points = _sampled(path)
        for end, number in ((points[0], source), (points[-1], target)):
            assert covers(_around(end, 0.01), layout.boxes[number])
        within = {*frames_around(diagram, source), *frames_around(diagram, target)}
        for point in points[1:-1]:
            assert holds(whole, Rectangle(*point, 0, 0))
            dot = _around(point, -0.5)
            for number, box in enumerate(layout.boxes):
                assert not covers(dot, _smaller(box)), (source, target, number)
            for frame, at in enumerate(layout.frames):
                assert frame in within or not covers(dot, _smaller(at))


def _around(point: tuple[float, float], reach: float) -> Rectangle:
    return Rectangle(point[0] - reach, point[1] - reach, 2 * reach, 2 * reach)


def _smaller(box: Rectangle) -> Rectangle:
    """Arrows begin and end on borders."""
    return Rectangle(box.left + 1, box.top + 1, box.width - 2, box.height - 2)


@pytest.mark.parametrize("rankdir", DIRECTIONS)
@pytest.mark.parametrize("make", nets.ALL)
def test_nothing_covers_anything(make: Callable[[], Any], rankdir: str) -> None:
    diagram = diagram_of(make(), Shown(show_shapes=True, expand_nested=True))
    sizes = [(90.0 + 10 * (i % 5), 24.0 + 20 * (i % 3)) for i in range(len(diagram.boxes))]
    check(diagram, layout_of(diagram, sizes, [40.0] * len(diagram.frames), rankdir))


@st.composite
def diagrams(draw: st.DrawFn) -> Diagram:
    """Any arrows between boxes in frames, cycles too."""
    parents = [draw(st.sampled_from([None, *range(i)])) for i in range(draw(st.integers(0, 3)))]
    frames = [Frame(f"frame{i}", parent) for i, parent in enumerate(parents)]
    places = st.sampled_from([None, *range(len(frames))])
    count = draw(st.integers(len(frames) + 1, 9))
    # A frame holds one box at least.
    where = [*range(len(frames)), *(draw(places) for _ in range(count - len(frames)))]
    boxes = [Box(f"box{i}", "Dense", (), frame) for i, frame in enumerate(where)]
    ends = st.tuples(st.integers(0, count - 1), st.integers(0, count - 1))
    arrows = draw(st.lists(ends, max_size=14, unique=True))
    return Diagram("drawn", boxes, dict.fromkeys(arrows), frames)


@settings(max_examples=30)
@given(diagrams(), st.sampled_from(DIRECTIONS), st.lists(st.floats(5.0, 200.0), min_size=18))
def test_nothing_covers_anything_whatever_leads_where(
    diagram: Diagram, rankdir: str, numbers: list[float]
) -> None:
    sizes = [(numbers[2 * i], numbers[2 * i + 1]) for i in range(len(diagram.boxes))]
    check(diagram, layout_of(diagram, sizes, [30.0] * len(diagram.frames), rankdir))


def test_a_chain_is_straight() -> None:
    diagram = diagram_of(nets.chain(), Shown())
    layout = layout_of(diagram, [(100.0, 20.0), (60.0, 20.0), (80.0, 20.0)], [], "TB")
    assert len({box.left + box.width / 2 for box in layout.boxes}) == 1
    assert all(len({x for x, _ in path}) == 1 for path in layout.paths)


def test_every_text_stands_in_its_box() -> None:
    for make in nets.ALL:
        shown = Shown(True, True, True, True, True, True)
        canvas = canvas_of(diagram_of(make(), shown), "TB", text_width)
        for text in canvas.texts:
            around = Rectangle(text.x, text.y - text.size * 0.7, text.width, text.size * 0.7)
            shapes = [shape.at for shape in [*canvas.boxes, *canvas.frames]]
            assert any(holds(shape, around) for shape in shapes), text


def test_two_hundred_layers_are_drawn_in_their_order() -> None:
    diagram = diagram_of(nets.deep(), Shown())
    layout = layout_of(diagram, [(100.0, 24.0)] * len(diagram.boxes), [], "TB")
    tops = [box.top for box in layout.boxes]
    assert len(tops) == 201 and tops == sorted(tops)
    assert layout.width < 400  # skips run beside the layers, not further and further out
