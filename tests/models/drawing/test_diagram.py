"""What a picture of a model shows: boxes, arrows, frames, and what stands in the boxes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nacre
from nacre import layers, ops
from nacre.core.errors import ArgumentError, NotBuiltError, UnknownNameError
from nacre.models.drawing.diagram import Shown, diagram_of
from tests.models.drawing import nets


def drawn(model: Any, layer_range: Any = None, **shown: bool) -> Any:
    return diagram_of(model, Shown(**shown), layer_range)


def arrows(model: Any, layer_range: Any = None, **shown: bool) -> set[tuple[str, str]]:
    """(name, name) of each arrow's ends."""
    diagram = drawn(model, layer_range, **shown)
    return {(diagram.boxes[a].name, diagram.boxes[b].name) for a, b in diagram.arrows}


def cells(model: Any, box: str, **shown: bool) -> dict[str, str]:
    diagram = drawn(model, **shown)
    found = next(one for one in diagram.boxes if one.name == box)
    return {cell.label: " ".join(cell.lines) for row in found.rows for cell in row}


def test_a_stack_is_a_chain_without_its_input_layer() -> None:
    assert arrows(nets.chain()) == {("hidden", "drop"), ("drop", "scores")}


def test_boxes_have_the_classes_of_layers_and_ops() -> None:
    x = nacre.Input((4,), name="x")
    model = nacre.Model(x, ops.expand_dims(layers.Dense(2, name="d")(x), 1) * 3)
    assert [box.kind for box in drawn(model).boxes] == [
        "InputLayer", "Dense", "ExpandDims", "Multiply",
    ]  # fmt: skip


def test_without_names_boxes_have_classes_alone() -> None:
    first = drawn(nets.chain(), show_layer_names=False).boxes[0]
    assert (first.name, first.kind) == ("", "Dense")


def test_a_layer_that_is_called_twice_is_one_box_with_all_its_arrows() -> None:
    assert arrows(nets.again()) >= {
        ("x", "shared"), ("shared", "between"), ("between", "shared"), ("shared", "shared"),
    }  # fmt: skip


def test_a_nested_model_is_one_box_by_default() -> None:
    assert arrows(nets.siamese()) == {
        ("left", "encoder"), ("right", "encoder"), ("encoder", "head"), ("head", "extra"),
    }  # fmt: skip


def test_nested_models_are_expanded_to_frames_and_arrows_lead_to_their_layers() -> None:
    model = nets.siamese()
    diagram = drawn(model, expand_nested=True)
    assert [(frame.name, frame.parent) for frame in diagram.frames] == [
        ("encoder", None), ("head", None),
    ]  # fmt: skip
    found = arrows(model, expand_nested=True)
    assert found >= {("left", "wide"), ("right", "wide"), ("wide", "code")}
    assert found >= {("code", "one"), ("code", "other"), ("abs", "extra")}


def test_inputs_of_a_nested_model_are_told_by_name() -> None:
    a, b = nacre.Input((2,), name="a"), nacre.Input((2,), name="b")
    inner = nacre.Model({"a": a, "b": b}, layers.Subtract(name="minus")([a, b]), name="inner")
    first, second = nacre.Input((2,), name="first"), nacre.Input((2,), name="second")
    model = nacre.Model([first, second], inner({"b": first, "a": second}))
    assert arrows(model, expand_nested=True) >= {("first", "b"), ("second", "a")}


def test_frames_stand_in_frames() -> None:
    diagram = drawn(nets.deeply_nested(), expand_nested=True)
    assert [(f.name, f.parent) for f in diagram.frames] == [
        ("level2", None), ("level1", 0), ("level0", 1),
    ]  # fmt: skip


def test_shapes_are_those_of_inputs_and_outputs() -> None:
    found = cells(nets.two_by_two(), "joined", show_shapes=True)
    assert found == {
        "Input shape": "[(None, 4), (None, 4)]",
        "Output shape": "(None, 8)",
    }
    assert cells(nets.two_by_two(), "text", show_shapes=True) == {"Output shape": "(None, 5)"}


def test_shapes_of_states_given_by_name_are_shown() -> None:
    found = cells(nets.translator(), "decoder", show_shapes=True)
    assert found["Input shape"] == "[(None, 5, 3), (None, 2), (None, 2)]"


def test_a_shared_layer_shows_each_shape_it_is_given() -> None:
    shared = layers.Dense(2, name="shared")
    a, b = nacre.Input((3, 4), name="a"), nacre.Input((4,), name="b")
    model = nacre.Model([a, b], [shared(a), shared(b)])
    found = cells(model, "shared", show_shapes=True)
    assert found["Input shape"] == "(None, 3, 4) | (None, 4)"


def test_dicts_of_outputs_are_named() -> None:
    inner = nets.two_by_two()
    inputs = {"text": nacre.Input((5,), name="t"), "numbers": nacre.Input((3,), name="n")}
    model = nacre.Model(inputs, inner(inputs))
    found = cells(model, "two_by_two", show_shapes=True)
    assert found["Input shape"] == "{text: (None, 5), numbers: (None, 3)}"
    assert "department: (None, 4)" in found["Output shape"]


def test_dtypes_activations_and_training_are_shown() -> None:
    model = nets.chain()
    model.get_layer("hidden").trainable = False
    shown = {"show_dtype": True, "show_layer_activations": True, "show_trainable": True}
    assert cells(model, "hidden", **shown) == {
        "Output dtype": "float32",
        "Activation": "relu",
        "": "Non-trainable",
    }
    assert cells(model, "scores", **shown)[""] == "Trainable"
    assert cells(model, "drop", **shown) == {"Output dtype": "float32"}


def test_a_subclass_is_a_box_with_unknown_shapes() -> None:
    class Own(nacre.Model):
        def __init__(self) -> None:
            super().__init__(name="own")
            self.dense = layers.Dense(2)

        def call(self, x: Any) -> Any:
            return self.dense(x)

    model = Own()
    with pytest.raises(NotBuiltError, match="Own 'own' must be built to be drawn"):
        drawn(model)
    model(np.ones((2, 3), "float32"))
    assert cells(model, "own", show_shapes=True, expand_nested=True) == {
        "Input shape": "?",
        "Output shape": "?",
    }


def test_a_stack_that_does_not_know_its_shapes_must_be_built() -> None:
    model = nacre.Sequential([layers.Dense(3, name="d")], name="s")
    with pytest.raises(NotBuiltError, match=r"Sequential 's' must be built.*model.build"):
        drawn(model)
    model.build((None, 2))
    assert cells(model, "d", show_shapes=True)["Input shape"] == "(None, 2)"


def test_a_part_of_the_layers_is_drawn() -> None:
    assert arrows(nets.residual(), ["b1_first", "b1_add"]) == {
        ("b1_first", "b1_second"), ("b1_second", "b1_add"),
    }  # fmt: skip
    assert arrows(nets.residual(), ["b[12]_first", "b1.*"]) == arrows(
        nets.residual(), ("b1_add", "b1_first")
    )


@pytest.mark.parametrize("draw", ["plot", "summary"])
def test_a_part_is_between_layers_that_are_there(draw: str) -> None:
    model = nets.residual()

    def use(layer_range: Any) -> None:
        if draw == "plot":
            drawn(model, layer_range)
        else:
            model.summary(layer_range=layer_range, print_fn=lambda line, **_: None)

    with pytest.raises(UnknownNameError, match=r"layer_range.*'b1_frist'.*Did you mean 'b1_first'"):
        use(["b1_frist", "b1_add"])
    with pytest.raises(ArgumentError, match="a pair of layer names"):
        use(["b1_first"])
    with pytest.raises(ArgumentError, match="regular expressions"):
        use(["b1_(", "b1_add"])


def test_something_that_is_no_model_is_refused() -> None:
    with pytest.raises(ArgumentError, match="model must be a model"):
        drawn(3)
