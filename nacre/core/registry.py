"""Names for classes and functions, and the config protocol that turns objects into plain data.

A config is Keras's: `{"module", "class_name", "config", "registered_name"}`. Built-in classes are
found by class name in nacre's own namespaces, custom ones among those registered or passed in.
Nothing is ever imported by a path that stands in a file, so reading a config runs no code from it.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping
from types import FunctionType
from typing import Any, Literal, TypeVar

import numpy as np

from nacre.core import forks, identity, lambdas, safety
from nacre.core.context import changed, current, put
from nacre.core.dtypes import ALLOWED_DTYPES
from nacre.core.errors import ArgumentError, SerializationError, message, nearest
from nacre.core.kinds import is_dict, is_list, is_numpy_array, is_numpy_scalar

T = TypeVar("T")

forks.watch()  # whatever computes comes through here

# In the config of a lambda, in a copy of a model: the name it is held by.
HELD = "held"

_GLOBAL: dict[str, Any] = {}
_GLOBAL_NAMES: dict[Any, str] = {}

# Keras module in a config -> nacre namespaces that hold its public names, first match wins.
NAMESPACES: dict[str, tuple[str, ...]] = {
    "keras": ("nacre.models", "nacre.core.policies", "nacre.core.random", "nacre.layers"),
    # The others have what Keras 3 dropped of tf.keras 2.
    "keras.models": ("nacre.models", "nacre.tf.keras_dropped", "nacre.tf.keras_wide"),
    "keras.layers": ("nacre.layers", "nacre.tf.keras_extras", "nacre.tf.keras_dropped"),
    "keras.initializers": ("nacre.initializers",),
    "keras.regularizers": ("nacre.regularizers",),
    "keras.constraints": ("nacre.constraints",),
    "keras.activations": ("nacre.activations",),
    "keras.losses": ("nacre.losses",),
    "keras.metrics": ("nacre.metrics",),
    "keras.optimizers": ("nacre.optimizers",),
    "keras.optimizers.schedules": ("nacre.optimizers.schedules",),
    "keras.random": ("nacre.core.random",),
    "keras.dtype_policies": ("nacre.core.policies",),
    "keras.quantizers": ("nacre.quantizers",),
    "keras.ops": ("nacre.ops",),
    "keras.distillation": ("nacre.distillation",),
    "keras.utils": ("nacre.models.feature_space",),
    "keras.src.layers.preprocessing.feature_space": ("nacre.models.feature_space",),
    "keras.src.applications.inception_resnet_v2": ("nacre.applications.inception_resnet_v2",),
    "keras.src.applications.convnext": ("nacre.applications.convnext",),
    "keras.applications.convnext": ("nacre.applications.convnext",),
    # What Keras does not have carries this module in configs, so that nobody looks for it there.
    "nacre": (
        "nacre.layers",
        "nacre.losses",
        "nacre.export.importers.imported",
        "nacre.tf.text_calls",
        "nacre.tf.table_calls",
        "nacre.layers.core.metric_tap",
    ),
}
# Where a bare class name, as tf.keras 2 wrote it, is looked for.
_SEARCH_ORDER = tuple(
    f"keras.{name}"
    for name in (
        "layers models initializers regularizers constraints losses metrics optimizers "
        "optimizers.schedules activations dtype_policies random ops"
    ).split()
)
# The same for names that are no public ones of Keras: what a user registered comes before them.
_LAST_SEARCHED = (
    "nacre",
    "keras.applications.convnext",
    "keras.src.applications.inception_resnet_v2",
)
# How bytes stand in a config: as text, and any byte that is not text comes back as it was.
_BYTES = ("utf-8", "surrogateescape")
# Long module paths that Keras writes into configs, by their beginning.
_LONG_MODULES = {
    "keras.src.models": "keras.models",
    "keras.src.engine": "keras.models",
    "keras.engine": "keras.models",
    "keras.src.layers": "keras.layers",
    "keras.src.initializers": "keras.initializers",
    "keras.src.regularizers": "keras.regularizers",
    "keras.src.constraints": "keras.constraints",
    "keras.src.activations": "keras.activations",
    "keras.src.losses": "keras.losses",
    "keras.src.metrics": "keras.metrics",
    "keras.src.optimizers.schedules": "keras.optimizers.schedules",
    "keras.src.optimizers": "keras.optimizers",
    "keras.src.mixed_precision": "keras.optimizers",
    "keras.mixed_precision": "keras.optimizers",
    "keras.src.dtype_policies": "keras.dtype_policies",
    "keras.src.quantizers": "keras.quantizers",
    "keras.src.ops": "keras.ops",
    "keras.src.distillation": "keras.distillation",
    "keras.src.random": "keras.random",
    "keras.src.backend.common.keras_tensor": "keras",
}


def register(
    name: str, *, module: str | None = None, class_name: str | None = None
) -> Callable[[T], T]:
    """Mark a built-in class with the Keras module its configs name.

    Args:
        name: `folder/ClassName` or `ClassName`; the folder gives `keras.<folder>`.
        module: Keras module when the folder does not give it.
        class_name: Class name in configs when it is not the class's own.
    """

    def mark(cls: T) -> T:
        folder, _, last = name.rpartition("/")
        cls._config_module = module or f"keras.{folder}"  # type: ignore[attr-defined]
        cls._config_class_name = class_name or last  # type: ignore[attr-defined]
        return cls

    return mark


def on_object_created(callback: Callable[[Any, dict[str, Any]], None]) -> changed:
    """Within the scope, `callback(object, config)` is called for each object made from a config.

    Before anything calls or builds it: what a file keeps beside the config, such as a vocabulary,
    must be there by then.
    """
    return changed(on_created=callback)


class CustomObjectScope:
    """Within the scope, configs may name these objects.

    Args:
        custom_objects: name -> class or function.
        more: Further dicts, as in tf.keras 2; later ones win.

    Example:
        >>> with CustomObjectScope({"twice": lambda x: 2 * x}):
        ...     get_registered_object("twice")(4)
        8
    """

    def __init__(self, custom_objects: dict[str, Any] | None, *more: dict[str, Any]) -> None:
        self.custom_objects = dict(custom_objects or {})
        for table in more:
            self.custom_objects.update(table)

    def __enter__(self) -> CustomObjectScope:
        put(custom_objects=(*current().custom_objects, self.custom_objects))
        return self

    def __exit__(self, *args: object) -> None:
        # The innermost of this scope's entries: equal tables of other scopes stay in place.
        tables = current().custom_objects
        for place in reversed(range(len(tables))):
            if tables[place] is self.custom_objects:
                put(custom_objects=(*tables[:place], *tables[place + 1 :]))
                return


custom_object_scope = CustomObjectScope


def get_custom_objects() -> dict[str, Any]:
    """The global dictionary of registered custom objects (live: it may be changed)."""
    return _GLOBAL


def register_keras_serializable(
    package: str = "Custom", name: str | None = None
) -> Callable[[T], T]:
    """Decorator: let files name this class or function as `package>name`.

    Args:
        package: Namespace that keeps names of different projects apart.
        name: Name within it; the object's own by default.

    Raises:
        ArgumentError: A class without `get_config`.
    Example:
        >>> @register_keras_serializable("my_project")
        ... def twice(x):
        ...     return 2 * x
        >>> get_registered_name(twice)
        'my_project>twice'
    """

    def decorate(obj: T) -> T:
        class_name = name or obj.__name__  # type: ignore[attr-defined]
        full = f"{package}>{class_name}"
        if inspect.isclass(obj) and not hasattr(obj, "get_config"):
            raise ArgumentError(
                message(
                    f"register_keras_serializable({class_name})",
                    "a class must have get_config()",
                    "a class without it",
                    "Write get_config() so that the object can be made again from its config.",
                )
            )
        _GLOBAL[full] = obj
        _GLOBAL_NAMES[obj] = full
        return obj

    return decorate


def get_registered_name(obj: Any) -> str:
    """The `package>name` an object is registered under, else its own name."""
    try:
        if obj in _GLOBAL_NAMES:
            return _GLOBAL_NAMES[obj]
    except TypeError:
        pass
    if not hasattr(obj, "__name__"):  # a functools.partial, say, whose arguments no name tells
        raise SerializationError(
            message(
                f"serialize_keras_object({type(obj).__name__})",
                "a function in a file must have a name",
                repr(obj)[:100],
                "Write it as a named function and register it with "
                "@nacre.saving.register_keras_serializable().",
            )
        )
    return obj.__name__


def get_registered_object(
    name: str,
    custom_objects: dict[str, Any] | None = None,
    module_objects: dict[str, Any] | None = None,
) -> Any:
    """The object registered or passed in under a name, or None."""
    for table in (
        custom_objects or {},
        *reversed(current().custom_objects),
        _GLOBAL,
        module_objects or {},
    ):
        if name in table:
            return table[name]
    return None


def short_module(module: str | None) -> str | None:
    """The Keras namespace a long module path belongs to."""
    if module is None or module in NAMESPACES:
        return module
    module = module.removeprefix("tensorflow.python.").removeprefix("tf_")
    for beginning, short in _LONG_MODULES.items():
        if module.startswith(beginning):
            return short
    return module if module in NAMESPACES else None


Kind = Literal["class", "function"]


def builtin(module: str | None, name: str, kind: Kind | None = None) -> Any:
    """A built-in object that a config may name, by Keras namespace and name, or None.

    These are public classes, and the functions a namespace lists as `CONFIG_FUNCTIONS`: those that
    turn arrays into arrays. What opens, writes or fetches a file is in no such list, so no config
    can name it, whatever would be done with it.

    Args:
        module: Keras namespace.
        name: Public name, or a spelling of tf.keras 2.
        kind: 'class' or 'function' when only one of them is meant.
    """
    spaces = NAMESPACES.get(module or "", ()) if module else ()
    for space in spaces:
        found = importlib.import_module(space)
        # tf.keras 2 spellings are kept in one table a namespace.
        for spelling in (name, getattr(found, "LEGACY_NAMES", {}).get(name)):
            value = _offered(found, spelling, kind)
            if value is not None:
                return value
    return None


def _offered(space: Any, name: str | None, kind: Kind | None) -> Any:
    if name is None or name not in getattr(space, "__all__", ()):
        return None
    value = getattr(space, name, None)
    if isinstance(value, type):
        return None if kind == "function" else value
    is_listed = name in getattr(space, "CONFIG_FUNCTIONS", ())
    return value if is_listed and kind != "class" else None


def builtin_anywhere(
    name: str, kind: Kind | None = None, modules: tuple[str, ...] = _SEARCH_ORDER
) -> Any:
    """A built-in object by name alone, from the first namespace that has it."""
    for module in modules:
        found = builtin(module, name, kind)
        if found is not None:
            return found
    return None


def hides_builtin(config: Mapping[str, Any]) -> bool:
    """Whether a config is of somebody's own class that has a built-in one's name, and is registered
    under no other: by its name alone it would be taken for that."""
    module, registered = config.get("module"), config.get("registered_name")
    if module is None or ">" in str(registered) or short_module(module) is not None:
        return False
    is_keras_own = str(module).startswith(("keras.", "keras_", "builtins"))
    return not is_keras_own and builtin_anywhere(str(config["class_name"]), "class") is not None


def is_builtin(cls_or_function: Any) -> bool:
    """True for nacre's own classes and functions."""
    return (getattr(cls_or_function, "__module__", None) or "").split(".")[0] == "nacre"


# Functions that compute what a built-in one does, as those that stand in for TensorFlow's.
_written_as: dict[Callable[..., Any], str] = {}


def write_as(function: Callable[..., Any], name: str) -> None:
    """Let configs name a function as the built-in one that computes the same.

    Args:
        function: The function. It is looked for as itself: what wraps it is another one.
        name: The built-in function's name, which readers know.
    """
    _written_as[function] = name


def _builtin_name(function: Any) -> str | None:
    """The name that a config has of a built-in function; None for any other."""
    if is_builtin(function):
        return getattr(function, "__name__", None)
    return _written_as.get(function) if isinstance(function, FunctionType) else None


def serialize_keras_object(obj: Any) -> Any:
    """An object as plain data that JSON can hold, which `deserialize_keras_object` turns back.

    Args:
        obj: An object with `get_config`, a function, an array, a shape, plain data, or lists,
            tuples and dicts of these.

    Raises:
        SerializationError: It has no config.
    Example:
        >>> import nacre
        >>> data = serialize_keras_object(nacre.activations.relu)
        >>> deserialize_keras_object(data) is nacre.activations.relu
        True
    """
    if _is_builtin_function(obj):  # a name alone would come back as a string
        return {
            "module": "builtins", "class_name": "function", "config": _builtin_name(obj),
            "registered_name": "function",
        }  # fmt: skip
    return plain_config(obj)


def _is_builtin_function(obj: Any) -> bool:
    plain = callable(obj) and not isinstance(obj, type) and not hasattr(obj, "get_config")
    return plain and isinstance(_builtin_name(obj), str)


def plain_config(obj: Any) -> Any:
    """An object as the data that stands in a config: of a built-in function its name alone.

    The rest is as in `serialize_keras_object`.

    Example:
        >>> plain_config([1, "a", None])
        [1, 'a', None]
    """
    if obj is None or isinstance(obj, bool | int | float | str):
        return obj
    if is_numpy_scalar(obj) and obj.dtype.kind in "iufb":
        return obj.item()
    if isinstance(obj, bytes):
        return {"class_name": "__bytes__", "config": {"value": obj.decode(*_BYTES)}}
    if _is_slice(obj):
        parts = {name: plain_config(getattr(obj, name)) for name in _SLICE_PARTS}
        return {"class_name": "__slice__", "config": parts}
    if obj is Ellipsis:
        return {"class_name": "__ellipsis__", "config": {}}
    has_config = hasattr(obj, "get_config")
    if is_list(obj) and not has_config:
        # Tuples become lists, as constructors take both and old readers know only lists.
        return [plain_config(x) for x in obj]
    if is_dict(obj):
        return {_plain_key(key): plain_config(value) for key, value in obj.items()}
    if hasattr(obj, "to_config_data"):
        return _own_data(obj)
    if isinstance(obj, type):
        return {"class_name": "__typespec__", "config": {"name": _name_in_config(obj)}}
    if has_config:
        return _serialize_object(obj)
    if is_numpy_array(obj) or hasattr(obj, "__jax_array__") or _is_jax_array(obj):
        array = np.asarray(obj)
        if array.ndim == 0:
            return array.item()
        config = {"value": array.tolist(), "dtype": str(array.dtype)}
        return {"class_name": "__numpy__", "config": config}
    if isinstance(obj, np.dtype):
        return obj.name
    if callable(obj):
        return _serialize_function(obj)
    raise SerializationError(
        message(
            f"serialize_keras_object({type(obj).__name__})",
            "an object must have get_config()",
            repr(obj)[:100],
            "Write get_config() and from_config(), and register the class with "
            "@nacre.saving.register_keras_serializable().",
        )
    )


def _own_data(obj: Any) -> Any:
    return obj.to_config_data()


def _is_slice(obj: object) -> bool:
    return isinstance(obj, slice)


_SLICE_PARTS = ("start", "stop", "step")


def _plain_key(key: Any) -> Any:
    """A dict key that JSON accepts; numbers stay numbers until a file makes them strings."""
    return key if isinstance(key, str | int | float) or key is None else str(key)


def _is_jax_array(obj: Any) -> bool:
    import jax

    return isinstance(obj, jax.Array)


def _serialize_object(obj: Any) -> dict[str, Any]:
    return identity.written(lambda: _object_data(obj))


def _class_of(obj: object) -> type:
    return type(obj)


def _object_data(obj: Any) -> dict[str, Any]:
    cls = _class_of(obj)
    config = plain_config(obj.get_config())
    if is_builtin(cls) and "_config_module" in _all_vars(cls):
        data = {
            "module": obj._config_module,
            "class_name": obj._config_class_name,
            "config": config,
            "registered_name": getattr(cls, "_config_registered_name", None),
        }
    else:
        data = {
            "module": cls.__module__,
            "class_name": cls.__name__,
            "config": config,
            "registered_name": _name_in_config(cls),
        }
    if hasattr(obj, "get_build_config"):
        build = obj.get_build_config()
        if build is not None:
            data["build_config"] = plain_config(build)
    if getattr(obj, "compiled", False) and hasattr(obj, "get_compile_config"):
        data["compile_config"] = plain_config(obj.get_compile_config())
    table = identity.numbers()
    if table is not None and identity.has_identity(obj):
        data[identity.KEY] = table.of(obj)
    return data


def _all_vars(cls: type) -> set[str]:
    return {name for base in cls.__mro__ for name in vars(base)}


def _serialize_function(function: Any) -> Any:
    name = _builtin_name(function)
    if name is not None or is_builtin(function):
        return name
    name = getattr(function, "__name__", type(function).__name__)
    held = identity.held()
    if lambdas.is_lambda(function) and (held is None or held.writes_code):
        config = lambdas.dump(function)
        if held is not None:
            config[HELD] = held.name_of(function)
        return {"class_name": "__lambda__", "config": config}
    return {
        "module": function.__module__,
        "class_name": "function",
        "config": name,
        "registered_name": _name_in_config(function),
    }


def _name_in_config(thing: Any) -> str:
    """The name that a config has of a class or function of the user's."""
    held = identity.held()
    if held is None or is_builtin(thing):
        return get_registered_name(thing)
    if held.writes_code:
        name = get_registered_name(thing)
        if get_registered_object(name) is thing:
            return name
    return held.name_of(thing)


def deserialize_keras_object(
    config: Any,
    custom_objects: dict[str, Any] | None = None,
    safe_mode: bool = True,
    **kwargs: Any,
) -> Any:
    """The object a config describes.

    Args:
        config: What `serialize_keras_object` gave.
        custom_objects: name -> class or function, for names that are not built in.
        safe_mode: True refuses configs that hold code (a pickled lambda).
        module_objects: tf.keras 2 spelling: a table that plain strings are looked up in.

    Raises:
        SerializationError: The config names something unknown or unsafe.
    Example:
        >>> deserialize_keras_object({"class_name": "__tuple__", "config": {"value": [1, 2]}})
        (1, 2)
    """
    module_objects = kwargs.pop("module_objects", None)
    kwargs.pop("printable_module_name", None)
    with safety.reading(safe_mode, config), CustomObjectScope(custom_objects):
        return identity.read(lambda: _deserialize(config, safe_mode, module_objects))


def _deserialize(config: Any, safe_mode: bool, module_objects: dict[str, Any] | None = None) -> Any:
    if isinstance(config, str) and module_objects is not None:
        found = get_registered_object(config, module_objects=module_objects)
        return config if found is None else found
    if config is None or isinstance(config, bool | int | float | str):
        return config
    if is_list(config):
        return type(config)(_deserialize(item, safe_mode) for item in config)
    if not is_dict(config):
        return config
    if "class_name" not in config or "config" not in config:
        return {key: _deserialize(value, safe_mode) for key, value in config.items()}
    class_name, inner = config["class_name"], config["config"]
    if not isinstance(class_name, str):
        raise _malformed(config, "class_name must be a string")
    if class_name in _SPECIAL:
        return _special(config, safe_mode)
    if class_name == "__lambda__":
        found = lambdas.known(inner)
        if found is None:
            _refuse_code(safe_mode)
            found = lambdas.load(inner)
        return found
    number, table = config.get(identity.KEY), identity.objects()
    if isinstance(number, int) and table is not None:
        known = table.find(number, identity.name_in(config))
        if known is not None:
            return known
    cls = find(config)
    if class_name == "function":
        return cls
    if not hasattr(cls, "from_config"):
        return cls
    inner = inner if is_dict(inner) else {}
    instance = _from_config(cls, inner, safe_mode)
    if (on_created := current().on_created) is not None:
        on_created(instance, config)
    if build := config.get("build_config"):
        build = _deserialize(build, safe_mode)
        if hasattr(instance, "build_apart"):  # it takes its place within another one later
            instance.build_apart(build)
        elif hasattr(instance, "build_from_config") and not getattr(instance, "built", False):
            instance.build_from_config(build)
    compile_config = config.get("compile_config")
    if compile_config and hasattr(instance, "compile_from_config"):
        instance.compile_from_config(compile_config)
    if isinstance(number, int) and table is not None:
        table.add(number, identity.name_in(config), instance)
    return instance


def _from_config(cls: Any, inner: dict[str, Any], safe_mode: bool) -> Any:
    parameters = inspect.signature(cls.from_config).parameters
    # Models take their config as it is and look at their layers themselves.
    extra = {"safe_mode": safe_mode} if "safe_mode" in parameters else {}
    try:
        return cls.from_config(inner, **extra)
    except SerializationError:  # says already what is wrong, with something inside
        raise
    except TypeError as error:
        raise SerializationError(
            message(
                f"{cls.__name__}.from_config",
                "the constructor must accept what the config holds",
                f"{error}",
                "Give the class a get_config() whose keys are its constructor's arguments.",
            )
        ) from error


def _refuse_code(safe_mode: bool) -> None:
    if not safety.may_run_code(safe_mode):
        raise SerializationError(
            message(
                "deserialize_keras_object",
                "a config must not hold code",
                "a pickled lambda",
                "If you trust the file, pass safe_mode=False; better, make it a named function "
                "and pass it in custom_objects.",
            )
        )


def _special(config: dict[str, Any], safe_mode: bool) -> Any:
    try:
        return _SPECIAL[config["class_name"]](config["config"], safe_mode)
    except SerializationError:
        raise
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise _malformed(config, f"{type(error).__name__}: {error}") from error


def _malformed(config: dict[str, Any], why: str) -> SerializationError:
    rule = "a config must have the form that serialize_keras_object gives"
    return SerializationError(
        message("deserialize_keras_object", rule, f"{repr(config)[:100]} ({why[:100]})")
    )


def _special_array(inner: dict[str, Any], safe_mode: bool) -> np.ndarray:
    dtype = np.dtype(inner["dtype"])
    if dtype.kind == "U":  # of the length of the texts, whatever is declared
        return np.array(inner["value"], dtype="U")
    if dtype.kind not in "biufc" and dtype.name not in ALLOWED_DTYPES:
        raise ValueError(f"no dtype of numbers or texts: {dtype}")
    return np.array(inner["value"], dtype=dtype)


def _special_type(inner: dict[str, Any], safe_mode: bool) -> Any:
    name = inner.get("name", "")
    found = get_registered_object(name) or builtin_anywhere(name, "class")
    if not isinstance(found, type):
        raise SerializationError(
            message("deserialize_keras_object", "a type must be registered", repr(inner))
        )
    return found


def _special_symbolic(inner: dict[str, Any], safe_mode: bool) -> Any:
    return {"class_name": "__keras_tensor__", "config": inner}


_SPECIAL: dict[str, Callable[[Any, bool], Any]] = {
    "__tuple__": lambda inner, safe: tuple(_deserialize(v, safe) for v in inner["value"]),
    "__bytes__": lambda inner, safe: inner["value"].encode(*_BYTES),
    "__slice__": lambda inner, safe: slice(
        *(_deserialize(inner[k], safe) for k in ("start", "stop", "step"))
    ),
    "__ellipsis__": lambda inner, safe: Ellipsis,
    "__numpy__": _special_array,
    "__tensor__": _special_array,
    "__typespec__": _special_type,
    "__keras_tensor__": _special_symbolic,
}


def find(config: dict[str, Any]) -> Any:
    """The class or function a config names, among custom and built-in ones.

    Raises:
        SerializationError: Nothing has that name.
    """
    name, registered = config["class_name"], config.get("registered_name")
    source = config.get("module")
    kind: Kind = "function" if name == "function" else "class"
    if kind == "function":
        name = config["config"]
    if not all(isinstance(text, str | None) for text in (name, registered, source)):
        raise _malformed(config, "names must be strings")
    if kind == "function":
        if registered == "function":  # Keras writes so of any function, and module 'builtins'
            registered = source = None
    for candidate in (registered, name):
        if candidate:
            found = get_registered_object(candidate)
            if found is not None:
                return found
    module = short_module(source)
    found = None if source is None else builtin(module, name, kind)
    if found is None and (source is None or module is not None):
        found = builtin_anywhere(name, kind)
    if found is None and ">" not in (registered or ""):
        found = _registered_since(name, kind)
    if found is None and source is None:
        found = builtin_anywhere(name, kind, _LAST_SEARCHED)
    if found is None:
        known = [key.split(">")[-1] for key in _GLOBAL]
        if str(source or "keras").partition(".")[0] in ("keras", "tensorflow", "tf_keras"):
            known += _known_layers()
        hint = nearest(name, set(known) - {name})
        raise SerializationError(
            message(
                "deserialize_keras_object",
                "every class in a config must be built in, registered or passed in",
                f"class {name!r} of module {config.get('module')!r}",
                (f"Did you mean {hint!r}? " if hint else "")
                + f"Pass custom_objects={{{(registered or name)!r}: ...}}, or decorate it with "
                "@nacre.saving.register_keras_serializable().",
            )
        )
    return found


def _registered_since(name: str, kind: Kind) -> Any:
    """What was registered under a package's name after a file was written without one, or None."""
    found = {
        id(obj): obj
        for key, obj in _GLOBAL.items()
        if key.rpartition(">")[2] == name and isinstance(obj, type) == (kind == "class")
    }
    return next(iter(found.values())) if len(found) == 1 else None


def refuse_classes(who: str, function: Any) -> None:
    """Raise for a class where a config must name a function: it is called with further arguments.

    Raises:
        SerializationError: It is a class.
    """
    if isinstance(function, type):
        raise SerializationError(
            message(
                who,
                "a config must name a function here, which turns arrays into arrays",
                f"the class {function.__name__}",
                "Write a function that makes and calls it, and pass it in custom_objects.",
            )
        )


def _known_layers() -> tuple[str, ...]:
    return tuple(getattr(importlib.import_module("nacre.layers"), "__all__", ()))
