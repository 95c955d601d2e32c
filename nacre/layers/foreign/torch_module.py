"""A module of PyTorch as a layer: PyTorch computes, JAX differentiates through it and trains it."""

from __future__ import annotations

import base64
import functools
import hashlib
import io
import threading
import weakref
from collections.abc import Callable
from typing import Any, NamedTuple, Unpack

import jax
import jax.numpy as jnp
import numpy as np

from nacre.core import safety
from nacre.core.errors import (
    ArgumentError,
    SerializationError,
    ShapeError,
    WeightsMismatchError,
    message,
)
from nacre.core.interop import optional_import
from nacre.core.names import name_scope
from nacre.core.origins import is_own_bug
from nacre.core.random import SeedGenerator, draw_key
from nacre.core.registry import register
from nacre.core.scope import in_symbolic_scope
from nacre.core.symbolic import KerasTensor
from nacre.core.variable import Variable, standardize_shape
from nacre.layers.base.calling import is_float_array, to_float
from nacre.layers.base.keywords import WithoutName
from nacre.layers.base.layer import Layer
from nacre.layers.base.weights import check_weights
from nacre.layers.core.configs import explicit_config

_WHO = "TorchModuleWrapper"
# Sizes to try where a size is unknown: an output's size that differs between the two is unknown.
_TRIAL_SIZES = ((2, 64), (3, 96))
# PyTorch's mode and random state belong to the module and the process: one call at a time.
_lock = threading.RLock()


@register("layers/TorchModuleWrapper")
class TorchModuleWrapper(Layer):
    """Use a `torch.nn.Module` as a layer.

    The module's parameters become trainable weights, its buffers (running statistics) weights that
    are not trained: nacre's optimizer trains them, and they are saved with the model. The module
    itself runs in PyTorch on the host's processor, called from the compiled program. Choose it to
    try a module before writing it anew: each call copies inputs, weights and outputs, and the
    backward pass runs the module forward once more.

    Args:
        module: The module. Its own tensors stay as they are; `copy_to_module()` writes the trained
            weights into it.
        name: Name of the layer.
        output_shape: Shape of the output, batch axis included. By default it is found by running
            the module on tensors without data.
    Shapes:
        as the module takes and gives them: positional and keyword arguments of the call are its
        tensors, float or int; outputs are a tensor, or a tuple, list or dict of tensors
    Raises:
        MissingPackageError: PyTorch is not installed.
        ArgumentError: It is no module, or a lazy one that was not called yet.
        ShapeError: The output's shape cannot be found, and `output_shape` is not given.
        SerializationError: A file that holds a module is opened with safe_mode=True.
    Source:
        Arguments and files: Keras 3.15, where it works with the PyTorch backend alone. Differs: it
        works in JAX's compiled training; buffers are weights too. Gradients in reverse mode
        alone: no second derivatives, no `jax.jvp`.
    Example:
        >>> import nacre, torch                                                   # doctest: +SKIP
        >>> layer = nacre.layers.TorchModuleWrapper(torch.nn.Linear(4, 3))        # doctest: +SKIP
        >>> layer(nacre.ops.ones((2, 4))).shape                                   # doctest: +SKIP
        (2, 3)
    """

    saves_by_number = False  # in files arrays have the module's names

    casts_inputs = False  # PyTorch computes in the module's own dtypes

    def __init__(
        self,
        module: Any,
        name: str | None = None,
        output_shape: Any = None,
        **kwargs: Unpack[WithoutName],
    ) -> None:
        super().__init__(name=name, **kwargs)
        self._torch = optional_import("torch", extra="torch", who=self._who())
        self._check_module(module)
        self.module = module
        self._given_output_shape = (
            None if output_shape is None else standardize_shape(tuple(output_shape))
        )
        self.seed_generator = SeedGenerator()
        with name_scope(self.name):
            self._parameters = self._tracked(module.named_parameters(), is_parameter=True)
            self._buffers = self._tracked(module.named_buffers(), is_parameter=False)
        self.built = True

    def _check_module(self, module: Any) -> None:
        nn = self._torch.nn
        if not isinstance(module, nn.Module):
            raise ArgumentError(
                message(self._who(), "module must be a torch.nn.Module", repr(module)[:100])
            )
        lazy = nn.parameter.UninitializedTensorMixin
        if any(isinstance(p, lazy) for p in (*module.parameters(), *module.buffers())):
            raise ArgumentError(
                message(
                    self._who(),
                    "a lazy module must know its shapes before it is wrapped",
                    type(module).__name__,
                    "Call the module once on a torch tensor first.",
                )
            )

    def _tracked(self, named: Any, is_parameter: bool) -> dict[str, Variable]:
        """A variable for each tensor, by the tensor's name in the module."""
        variables = {}
        for name, tensor in named:
            value = _to_numpy(tensor)
            variables[name] = self.add_weight(
                name=name.replace(".", "_"),
                shape=value.shape,
                dtype=str(value.dtype),
                initializer=value,
                trainable=is_parameter and tensor.requires_grad,
                autocast=False,  # PyTorch computes in the module's own dtypes
            )
        return variables

    # ------------------------------------------------------------------------------- the call

    def call(self, *args: Any, training: bool | None = None, **kwargs: Any) -> Any:
        """What the module gives. In training its buffers change, as in PyTorch."""
        training = bool(training)
        leaves, structure = jax.tree.flatten((args, kwargs))
        leaves = [jnp.asarray(leaf) for leaf in leaves]
        specs = self._output_specs(leaves, structure, training)
        buffers = {name: variable.value for name, variable in self._buffers.items()}
        is_float = tuple(is_float_array(leaf) for leaf in leaves)
        run = _Run(self._torch, self.module, structure, is_float, training, specs)
        # Dropout in the module must be the same in the forward and the backward pass.
        bits = jax.random.bits(draw_key(self.seed_generator), (), "uint32") if training else 0
        outputs, buffers = _differentiable(run)(
            {name: variable.value for name, variable in self._parameters.items()},
            [leaf for leaf, ok in zip(leaves, is_float, strict=True) if ok],
            [leaf for leaf, ok in zip(leaves, is_float, strict=True) if not ok],
            buffers,
            jnp.asarray(bits, "uint32"),
        )
        if training:
            for name, value in buffers.items():
                self._buffers[name].assign(value)
        outputs = [to_float(output, self.compute_dtype) for output in outputs]
        return jax.tree.unflatten(specs.structure, outputs)

    def _output_specs(self, leaves: list[Any], structure: Any, training: bool) -> _Specs:
        """Shapes and dtypes of the outputs; sizes that are symbols in the inputs stay symbols."""
        shapes = [leaf.shape for leaf in leaves]
        if all(isinstance(n, int) for shape in shapes for n in shape):
            return self._traced(leaves, shapes, structure, training)
        trials = [_filled(shapes, sizes) for sizes in _TRIAL_SIZES]
        first, second = (self._traced(leaves, trial, structure, training) for trial in trials)
        symbols = {}
        for shape, one, other in zip(shapes, *trials, strict=True):
            for n, a, b in zip(shape, one, other, strict=True):
                if not isinstance(n, int):
                    symbols[a, b] = n
        arrays = []
        for one, other in zip(first.arrays, second.arrays, strict=True):
            sizes = list(zip(one.shape, other.shape, strict=True))
            if any(a != b and (a, b) not in symbols for a, b in sizes):
                raise ShapeError(
                    message(
                        self._who(),
                        "the output's sizes must be known, or be sizes of the inputs",
                        f"inputs of shapes {[tuple(map(str, shape)) for shape in shapes]}",
                        "Give the layer's input a full shape.",
                    )
                )
            shape = tuple(a if a == b else symbols[a, b] for a, b in sizes)
            arrays.append(jax.ShapeDtypeStruct(shape, one.dtype))
        return _Specs(tuple(arrays), first.structure)

    def _traced(
        self, leaves: list[Any], shapes: list[Any], structure: Any, training: bool
    ) -> _Specs:
        """What the module gives for tensors without data."""
        torch = self._torch
        examples = [
            _for_module(torch, self.module, torch.empty(shape, dtype=_torch_dtype(torch, leaf)))
            for leaf, shape in zip(leaves, shapes, strict=True)
        ]
        try:
            outputs = _forward(
                self.module,
                {name: t.detach().to("meta") for name, t in _tensors_of(self.module).items()},
                jax.tree.unflatten(structure, [t.to("meta") for t in examples]),
                training,
            )
        except Exception as error:
            if is_own_bug(error):
                raise
            if self._given_output_shape is None:
                raise ShapeError(
                    message(
                        self._who(),
                        "the module must run on tensors without data, to tell its output's shape",
                        f"{type(error).__name__}: {str(error)[:200]}",
                        "Pass output_shape=(None, ...), the batch axis included.",
                    )
                ) from None
            sizes = [shapes[0][0] if n is None else n for n in self._given_output_shape]
            spec = jax.ShapeDtypeStruct(tuple(sizes), jnp.dtype(self.variable_dtype))
            return _Specs((spec,), jax.tree.structure(0))
        flat, output_structure = jax.tree.flatten(outputs)
        return _Specs(tuple(_spec_of(tensor) for tensor in flat), output_structure)

    traces_shapes = True

    def compute_output_shape(self, *args: Any, **kwargs: Any) -> Any:
        """`output_shape` when it was given, else the shape the module tells."""
        if self._given_output_shape is not None:
            return self._given_output_shape
        return super().compute_output_shape(*args, **kwargs)

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        """Symbolic outputs; a size that depends on an unknown size is unknown."""
        if self._given_output_shape is not None:
            return KerasTensor(self._given_output_shape, self.compute_dtype)
        return super().compute_output_spec(*args, **kwargs)

    def module_variables(self) -> dict[str, Variable]:
        """The weights by their names in the module."""
        return {**self._parameters, **self._buffers}

    def copy_to_module(self) -> Any:
        """Write the layer's weights into the module's own tensors; returns the module."""
        with self._torch.no_grad():
            for name, tensor in _tensors_of(self.module).items():
                tensor.copy_(_to_torch(self._torch, self.module_variables()[name].numpy()))
        return self.module

    # ------------------------------------------------------------------------------- files

    def save_own_variables(self, store: Any) -> None:
        """Put the weights into a store, by their names in the module."""
        for name, variable in self.module_variables().items():
            store[name] = variable.numpy()

    def load_own_variables(self, store: Any) -> None:
        """Set the weights from a store.

        Raises:
            WeightsMismatchError: A name or shape differs.
        """
        variables = self.module_variables()
        found = {name: np.asarray(store[name]) for name in store.keys()}
        if set(found) != set(variables):
            raise WeightsMismatchError(
                message(
                    self._who(),
                    f"the weights must be named {', '.join(sorted(variables))}",
                    ", ".join(sorted(found)) or "none",
                )
            )
        check_weights(self._who(), list(variables.values()), [found[n] for n in variables])
        for name, variable in variables.items():
            variable.assign(found[name].astype(variable.dtype))

    def get_config(self) -> dict[str, Any]:
        """The arguments, the module pickled by PyTorch in base64, as Keras writes it."""
        buffer = io.BytesIO()
        self._torch.save(self.module, buffer)
        text = base64.b64encode(buffer.getvalue()).decode("ascii")
        _written[_digest(text)] = self.module
        return explicit_config(self, module=text, output_shape=self._given_output_shape)

    @classmethod
    def from_config(cls, config: dict[str, Any], safe_mode: bool | None = None) -> Any:
        """Make the layer a config describes; its module is code, refused unless trusted.

        Raises:
            SerializationError: `safe_mode` is not False, and the config holds a pickled module.
        """
        with safety.reading(safe_mode, config):
            module = config.get("module")
            if isinstance(module, str):
                module = _module_from(module, f"TorchModuleWrapper '{config.get('name', '')}'")
            return super().from_config({**config, "module": module})


# Digest of a pickled module -> the module, for what this process wrote itself.
_written: weakref.WeakValueDictionary[str, Any] = weakref.WeakValueDictionary()


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _module_from(text: str, who: str) -> Any:
    # What this process wrote runs nothing that came with a file.
    known = _written.get(_digest(text))
    if known is not None:
        return known
    if not safety.may_run_code():
        raise SerializationError(
            message(
                who,
                "opening a file must not run code from it",
                "a pickled torch.nn.Module",
                "If you trust the file: load_model(path, safe_mode=False). Better: build the model "
                "in code and call load_weights(path).",
            )
        )
    return _unpickled(text)


def _unpickled(text: str) -> Any:
    """The module pickled in base64. For trusted configs only."""
    torch = optional_import("torch", extra="torch", who=_WHO)
    return torch.load(io.BytesIO(base64.b64decode(text)), weights_only=False, map_location="cpu")


# --------------------------------------------------------------------------------- running


class _Specs(NamedTuple):
    """Shapes and dtypes of outputs, and the structure they stand in."""

    arrays: tuple[Any, ...]
    structure: Any


class _Run(NamedTuple):
    """What a call of the module depends on, besides its arrays."""

    torch: Any
    module: Any
    structure: Any  # of (args, kwargs)
    is_float: tuple[bool, ...]  # of the inputs
    training: bool
    specs: _Specs


def _differentiable(run: _Run) -> Callable[..., Any]:
    """The module as a function in JAX of (parameters, floats, others, buffers, bits).

    `floats` and `others` are the inputs by dtype. Returns (outputs, buffers after the call).
    """

    @jax.custom_vjp
    def call(parameters: Any, floats: Any, others: Any, buffers: Any, bits: Any) -> Any:
        if in_symbolic_scope():
            return [jnp.zeros(s.shape, s.dtype) for s in run.specs.arrays], buffers
        specs = [list(run.specs.arrays), jax.tree.map(_same_spec, buffers)]
        host = functools.partial(_host_forward, run)
        arguments = (parameters, floats, others, buffers, bits)
        return jax.pure_callback(host, specs, *arguments, vmap_method="sequential")

    def forward(*arguments: Any) -> Any:
        return call(*arguments), arguments

    def backward(arguments: Any, cotangents: Any) -> Any:
        # Integer outputs have no gradient; buffers carry none from step to step, as in PyTorch.
        wanted = [c for c in cotangents[0] if c.dtype != jax.dtypes.float0]
        specs = jax.tree.map(_same_spec, arguments[:2])
        host = functools.partial(_host_backward, run)
        gradients = jax.pure_callback(host, specs, *arguments, wanted, vmap_method="sequential")
        return (*gradients, None, None, None)

    call.defvjp(forward, backward)
    return call


def _host_forward(
    run: _Run, parameters: Any, floats: Any, others: Any, buffers: Any, bits: Any
) -> Any:
    """Outputs and buffers as NumPy arrays."""
    with run.torch.no_grad():
        tensors = _as_tensors(run, {**parameters, **buffers})
        inputs = _inputs(run, _as_tensors(run, floats), _as_tensors(run, others))
        outputs = _seeded(run, tensors, inputs, bits)
        arrays = [_to_numpy(o, s.dtype) for o, s in zip(outputs, run.specs.arrays, strict=True)]
        changed = {name: _to_numpy(tensors[name], b.dtype) for name, b in buffers.items()}
    return arrays, changed


def _host_backward(
    run: _Run, parameters: Any, floats: Any, others: Any, buffers: Any, bits: Any, wanted: Any
) -> Any:
    """Gradients of the parameters and of the float inputs, by running the module once more."""
    torch = run.torch
    own = _as_tensors(run, parameters)
    given = _as_tensors(run, floats)
    sources = [t.requires_grad_() for t in (*own.values(), *given)]
    with torch.enable_grad():
        tensors = {**own, **_as_tensors(run, buffers)}
        outputs = _seeded(run, tensors, _inputs(run, given, _as_tensors(run, others)), bits)
        is_float = [jnp.issubdtype(s.dtype, jnp.floating) for s in run.specs.arrays]
        outputs = [o for o, ok in zip(outputs, is_float, strict=True) if ok]
        pairs = zip(outputs, wanted, strict=True)
        pairs = [(o, _to_torch(torch, c).to(o.dtype)) for o, c in pairs if o.requires_grad]
        found = [None] * len(sources)
        if pairs and sources:
            results, slopes = zip(*pairs, strict=True)
            found = torch.autograd.grad(results, sources, slopes, allow_unused=True)
    arrays = [
        _to_numpy(torch.zeros_like(s) if g is None else g)
        for s, g in zip(sources, found, strict=True)
    ]
    return dict(zip(own, arrays[: len(own)], strict=True)), arrays[len(own) :]


def _seeded(run: _Run, tensors: dict[str, Any], inputs: Any, bits: Any) -> list[Any]:
    """The module's outputs, flat; `tensors` holds the buffers as they are afterwards."""
    with _lock, run.torch.random.fork_rng(devices=[]):
        run.torch.manual_seed(int(bits))
        outputs = _forward(run.module, tensors, inputs, run.training)
    return jax.tree.leaves(outputs)


def _forward(module: Any, tensors: dict[str, Any], inputs: Any, training: bool) -> Any:
    """Run the module with other tensors than its own, in training or inference mode."""
    functional_call = optional_import("torch.func", extra="torch", who=_WHO).functional_call
    args, kwargs = inputs
    modes = [(part, part.training) for part in module.modules()]
    try:
        module.train(training)
        return functional_call(module, tensors, args, kwargs)
    finally:
        for part, mode in modes:
            part.training = mode


def _inputs(run: _Run, floats: list[Any], others: list[Any]) -> Any:
    """(args, kwargs) of the module, its inputs in their places again."""
    streams = {True: iter(floats), False: iter(others)}
    leaves = [next(streams[is_float]) for is_float in run.is_float]
    leaves = [_for_module(run.torch, run.module, leaf) for leaf in leaves]
    return jax.tree.unflatten(run.structure, leaves)


def _for_module(torch: Any, module: Any, tensor: Any) -> Any:
    """An input as PyTorch expects it: floats as its parameters are, ints of 64 bits."""
    if tensor.dtype == torch.int32:
        return tensor.long()
    if not tensor.is_floating_point():
        return tensor
    wanted = next((p.dtype for p in module.parameters() if p.is_floating_point()), tensor.dtype)
    return tensor.to(wanted)


def _tensors_of(module: Any) -> dict[str, Any]:
    return {**dict(module.named_parameters()), **dict(module.named_buffers())}


def _filled(shapes: list[Any], sizes: tuple[int, int]) -> list[tuple[int, ...]]:
    """Shapes with trial sizes, another one for each axis, where the size is a symbol."""
    batch, others = sizes
    return [
        tuple(
            n if isinstance(n, int) else batch if axis == 0 else others + 8 * axis
            for axis, n in enumerate(shape)
        )
        for shape in shapes
    ]


# --------------------------------------------------------------------------------- tensors


def _as_tensors(run: _Run, arrays: Any) -> Any:
    """Arrays in a dict or list as tensors; a buffer gets the dtype it has in the module."""
    if not isinstance(arrays, dict):
        return [_to_torch(run.torch, array) for array in arrays]
    own = _tensors_of(run.module)
    return {name: _to_torch(run.torch, a).to(own[name].dtype) for name, a in arrays.items()}


def _to_torch(torch: Any, array: Any) -> Any:
    """A tensor with a copy of an array; NumPy has no bfloat16 of its own, so bits are moved."""
    array = np.array(array)
    if array.dtype == jnp.bfloat16:
        return torch.from_numpy(array.view("uint16")).view(torch.bfloat16)
    return torch.from_numpy(array)


def _to_numpy(tensor: Any, dtype: Any = None) -> np.ndarray:
    """An array with a tensor's values, in the widest dtype JAX holds by default."""
    tensor = tensor.detach().cpu()
    if str(tensor.dtype) == "torch.bfloat16":
        array = tensor.float().numpy().astype(jnp.bfloat16)
    else:
        array = tensor.numpy()
    return array.astype(jax.dtypes.canonicalize_dtype(array.dtype) if dtype is None else dtype)


def _torch_dtype(torch: Any, array: Any) -> Any:
    return getattr(torch, str(array.dtype))


def _spec_of(tensor: Any) -> Any:
    name = str(tensor.dtype).removeprefix("torch.")
    return jax.ShapeDtypeStruct(tuple(tensor.shape), jax.dtypes.canonicalize_dtype(jnp.dtype(name)))


def _same_spec(array: Any) -> Any:
    return jax.ShapeDtypeStruct(array.shape, array.dtype)
