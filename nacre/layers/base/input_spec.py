"""What a layer expects of its inputs, and the check that says what is wrong."""

from __future__ import annotations

from typing import Any, Self

from nacre.core import tree
from nacre.core.dtypes import standardize_dtype
from nacre.core.errors import ShapeError, message
from nacre.core.safety import reads_config


class InputSpec:
    """Rules for one input: rank, sizes of axes, dtype.

    Args:
        dtype: Expected dtype, or None.
        shape: Expected shape; None sizes match anything.
        ndim: Expected number of axes.
        max_ndim: Largest number of axes.
        min_ndim: Smallest number of axes.
        axes: axis -> expected size.
        allow_last_axis_squeeze: Whether a last axis of size 1 may be missing.
        name: Expected key when inputs come as a dict.
        optional: Whether the input may be None.

    Example:
        >>> InputSpec(ndim=4, axes={-1: 3})
        InputSpec(ndim=4, axes={-1: 3})
    """

    def __init__(
        self,
        dtype: Any = None,
        shape: Any = None,
        ndim: int | None = None,
        max_ndim: int | None = None,
        min_ndim: int | None = None,
        axes: dict[int, int | None] | None = None,
        allow_last_axis_squeeze: bool = False,
        name: str | None = None,
        optional: bool = False,
    ) -> None:
        self.dtype = standardize_dtype(dtype) if dtype is not None else None
        self.shape = tuple(shape) if shape is not None else None
        self.ndim = len(self.shape) if self.shape is not None else ndim
        self.max_ndim = max_ndim
        self.min_ndim = min_ndim
        self.axes = {int(axis): size for axis, size in (axes or {}).items()}
        self.allow_last_axis_squeeze = allow_last_axis_squeeze
        self.name = name
        self.optional = optional

    def __repr__(self) -> str:
        shown = [
            f"{key}={value!r}"
            for key, value in vars(self).items()
            if value not in (None, {}, False)
        ]
        return f"InputSpec({', '.join(shown)})"

    def get_config(self) -> dict[str, Any]:
        """The arguments, as plain data."""
        return dict(vars(self))

    @classmethod
    @reads_config
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Make the spec a config describes."""
        return cls(**{k: v for k, v in config.items() if k != "ndim" or config["shape"] is None})


def plain_shape(tensor: Any) -> tuple[int | None, ...] | None:
    """The shape of anything that has one, symbolic sizes as None."""
    shape = getattr(tensor, "shape", None)
    return None if shape is None else plain_sizes(shape)


def plain_sizes(shape: Any) -> tuple[int | None, ...]:
    """A shape as messages show it, symbolic sizes as None."""
    return tuple(n if isinstance(n, int) else None for n in shape)


def check_inputs(spec: Any, inputs: Any, who: str) -> None:
    """Raise ShapeError when `inputs` break a layer's specs.

    Args:
        spec: One `InputSpec`, or a list with one an input.
        inputs: Tensors (anything with a shape), nested.
        who: Layer class and path, for the message.
    """
    if spec is None:
        return
    specs = tree.flatten(spec)
    if isinstance(inputs, dict) and all(s is not None and s.name for s in specs):
        missing = [s.name for s in specs if s.name not in inputs and not s.optional]
        if missing:
            raise ShapeError(
                message(
                    who,
                    f"the inputs must have the keys {sorted(s.name for s in specs)}",
                    f"the keys {sorted(map(str, inputs))}",
                )
            )
        tensors = [inputs.get(s.name) for s in specs]
    else:
        tensors = tree.flatten(inputs)
    if len(tensors) != len(specs):
        got = f"{len(tensors)} input(s)"
        if isinstance(inputs, dict):
            got = f"a dict of {len(tensors)}: {', '.join(map(repr, inputs))}"
        fix = hint_for_one_input(inputs) if len(specs) == 1 else ""
        raise ShapeError(message(who, f"it takes {len(specs)} input(s)", got, fix))
    for one, tensor in zip(specs, tensors, strict=True):
        if one is None or (tensor is None and one.optional):
            continue
        shape = plain_shape(tensor)
        if shape is not None:
            _check_one(one, shape, tensor, who)


def hint_for_one_input(given: Any) -> str:
    """What several arrays are likely to be where one is taken, and what to do then."""
    if isinstance(given, dict):
        return (
            f"Pass the one it takes, as x[{next(iter(given))!r}]; targets stand beside x and not "
            "in it: batches are (x, y)."
        )
    shapes = [tuple(getattr(value, "shape", ())) for value in tree.flatten(given)]
    if len(shapes) > 1 and len(set(shapes)) == 1 and shapes[0]:
        return "A list is read as one array an input; samples of one input: np.stack(x)."
    if len(shapes) == 2 and all(shapes) and shapes[0][0] == shapes[1][0]:
        return "Data and targets are two arguments: fit(x, y)."
    return ""


def keep_steps(tensor: Any) -> str:
    """What to do when a recurrent layer before this one gave its last step only; else nothing."""
    history = getattr(tensor, "_keras_history", None)
    layer = getattr(history, "operation", None)
    if getattr(layer, "return_sequences", None) is not False:
        return ""
    kind, name = type(layer).__name__, getattr(layer, "name", "")
    return f"Pass return_sequences=True to {kind} '{name}', so that it gives every step."


def _other_rank(wanted: int, shape: tuple[int | None, ...], tensor: Any, kind: str) -> str:
    """The fix for an input with too few or too many axes: in the data, or in the model's text.

    Args:
        wanted: The number of axes.
        shape, tensor: What came. A symbolic tensor stands for a line of the model, which no
            change of the data mends.
        kind: The class of the layer, such as 'Conv2D'.
    """
    layer = getattr(getattr(tensor, "_keras_history", None), "operation", None)
    before = "" if layer is None else type(layer).__name__
    if before == "Flatten" and len(shape) < wanted:
        return f"Put Flatten behind the {kind}, not before it."
    if len(shape) == wanted - 1:
        sizes = ", ".join("-1" if size is None else str(size) for size in (*shape[1:], 1))
        if before not in ("", "InputLayer"):
            return f"Put Reshape(({sizes})) between {before} and {kind}, or leave {kind} out."
        sizes = sizes.replace("-1", "None")
        return (
            f"Add the missing last axis: x[..., None], and Input(shape=({sizes})) where the model "
            "has an Input; a single sample needs a batch axis: x[None]."
        )
    if len(shape) > wanted and kind[-2:] in ("1D", "2D") and len(shape) <= 5:
        return f"For inputs of {len(shape)} axes use {kind[:-2]}{len(shape) - 2}D."
    if len(shape) == 4 and wanted == 3:
        return f"For a series of vectors put TimeDistributed(Flatten()) before {kind}."
    return ""


def _check_one(spec: InputSpec, shape: tuple[int | None, ...], tensor: Any, who: str) -> None:
    def fail(rule: str, fix: str = "") -> None:
        raise ShapeError(message(who, rule, f"input of shape {shape}", fix))

    ndim = len(shape)
    squeezable = spec.allow_last_axis_squeeze and spec.shape is not None
    if (
        spec.ndim is not None
        and ndim != spec.ndim
        and not (squeezable and abs(ndim - spec.ndim) == 1)
    ):
        fix = keep_steps(tensor) if ndim < spec.ndim else ""
        fix = fix or _other_rank(spec.ndim, shape, tensor, who.partition(" ")[0])
        fail(f"the input must have {spec.ndim} axes, batch first", fix)
    if spec.max_ndim is not None and ndim > spec.max_ndim:
        fail(f"the input must have at most {spec.max_ndim} axes")
    if spec.min_ndim is not None and ndim < spec.min_ndim:
        fail(
            f"the input must have at least {spec.min_ndim} axes, batch first",
            keep_steps(tensor) or "Put single samples into a batch: x[None].",
        )
    for axis, size in spec.axes.items():
        if size is None or not -ndim <= axis < ndim:
            continue
        if shape[axis] is not None and shape[axis] != size:
            where = "the last axis" if axis in (-1, ndim - 1) else f"axis {axis}"
            fail(
                f"{where} must be {size}, its size when the layer was built",
                f"Project the input to {size} features, or make a new layer for {shape[axis]}.",
            )
    if spec.shape is not None and ndim == spec.ndim:
        for expected, given in zip(spec.shape, shape, strict=True):
            if expected is not None and given is not None and expected != given:
                fail(f"the input must have shape {spec.shape}")
    if spec.dtype is not None and standardize_dtype(tensor.dtype) != spec.dtype:
        fail(f"the input must have dtype {spec.dtype}")
