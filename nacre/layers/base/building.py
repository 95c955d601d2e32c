"""How a layer comes by its variables: `build`, with the shapes of the first call or of a config."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from nacre.core import tree, user_code
from nacre.core.context import current
from nacre.core.names import current_path
from nacre.core.origins import is_own_bug, passed_users_code
from nacre.core.registry import is_builtin
from nacre.core.shape_inference import infer
from nacre.core.untraced import untraced
from nacre.layers.base import adapting, calling
from nacre.layers.base.weights import WeightHolder, own_scope

if TYPE_CHECKING:
    from nacre.layers.base.layer import Layer

# One lock for all layers: two threads that build two layers sharing a third cannot wait for each
# other. The same thread may take it again. A layer that is built is called without it.
_building_lock = threading.RLock()


class Buildable(WeightHolder):
    """The part of `Layer` that builds it, once, whichever thread calls it first."""

    _build_only_checks = False  # its `build` looks at shapes and makes no variables

    input_dtype: str

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "build" in vars(cls):
            cls.build = _wrapped_build(cls.build)  # type: ignore[method-assign]

    def build(self, *args: Any, **kwargs: Any) -> None:
        """Make the variables. Subclasses override it.

        A layer made of layers needs no `build` of its own: given a shape, the base builds what is
        inside by finding the output's shape.
        """
        shape = args[0] if args else kwargs.get("input_shape")
        is_own = self.has_own_build
        self.built = True
        parts = self._flatten_layers(False)
        if shape is None or is_own or all(p.built and p._path_of_config is None for p in parts):
            return
        infer(cast("Layer", self), calling.tensors_for(shape, self.input_dtype))

    def _ensure_built(self, named: dict[str, Any]) -> None:
        """Build for the arguments of a first call; wait where another thread is doing it."""
        with _building_lock:
            if not self._built:
                self._maybe_build(named)

    @property
    def built(self) -> bool:
        """Whether all variables are there; from the start for a layer of nacre's without any.

        A layer of a user's own may make variables at its first call, whatever its class says, so
        it is built after that.
        """
        return self._built or self._has_nothing_to_build()

    @built.setter
    def built(self, value: bool) -> None:
        self._built = bool(value)

    def _has_nothing_to_build(self) -> bool:
        makes_something = self.has_own_build and not self._build_only_checks
        if makes_something or self._own_variables or not calling.has_pure_calls(self):
            return False
        return not self._flatten_layers(False)

    @property
    def has_own_build(self) -> bool:
        """Whether its class says how it is built; else finding an output's shape builds it."""
        return type(self).build is not Buildable.build

    def _maybe_build(self, named: dict[str, Any]) -> None:
        if self._built:
            return
        shapes = {
            name: calling.shapes_of(value)
            for name, value in named.items()
            if any(hasattr(leaf, "shape") for leaf in tree.flatten(value))
        }
        shapes = {k: tuple(v) if _is_flat_shape(v) else v for k, v in shapes.items()}
        names = calling.parameter_names(type(self).build)
        overridden = self.has_own_build
        if (
            overridden
            and any(f"{name}_shape" in names for name in shapes)
            and (len(names) > 1 or names[0] != "input_shape")
        ):
            named = {f"{n}_shape": s for n, s in shapes.items() if f"{n}_shape" in names}
            self.build(**self._as_build_takes(named))
        elif shapes and overridden:
            self.build(self._as_build_takes(next(iter(shapes.values()))))
        else:
            self.build(None)
        if self._build_shapes is None and shapes:
            self._build_shapes = {"input_shape": next(iter(shapes.values()))}
        self._after_build()

    def _as_build_takes(self, shapes: Any) -> Any:
        """Shapes as its `build` gets them, a user's or nacre's."""
        return shapes if is_builtin(type(self)) else user_code.as_given(shapes)

    def _after_build(self) -> None:
        self.built = True
        if self._initial_weights is not None:
            values, self._initial_weights = self._initial_weights, None
            with untraced():
                self.set_weights(values)
        self._tell_built()

    def _tell_built(self) -> None:
        if self._when_built is not None:
            tell, self._when_built = self._when_built, None
            try:
                tell()
            except BaseException:
                self._when_built, self._built = tell, False  # the next call asks again
                raise

    def get_build_config(self) -> dict[str, Any] | None:
        """What `build` was called with, so that a reader can build without data."""
        shapes = self._build_shapes
        if shapes is None or len(shapes) > 1:
            return None if shapes is None else {"shapes_dict": shapes}
        return {"input_shape": next(iter(shapes.values()), None)}

    def build_from_config(self, config: dict[str, Any]) -> None:
        """Build with what `get_build_config` gave."""
        if not config or self._built:
            return
        shapes = {key: _shape_from_config(value) for key, value in config.items()}
        if set(shapes) == {"input_shape"}:
            if shapes["input_shape"] is not None:
                self.build(shapes["input_shape"])
                self._after_build()
                self._build_parts(shapes["input_shape"])
        elif "shapes_dict" in shapes:
            if shapes["shapes_dict"]:
                self.build(**shapes["shapes_dict"])
                self._after_build()
        else:
            self.build(**shapes)
            self._after_build()

    def build_apart(self, config: dict[str, Any]) -> None:
        """Build a part of another layer, whose config is being read, before that layer is there.

        The paths of its variables begin with its own name until the layer around it builds or
        calls it; then they are what they would have been, had that layer built it.

        Args:
            config: What `get_build_config` gave.
        """
        if self.built:
            return
        self.build_from_config(config)
        self._await_place()

    def _await_place(self) -> None:
        self._path_of_config = _join(current_path(), self.name)

    def _take_place(self) -> None:
        """Move the variables to the path where they are, for a layer that was built apart.

        A layer whose policy says other dtypes for that path is built anew.
        """
        before, self._path_of_config = self._path_of_config, None
        above = current().names
        now = "/".join(above) if above[-1:] == (self.name,) else _join("/".join(above), self.name)
        if before is None or now == before:
            return
        layers = self._flatten_layers()
        dtypes = [layer.variable_dtype for layer in layers]
        for variable in self.variables:
            variable.path = _moved(variable.path, before, now)
        self._built_path = self._built_path or before
        for layer in layers:
            layer._path = _moved(layer._path, before, now)
            if layer._built_path is not None:
                layer._built_path = _moved(layer._built_path, before, now)
        if dtypes != [layer.variable_dtype for layer in layers]:
            for layer in layers:
                if f"{layer._built_path}/".startswith(f"{now}/"):
                    layer._forget_build()

    def _forget_build(self) -> None:
        """Be built anew by the next call, as if it had not been."""
        if self.has_own_build:
            self._own_variables.clear()
            self._built, self._build_shapes = False, None

    def _build_parts(self, shape: Any) -> None:
        """Build the layers that `build` made and left for the first call to build."""
        parts = self._flatten_layers(False)
        if all(part.built and part._path_of_config is None for part in parts):
            return
        try:
            infer(cast("Layer", self), calling.tensors_for(shape, self.input_dtype))
        except Exception as error:  # a call that takes more: what stays unbuilt is told of later
            if is_own_bug(error) and not passed_users_code(error):
                raise


def _join(above: str, name: str) -> str:
    return f"{above}/{name}" if above else name


def _moved(path: str, before: str, now: str) -> str:
    """A path below `before`, or that itself, below `now`; others as they are."""
    return now + path[len(before) :] if f"{path}/".startswith(f"{before}/") else path


def _wrapped_build(build: Callable[..., None]) -> Callable[..., None]:
    """`build` within the layer's name scope, remembering its shapes, marking the layer built."""
    if getattr(build, "_nacre_wrapped", False):
        return build

    @functools.wraps(build)
    def wrapped(self: Buildable, *args: Any, **kwargs: Any) -> None:
        with _building_lock:
            if self._building:
                build(self, *args, **kwargs)
                return
            if self._path_of_config is not None:
                self._take_place()
            names = [n for n in calling.parameter_names(build) if n not in ("args", "kwargs")]
            shapes = user_code.as_tuples({**dict(zip(names, args, strict=False)), **kwargs})
            known = self._build_shapes
            if self._built and self._own_variables and known and _are_same_shapes(shapes, known):
                return  # it has its variables: a layer around it may have been made from a config
            self._building = True
            already = len(self._own_variables)
            try:
                with own_scope(self, self.name):
                    self._built_path = current_path()
                    build(self, *args, **kwargs)
                    adapting.restore(self)
                if self._initial_weights is None:  # else after these, in `_after_build`
                    self._tell_built()
            except BaseException:
                del self._own_variables[already:]  # a second try must not make them twice
                raise
            finally:
                self._building = False
            self._build_shapes = shapes
            self.built = True

    wrapped._nacre_wrapped = True  # type: ignore[attr-defined]
    return wrapped


def _are_same_shapes(shapes: Any, known: Any) -> bool:
    """Whether shapes are those a layer was built with, but for the batch size and unknown ones."""
    if isinstance(shapes, dict) and isinstance(known, dict):
        # The one argument of `build` may have any name.
        pairs = zip(shapes.values(), known.values(), strict=False)
        return len(shapes) == len(known) and all(_are_same_shapes(a, b) for a, b in pairs)
    if not isinstance(shapes, list | tuple) or not isinstance(known, list | tuple):
        return shapes == known
    if len(shapes) != len(known):
        return False
    if _is_flat_shape(tuple(shapes)) and _is_flat_shape(tuple(known)):
        pairs = zip(shapes[1:], known[1:], strict=True)
        return all(a is None or b is None or a == b for a, b in pairs)
    return all(_are_same_shapes(a, b) for a, b in zip(shapes, known, strict=True))


def _is_flat_shape(value: Any) -> bool:
    return isinstance(value, tuple) and all(n is None or isinstance(n, int) for n in value)


def _shape_from_config(value: Any) -> Any:
    """Shapes written as lists become tuples again."""
    if isinstance(value, list):
        if all(n is None or isinstance(n, int) for n in value):
            return tuple(value)
        return [_shape_from_config(v) for v in value]
    if isinstance(value, dict):
        return {k: _shape_from_config(v) for k, v in value.items()}
    return value
