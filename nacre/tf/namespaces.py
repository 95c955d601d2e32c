"""The modules of TensorFlow, each with the names that it has here; others are refused in words."""

from __future__ import annotations

import functools
import importlib
import importlib.util
from types import ModuleType
from typing import Any

from nacre.core.errors import NotThereError, nearest
from nacre.tf.absent import ABSENT, REASONS
from nacre.tf.faces import CONSTANTS, MODULES
from nacre.tf.former_names import FORMER_NAMES
from nacre.tf.generation import version_of
from nacre.tf.listing import in_second_version
from nacre.tf.rows import home_of, made, rows_of
from nacre.tf.table import ROWS

# Where TensorFlow has the same modules a second time, longer paths first.
SECOND_PATHS = {
    "keras.api._v2.keras": "keras",
    "keras.src.layers.convolutional.base_conv": "python.convolutions",
    "keras.src": "keras",
    "keras.api": "keras",
    "_api.v2.v2": "",
    "_api.v2": "",
    "compat.v2": "",
    # Files of tf.keras that older scripts import from.
    **{
        f"{start}keras.{path}.{inner}": f"keras.{path}"
        for start in ("python.", "")
        for path, inners in {
            "utils": "np_utils vis_utils data_utils generic_utils layer_utils",
            "layers": "core convolutional recurrent embeddings merge pooling advanced_activations "
            "wrappers noise local dense_attention convolutional_recurrent",
        }.items()
        for inner in inners.split()
    },
    **{
        f"{start}keras.{inner}": path
        for start in ("python.", "")
        for inner, path in {
            "engine.base_layer": "keras.layers", "engine.input_layer": "keras.layers",
            "engine.input_spec": "keras.layers", "engine.sequential": "keras.models",
            "engine.training": "keras.models", "engine.functional": "keras.models",
            "engine": "keras.layers", "optimizer_v2": "keras.optimizers",
            "saving.save": "keras.models",
        }.items()
    },
    "compat.v1.keras": "keras",
    "python.convolutions": "python.convolutions",
    # Modules of its insides that scripts take public names from.
    **{
        f"python.{inner}": path
        for inner, path in {
            "client.device_lib": "python.client.device_lib", "client": "python.client",
            "eager.backprop": "", "eager.def_function": "", "eager": "python.eager",
            "framework.constant_op": "", "framework.dtypes": "dtypes", "framework.ops": "",
            "framework.errors_impl": "errors", "framework.errors": "errors",
            "framework.smart_cond": "python.smart_cond",
            "framework.sparse_tensor": "sparse", "framework.tensor_spec": "",
            "framework.tensor_util": "", "framework.indexed_slices": "",
            "framework.tensor_shape": "", "framework": "python.framework",
            "ops.array_ops": "", "ops.check_ops": "debugging", "ops.clip_ops": "",
            "ops.control_flow_ops": "", "ops.cond": "", "ops.while_loop": "",
            "ops.custom_gradient": "", "ops.functional_ops": "", "ops.map_fn": "",
            "ops.image_ops": "image", "ops.init_ops_v2": "initializers",
            "ops.init_ops": "initializers", "ops.io_ops": "io", "ops.parsing_ops": "io",
            "ops.linalg_ops": "linalg", "ops.linalg.linalg": "linalg",
            "ops.linalg.sparse.sparse": "python.linalg.sparse.sparse",
            "ops.linalg.sparse": "python.linalg.sparse", "ops.linalg": "python.linalg",
            "ops.rnn_cell_impl": "python.rnn_cell_impl", "ops.variable_scope": "compat.v1",
            "ops.gen_sparse_ops": "python.gen_sparse_ops", "layers.utils": "python.layers.utils",
            "ops.resource_variable_ops": "python.resource_variable_ops",
            "ops.gradients_impl": "", "ops.data_flow_ops": "", "layers": "python.layers",
            "ops.lookup_ops": "lookup", "ops.math_ops": "math", "ops.nn_impl": "nn",
            "ops.nn_ops": "nn", "ops.nn": "nn", "ops.random_ops": "random",
            "ops.sparse_ops": "sparse", "ops.state_ops": "compat.v1",
            "ops.string_ops": "strings", "ops.summary_ops_v2": "summary",
            "ops.tensor_array_ops": "", "ops.variables": "", "ops": "python.ops",
            "module.module": "", "module": "python.module", "data.ops.dataset_ops": "data",
            "data.ops": "python.data.ops", "data": "python.data",
            "platform.gfile": "compat.v1.gfile", "platform.tf_logging": "compat.v1.logging",
            "platform": "python.platform", "util.nest": "nest", "util": "python.util",
        }.items()
    },
    "python": "",
}  # fmt: skip


_PACKAGES = ("hub", "tfds")  # modules that are packages of their own, beside `tensorflow`


class Namespace(ModuleType):
    """A module such as `tensorflow.math` or `tensorflow.keras.layers`.

    Args:
        path: Its name below `tensorflow`: 'math', 'keras.layers'; '' for the package.
    """

    _stands_in = True  # what `core.kinds.loaded` asks, so that it is not taken for TensorFlow

    def __init__(self, path: str) -> None:
        super().__init__(f"tensorflow.{path}" if path else "tensorflow")
        self.__path__ = []  # it may have submodules
        self._path = path

    def __getattr__(self, name: str) -> Any:
        if name == "__version__":
            full = f"{self._path}.__version__" if self._path else name
            if full in CONSTANTS:
                return version_of(self._path, str(CONSTANTS[full]))
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        found = find(self._path, name)
        if type(found) not in (Namespace, str, type(None)):  # as `tf.__version__` is a str
            _lend()
        if f"{self._path}.{name}" != "version.VERSION":  # which the script's text may change yet
            setattr(self, name, found)
        return found

    def __dir__(self) -> list[str]:
        return names_in(self._path)

    @property
    def __all__(self) -> list[str]:
        return names_in(self._path)


@functools.cache
def namespace(path: str) -> Namespace:
    """The module of a name below `tensorflow`."""
    return Namespace(path)


def is_module(path: str) -> bool:
    """Whether there is a module of a name below `tensorflow`."""
    if not path or path in MODULES or path in ROWS or path in SECOND_PATHS.values():
        return True
    if in_second_version(path) is not None:
        return True
    below = (*CONSTANTS, *ROWS, *MODULES, *FORMER_NAMES)
    return any(name.startswith(f"{path}.") for name in below) or _source(path) is not None


def _source(path: str) -> str | None:
    """The module of nacre's that a module of TensorFlow's is a face of."""
    if path in MODULES:
        return MODULES[path]
    parent, _, name = path.rpartition(".")
    above = _source(parent) if parent else None
    if above is None or name.startswith("_") or not name.isidentifier():
        return None
    if importlib.util.find_spec(above) is None:
        return None
    place = f"{above}.{name}"
    try:
        return place if importlib.util.find_spec(place) and _shows(above, name) else None
    except ModuleNotFoundError:
        return None


def _shows(module: str, name: str) -> bool:
    found = importlib.import_module(module)
    return name in getattr(found, "__all__", ()) and isinstance(getattr(found, name), ModuleType)


def find(path: str, name: str) -> Any:
    """What a name of a module is.

    Raises:
        NotThereError: It is not there.
    """
    full = f"{path}.{name}" if path else name
    if full in SECOND_PATHS:
        return namespace(SECOND_PATHS[full])
    if name in rows_of(path):
        return made(home_of(path, name), name)
    if full in CONSTANTS:
        return _constant(full)
    if full in ABSENT:
        raise _not_there(path, name)
    if is_module(full):
        return namespace(full)
    second = in_second_version(path, name)
    if second is not None:
        return find(second, name)
    if full in FORMER_NAMES:
        module, _, present = FORMER_NAMES[full].rpartition(".")
        return find(module, present)
    source = _source(path)
    if source is not None:
        module = importlib.import_module(source)
        if name in getattr(module, "__all__", dir(module)):
            return getattr(module, name)
    raise _not_there(path, name)


def _constant(full: str) -> Any:
    value = CONSTANTS[full]
    if full == "version.VERSION":
        return version_of(full, str(value))
    if isinstance(value, str) and value.startswith("="):
        place, _, attribute = value[1:].partition(":")
        found = importlib.import_module(place)
        for part in attribute.split("."):
            found = getattr(found, part)
        return found
    return value


def _lend() -> None:
    from nacre.tf.methods import lend_methods

    lend_methods()


def names_in(path: str) -> list[str]:
    """The names a module has."""
    start = f"{path}." if path else ""
    found = set(rows_of(path))
    below = (*CONSTANTS, *MODULES, *ROWS, *FORMER_NAMES)
    found |= {name[len(start) :].split(".")[0] for name in below if name.startswith(start)}
    source = _source(path)
    if source is not None:
        module = importlib.import_module(source)
        found.update(getattr(module, "__all__", dir(module)))
    return sorted(
        name
        for name in found
        if (not name.startswith("_") or name == "__version__")
        and f"{start}{name}" not in ABSENT
        and f"{start}{name}" not in _PACKAGES
    )


def reason_for(full: str) -> str | None:
    """What a table says of a name that is not there, or of the module it belongs to."""
    second = full.removeprefix("compat.v1.")
    for known in (*and_above(full), *(and_above(second) if second != full else ())):
        if known in ABSENT:
            found = ABSENT[known]
            return REASONS.get(found, found)
    return None


def and_above(full: str) -> list[str]:
    """A name and the modules around it, the innermost first: `a.b`, `a`."""
    parts = full.split(".")
    return [".".join(parts[:count]) for count in range(len(parts), 0, -1)]


def _not_there(path: str, name: str) -> NotThereError:
    full = f"{path}.{name}" if path else name
    module = f"tensorflow.{path}" if path else "tensorflow"
    reason = reason_for(full)
    if reason is None:
        close = nearest(name, names_in(path))
        elsewhere = [p for p in ("", "math", "linalg", "nn") if name in rows_of(p) and p != path]
        if elsewhere:
            place = f"tf.{elsewhere[0]}.{name}" if elsewhere[0] else f"tf.{name}"
            reason = f"Did you mean {place}?"
        elif close:
            reason = f"Did you mean '{close}'?"
        else:
            reason = "nacre does not have it."
    return NotThereError(f"module '{module}' of nacre has no '{name}'. {reason}")


__all__ = [
    "SECOND_PATHS", "Namespace", "and_above", "find", "is_module", "names_in", "namespace",
    "reason_for",
]  # fmt: skip
