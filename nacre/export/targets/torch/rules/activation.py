"""Activations."""

from __future__ import annotations

from collections.abc import Sequence

from nacre.export.graph.ir import Node
from nacre.export.targets.torch.program import FORMS, Program, dtype_of, is_float, listed, shape_of


@FORMS.form("relu")
def _relu(make: Program, node: Node, inputs: Sequence[str]) -> str:
    return f"torch.relu({inputs[0]})"


@FORMS.form("relu6")
def _relu6(make: Program, node: Node, inputs: Sequence[str]) -> str:
    return f"torch.clamp({inputs[0]}, 0, 6)"


@FORMS.form("silu", "mish", "softplus", "softsign")
def _plain(make: Program, node: Node, inputs: Sequence[str]) -> str:
    return f"torch.nn.functional.{node.op}({inputs[0]})"


@FORMS.form("log_sigmoid")
def _log_sigmoid(make: Program, node: Node, inputs: Sequence[str]) -> str:
    return f"torch.nn.functional.logsigmoid({inputs[0]})"


@FORMS.form("hard_sigmoid")
def _hard_sigmoid(make: Program, node: Node, inputs: Sequence[str]) -> str:
    return f"torch.nn.functional.hardsigmoid({inputs[0]})"


@FORMS.form("hard_silu")
def _hard_silu(make: Program, node: Node, inputs: Sequence[str]) -> str:
    return f"torch.nn.functional.hardswish({inputs[0]})"


@FORMS.form("selu")
def _selu(make: Program, node: Node, inputs: Sequence[str]) -> str:
    return f"torch.selu({inputs[0]})"


@FORMS.form("elu", "celu")
def _elu(make: Program, node: Node, inputs: Sequence[str]) -> str:
    alpha = node.attributes["alpha"]
    return f"torch.nn.functional.{node.op}({inputs[0]}, {alpha!r})"


@FORMS.form("leaky_relu")
def _leaky_relu(make: Program, node: Node, inputs: Sequence[str]) -> str:
    return f"torch.nn.functional.leaky_relu({inputs[0]}, {node.attributes['negative_slope']!r})"


@FORMS.form("prelu")
def _prelu(make: Program, node: Node, inputs: Sequence[str]) -> str:
    x, alpha = inputs
    return f"torch.where({x} >= 0, {x}, {alpha} * {x})"


@FORMS.form("gelu")
def _gelu(make: Program, node: Node, inputs: Sequence[str]) -> str:
    kind = "tanh" if node.attributes["approximate"] else "none"
    return f'torch.nn.functional.gelu({inputs[0]}, approximate="{kind}")'


def _is_of_integers(node: Node) -> str | None:
    return None if is_float(dtype_of(node)) else "Cast to float first."


@FORMS.form("softmax", limit=_is_of_integers)
def _softmax(make: Program, node: Node, inputs: Sequence[str]) -> str:
    x, axes = inputs[0], node.attributes["axes"]
    if len(axes) == 1:
        return f"torch.softmax({x}, {axes[0]})"
    shifted = f"torch.exp({x} - torch.amax({x}, {listed(axes)}, True))"
    shifted = make.let(shifted, "shifted") if axes else f"torch.ones_like({x})"
    return f"{shifted} / torch.sum({shifted}, {listed(axes)}, True)" if axes else shifted


@FORMS.form("log_softmax", limit=_is_of_integers)
def _log_softmax(make: Program, node: Node, inputs: Sequence[str]) -> str:
    x, axes = inputs[0], node.attributes["axes"]
    if len(axes) == 1:
        return f"torch.log_softmax({x}, {axes[0]})"
    if not axes:
        return f"torch.zeros_like({x})"
    return f"{x} - torch.logsumexp({x}, {listed(axes)}, True)"


def _is_not_last(node: Node) -> str | None:
    """PyTorch's covers the last axes, with parameters of just their sizes."""
    shape, axes = shape_of(node), [a % len(shape_of(node)) for a in node.attributes["axes"]]
    first = len(shape) - len(axes)
    inner = shape[first:]
    fits = sorted(axes) == list(range(first, len(shape))) and bool(axes)
    fits = fits and all(isinstance(n, int) for n in inner)
    for parameter in node.inputs[1:]:
        if parameter is not None:
            same = parameter.shape == inner and parameter.dtype == dtype_of(node)
            fits = fits and same
    return None if fits else ""


@FORMS.form("layer_normalization", limit=_is_not_last)
def _layer_normalization(make: Program, node: Node, inputs: Sequence[str]) -> str:
    x, scale, offset = (name or "None" for name in inputs)
    first = len(shape_of(node)) - len(node.attributes["axes"])
    inner = make.sizes(shape_of(node)[first:])
    epsilon = node.attributes["epsilon"]
    return f"torch.nn.functional.layer_norm({x}, {inner}, {scale}, {offset}, {epsilon!r})"
