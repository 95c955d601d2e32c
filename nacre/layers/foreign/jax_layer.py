"""A model written as functions in JAX, as a layer."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from typing import Any, Self, Unpack

import jax
import jax.numpy as jnp
import numpy as np

from nacre.core import safety, tree
from nacre.core.errors import ArgumentError, SerializationError, message
from nacre.core.random import SeedGenerator, draw_key, make_default_seed
from nacre.core.registry import register
from nacre.core.safety import reads_config
from nacre.core.variable import Variable
from nacre.layers.base.keywords import LayerKeywords
from nacre.layers.base.layer import Layer
from nacre.layers.core.configs import explicit_config, without

_CALL_NAMES = ("params", "state", "rng", "inputs", "training")
_INIT_NAMES = ("rng", "inputs", "training")


@register("layers/JaxLayer")
class JaxLayer(Layer):
    """Call a function in JAX, with its parameters as the layer's weights.

    Choose it to use a model of another JAX library; to write a layer of your own, subclass `Layer`.

    Args:
        call_fn: Called with those of the arguments `params`, `state`, `rng`, `inputs` and
            `training` that it names; `inputs` it must name. Returns the outputs, or, when it names
            `state`, the pair (outputs, new state).
        init_fn: Called at build with those of `rng`, `inputs` (arrays of ones) and `training`
            (True) that it names. Returns `params`, or (params, state) when `call_fn` names `state`.
        params: Nested structure of arrays: the first trainable weights, instead of `init_fn`.
        state: Nested structure of arrays: the first state that is not trained.
        seed: Int for `rng`, for repeatable results.
        native_serialization_platforms: Kept for compatibility with Keras; changes nothing.
    Shapes:
        inputs, outputs: as the function takes and gives them. Weights: the leaves of `params`, then
        those of `state`.
    Raises:
        ArgumentError: A function names other arguments, or nothing tells the first weights.
    Source:
        Interface: Keras 3.15. Differs: `rng` is a key of the new style; a config tells shapes of
        `params` given without `init_fn`, so that files can be read: a layer made from a config
        alone has zeros there until its weights are set.
    Example:
        >>> import nacre, jax.numpy as jnp
        >>> def scaled(params, inputs):
        ...     return params["scale"] * inputs
        >>> layer = nacre.layers.JaxLayer(scaled, params={"scale": 2.0})
        >>> layer(jnp.ones((1, 2))).tolist()
        [[2.0, 2.0]]
    """

    def __init__(
        self,
        call_fn: Callable[..., Any],
        init_fn: Callable[..., Any] | None = None,
        params: Any = None,
        state: Any = None,
        seed: int | None = None,
        native_serialization_platforms: Any = None,
        **kwargs: Unpack[LayerKeywords],
    ) -> None:
        super().__init__(**kwargs)
        self.call_fn = call_fn
        self.init_fn = init_fn
        self.seed = seed
        self.native_serialization_platforms = native_serialization_platforms
        self._call_names = self._names("call_fn", call_fn, _CALL_NAMES)
        self._init_names = self._names("init_fn", init_fn, _INIT_NAMES) if init_fn else ()
        self._input_dtypes: Any = None
        self._params: _Weights | None = None
        self._state: _Weights | None = None
        takes_weights = {"params", "state"} & set(self._call_names)
        if takes_weights and init_fn is None and params is None and state is None:
            raise ArgumentError(
                message(
                    self._who(),
                    "init_fn, or params and state, must tell the first weights",
                    "none of them",
                    "Pass init_fn=lambda rng, inputs: ..., or params=...",
                )
            )
        if params is not None:
            self._params = self._tracked("params", params)
        if state is not None:
            self._state = self._tracked("state", state)
        if "rng" in self._call_names:
            self.seed_generator = SeedGenerator(seed)

    def _names(self, which: str, function: Any, known: tuple[str, ...]) -> tuple[str, ...]:
        """The arguments a function names, all of them known."""
        names = tuple(inspect.signature(function).parameters)
        unknown = [name for name in names if name not in known]
        if unknown or (which == "call_fn" and "inputs" not in names):
            raise ArgumentError(
                message(
                    self._who(),
                    f"{which} must name its arguments among {', '.join(known)}"
                    + (" and take 'inputs'" if which == "call_fn" else ""),
                    f"arguments {', '.join(names) or 'none'}",
                    "Wrap it in a function with these names.",
                )
            )
        return names

    # ------------------------------------------------------------------------------- weights

    @property
    def params(self) -> Any:
        """The trainable variables in the structure of `params`; None before they are made."""
        return None if self._params is None else self._params.unflatten(self._params.variables)

    @property
    def state(self) -> Any:
        """The variables that are not trained, in the structure of `state`, or None."""
        return None if self._state is None else self._state.unflatten(self._state.variables)

    def _tracked(self, which: str, values: Any) -> _Weights:
        """Variables for the leaves of a structure."""
        leaves, structure = jax.tree_util.tree_flatten_with_path(values)
        variables = []
        for path, leaf in leaves:
            array = leaf.value if isinstance(leaf, Variable) else leaf
            if not hasattr(array, "dtype") and not isinstance(array, bool | int | float | complex):
                raise ArgumentError(
                    message(
                        self._who(),
                        f"{which} must be a nested structure of arrays",
                        f"{array!r} at {jax.tree_util.keystr(path)}",
                    )
                )
            array = np.asarray(array, self.variable_dtype if isinstance(array, float) else None)
            variables.append(
                self.add_weight(
                    name=_name_of(path) or which,
                    shape=array.shape,
                    dtype=jax.dtypes.canonicalize_dtype(array.dtype).name,
                    initializer=array,
                    trainable=which == "params",
                )
            )
        return _Weights(variables, structure)

    def _maybe_build(self, named: dict[str, Any]) -> None:
        # `init_fn` may look at the dtypes, which shapes do not tell: tokens are ints.
        inputs = named.get("inputs")
        self._input_dtypes = tree.map_structure(lambda x: str(x.dtype), inputs)
        super()._maybe_build(named)

    def build(self, input_shape: Any) -> None:
        """Make the weights, with `init_fn` unless `params` or `state` were given."""
        names = set(self._call_names) & {"params", "state"}
        if self._params is not None or self._state is not None or not names:
            return
        arguments = {
            "rng": draw_key(make_default_seed() if self.seed is None else self.seed),
            "inputs": self._examples(input_shape),
            "training": True,
        }
        assert self.init_fn is not None  # the constructor asks for it
        with jax.ensure_compile_time_eval():
            result = self.init_fn(**{name: arguments[name] for name in self._init_names})
        params, state = result if "state" in names else (result, None)
        self._params = self._tracked("params", params)
        if "state" in names:
            self._state = self._tracked("state", state)

    def _examples(self, shapes: Any) -> Any:
        """Arrays of ones, with size 1 where the size is not known."""
        dtypes = tree.flatten(self._input_dtypes) if self._input_dtypes is not None else []

        def walk(shape: Any) -> Any:
            if isinstance(shape, dict):
                return {key: walk(value) for key, value in shape.items()}
            if all(n is None or isinstance(n, int) for n in shape):
                dtype = dtypes.pop(0) if dtypes else self.compute_dtype
                return jnp.ones([1 if n is None else n for n in shape], dtype)
            return type(shape)(walk(value) for value in shape)

        return walk(shapes)

    # ------------------------------------------------------------------------------- the call

    def call(self, inputs: Any, training: bool | None = False) -> Any:
        """What `call_fn` gives."""
        arguments: dict[str, Any] = {"inputs": inputs, "training": bool(training)}
        if "params" in self._call_names:
            arguments["params"] = self._params.values() if self._params else None
        if "state" in self._call_names:
            arguments["state"] = self._state.values() if self._state else None
        if "rng" in self._call_names:
            arguments["rng"] = draw_key(self.seed_generator)
        outputs = self.call_fn(**{name: arguments[name] for name in self._call_names})
        if "state" not in self._call_names:
            return outputs
        outputs, state = self._pair(outputs)
        if self._state is not None:
            self._state.assign(state, self._who())
        return outputs

    def _pair(self, outputs: Any) -> Any:
        if isinstance(outputs, tuple) and len(outputs) == 2:
            return outputs
        raise ArgumentError(
            message(
                self._who(),
                "a call_fn with the argument 'state' must return (outputs, new state)",
                type(outputs).__name__,
            )
        )

    # ------------------------------------------------------------------------------- configs

    def get_config(self) -> dict[str, Any]:
        """The functions and, where no `init_fn` makes them, the shapes of the weights."""
        config = explicit_config(
            self,
            call_fn=self.call_fn,
            init_fn=self.init_fn,
            seed=self.seed,
            native_serialization_platforms=self.native_serialization_platforms,
        )
        if self.init_fn is None:
            for name, weights in (("params", self._params), ("state", self._state)):
                if weights is not None:
                    config[name] = weights.described(self._who())
        return without(config, "seed")

    @classmethod
    @reads_config
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Make the layer a config describes."""
        config = dict(config)
        for name in ("params", "state"):
            if name in config:
                config[name] = _zeros(config[name])
        return super().from_config(config)

    def get_build_config(self) -> dict[str, Any] | None:
        """The input's shape, and its dtype where it is not a float's."""
        config = super().get_build_config()
        dtypes = self._input_dtypes
        if config is not None and dtypes is not None:
            if any("float" not in dtype for dtype in tree.flatten(dtypes)):
                config["input_dtype"] = dtypes
        return config

    def build_from_config(self, config: dict[str, Any]) -> None:
        """Build with what `get_build_config` gave."""
        config = dict(config or {})
        self._input_dtypes = config.pop("input_dtype", None)
        super().build_from_config(config)


class _Weights:
    """Variables in the place of a structure's leaves."""

    def __init__(self, variables: list[Variable], structure: Any) -> None:
        self.variables, self.structure = variables, structure

    def unflatten(self, leaves: Any) -> Any:
        return jax.tree.unflatten(self.structure, leaves)

    def values(self) -> Any:
        """The structure of the current values."""
        return self.unflatten([variable.value for variable in self.variables])

    def assign(self, values: Any, who: str) -> None:
        """Set the variables from a structure of the same form."""
        leaves, structure = jax.tree.flatten(values)
        if structure != self.structure:
            raise ArgumentError(
                message(
                    who,
                    "the new state must have the structure of the first one",
                    f"{structure}, not {self.structure}",
                )
            )
        for variable, leaf in zip(self.variables, leaves, strict=True):
            variable.assign(leaf)

    def described(self, who: str) -> Any:
        """The structure as plain data, with shapes and dtypes as leaves."""
        return _described(self.unflatten(self.variables), who)


def _described(node: Any, who: str) -> Any:
    """{"dict" or "list" or "tuple": parts}, and {"array": [shape, dtype]} for a variable."""
    if node is None:
        return None
    if isinstance(node, Variable):
        return {"array": [list(node.shape), node.dtype]}
    if type(node) in (list, tuple):
        return {type(node).__name__: [_described(part, who) for part in node]}
    if type(node) is dict and all(isinstance(key, str) for key in node):
        return {"dict": {key: _described(part, who) for key, part in node.items()}}
    raise SerializationError(
        message(
            f"{who}.get_config",
            "params and state must be made of dicts with strings as keys, lists and tuples",
            type(node).__name__,
            "Pass init_fn, which makes them anew.",
        )
    )


def _zeros(described: Any) -> Any:
    """The structure `_described` tells, with arrays of zeros."""
    if described is None:
        return None
    (kind, inner), *_ = described.items()
    if kind == "array":
        shape, dtype = inner
        safety.reserve(math.prod(shape) * np.dtype(dtype).itemsize, "JaxLayer")
        return np.zeros(shape, dtype)
    if kind == "dict":
        return {key: _zeros(part) for key, part in inner.items()}
    parts = [_zeros(part) for part in inner]
    return tuple(parts) if kind == "tuple" else parts


def _name_of(path: Any) -> str:
    """Keys of a path joined by '_': ('dense', 'kernel') -> 'dense_kernel'."""
    keys = [str(getattr(k, "key", getattr(k, "idx", getattr(k, "name", "")))) for k in path]
    return "_".join(keys).replace("/", "_")
