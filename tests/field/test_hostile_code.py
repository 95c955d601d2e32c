"""No file and no config runs code or names a function that opens, writes or fetches.

The published ideas and their like: CVE-2024-3660 (code of a Lambda), CVE-2025-1550 (any function as
a layer of a config), CVE-2025-8747 (a function that fetches and unpacks), CVE-2025-9905 (a Lambda
in `.h5`), CVE-2025-9906 (a config that lowers the guard), CVE-2025-49655 (a module of PyTorch, which
is a pickle). Each is tried through every door.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nacre
from nacre.core import registry, safety
from nacre.core.errors import NacreError, SerializationError
from nacre.saving import deserialize_keras_object, load_model
from tests.field import hostile
from tests.field.hostile import DOORS, code_that_writes, function, graph, layer, stack, tensor


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    """A file that is there only when something fired."""
    return tmp_path / "canary"


def bomb(canary: Path, folder: Path) -> str:
    """A model file that runs code when it is opened with safe_mode=False and called."""
    evil = layer("Lambda", name="evil", function=code_that_writes(canary))
    return str(hostile.keras_file(graph(evil), folder / "bomb.keras"))


def payloads(canary: Path, folder: Path) -> dict[str, dict[str, Any]]:
    """Models that write the canary, or take the guard away, where their entries are called."""
    path = bomb(canary, folder)
    inner = layer("Lambda", name="evil", function=code_that_writes(canary))
    save = layer("save_model", "keras.models", name="e")
    entry = {"name": "e"}
    return {
        "load_model": graph(layer("load_model", "keras.models"), path, safe_mode=False),
        "load_model by function": graph({**entry, **function("load_model")}, path, None, False),
        "load_model of saving": graph(layer("load_model", "keras.saving"), path, safe_mode=False),
        "save_model": graph(save, stack(), str(canary)),
        "get_file": graph(
            layer("get_file", "keras.utils"), "canary", f"file://{path}", cache_dir=str(folder)
        ),
        "enable": graph(layer("enable_unsafe_deserialization", "keras.config")),
        "deserialize": graph(layer("deserialize", "keras.layers"), inner),
        "model_from_json": graph(layer("model_from_json", "keras.models"), "{}"),
        "set_random_seed": graph(layer("set_random_seed", "keras.random"), 1),
        "a type": graph({"class_name": "__typespec__", "config": {"name": "load_model"}}),
        "lambda": graph(inner),
        "lambda in a stack": stack(inner),
        "lambda as mask": graph(
            layer("Lambda", name="evil", function=function("relu"), mask=code_that_writes(canary))
        ),
        "lambda as activation": graph(
            layer("Dense", name="evil", units=2, activation=code_that_writes(canary))
        ),
        "lambda as initializer": graph(
            layer("Dense", name="evil", units=2, kernel_initializer=code_that_writes(canary))
        ),
        "lambda in a wrapper": graph(layer("TimeDistributed", name="evil", layer=inner)),
        "lambda in an argument": graph(layer("Dropout", rate=0.1), tensor("x"), code_that_writes(canary)),
        "lambda in an op": graph(layer("Map", "keras.src.ops.core", f=code_that_writes(canary)), tensor("x")),
        "lambda by Keras 2": graph(
            layer("Lambda", name="e", function_type="lambda",
                  function=[code_that_writes(canary)["config"]["code"], None, None])
        ),
        "lambda at build": graph(
            {**layer("Dense", name="evil", units=2), "build_config": {"input_shape": code_that_writes(canary)}}
        ),
        "lambda at compile": {
            **stack(layer("Dense", name="d", units=1)),
            "compile_config": {"optimizer": "sgd", "loss": code_that_writes(canary), "metrics": None},
        },
        "safe_mode in the config": graph({**inner, "safe_mode": False,
                                          "config": {**inner["config"], "safe_mode": False}}),
        "pickled module": graph(layer("TorchModuleWrapper", name="e", module="gASVAAAAAA==")),
    }  # fmt: skip


PAYLOADS = (
    "load_model", "load_model by function", "load_model of saving", "save_model", "get_file",
    "enable", "deserialize", "model_from_json", "set_random_seed", "a type", "lambda",
    "lambda in a stack", "lambda as mask", "lambda as activation", "lambda as initializer",
    "lambda in a wrapper", "lambda in an argument", "lambda in an op", "lambda by Keras 2",
    "lambda at build", "lambda at compile", "safe_mode in the config", "pickled module",
)  # fmt: skip


@pytest.mark.parametrize("door", DOORS)
def test_nothing_a_file_says_is_run(door: str, canary: Path, tmp_path: Path) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    found = payloads(canary, folder)
    assert set(found) == set(PAYLOADS)
    for index, name in enumerate(PAYLOADS):
        if door == "class" and name == "lambda at compile":
            continue  # it stands beside what `from_config` takes
        place = tmp_path / str(index)
        place.mkdir()
        refused = False
        try:
            DOORS[door](found[name], place)
        except NacreError:
            refused = True
        assert refused, name
        assert not canary.exists(), name
        assert not safety.may_run_code(), name
    assert not (folder / "datasets").exists()


def test_the_payload_fires_where_its_author_is_trusted(canary: Path, tmp_path: Path) -> None:
    model = load_model(bomb(canary, tmp_path), safe_mode=False)
    model(np.ones((1, 4), "float32"))
    assert canary.exists()


# -------------------------------------------------------------------- names of functions

ELSEWHERE = ("models", "saving", "utils", "datasets", "config", "random", "layers", "optimizers",
             "initializers", "losses", "metrics", "activations", "quantizers", "data")  # fmt: skip


def callables() -> list[tuple[str, str]]:
    """(namespace, name) of every public function of nacre, and of those in modules below."""
    found = []
    for name in ELSEWHERE:
        module = importlib.import_module(f"nacre.{name}")
        names = [n for n in dir(module) if inspect.isroutine(getattr(module, n, None))]
        found += [(name, n) for n in names]
    saving = importlib.import_module("nacre.saving")
    for info in pkgutil.walk_packages(saving.__path__, "nacre.saving."):
        module = importlib.import_module(info.name)
        found += [(info.name, n) for n, v in vars(module).items() if inspect.isfunction(v)]
    return found


def test_configs_name_only_functions_of_arrays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "nearest", lambda *_: None)  # hints take most of the time
    allowed = {
        name
        for space in ("activations", "losses", "metrics", "ops")
        for name in importlib.import_module(f"nacre.{space}").CONFIG_FUNCTIONS
    }
    helpers = {"get", "serialize", "deserialize", "load_model", "save_model", "get_file",
               "clone_model", "model_from_json", "check_labels", "set_random_seed"}  # fmt: skip
    assert not allowed & helpers
    for space, name in callables():
        if name in allowed:
            continue
        for module in ("builtins", f"keras.{space}", f"nacre.{space}", space, "keras", "nacre"):
            for config in (function(name, module), {**layer(name, module)}):
                try:
                    found = registry.find(config)
                except SerializationError:
                    continue
                # An old spelling, such as `normal` for an initializer and `BCE` for a loss.
                # Or one that a part of nacre registers, such as Keras 2's `hard_sigmoid`.
                is_allowed = isinstance(found, type) or found.__name__ in allowed
                is_allowed = is_allowed or found in registry._GLOBAL.values()
                assert is_allowed, f"{module}.{name}"


@pytest.mark.parametrize("name", ["relu", "mean_squared_error", "binary_accuracy", "sin"])
def test_functions_of_arrays_are_found_by_name(name: str) -> None:
    assert callable(deserialize_keras_object(function(name)))


def test_a_function_of_ops_in_a_lambda_layer_opens(tmp_path: Path) -> None:
    model = load_model(
        hostile.keras_file(
            graph(layer("Lambda", name="e", function=function("sin"))), tmp_path / "m.keras"
        )
    )
    np.testing.assert_allclose(model(np.ones((1, 4))), np.sin(np.ones((1, 4))), rtol=1e-6)


def test_a_class_is_no_function(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("password")
    kind = {"class_name": "__typespec__", "config": {"name": "StringLookup"}}
    arguments = {"vocabulary": str(secret)}
    for config in (
        layer("Lambda", name="e", function=kind, arguments=arguments),
        layer("LossFunctionWrapper", "keras.losses", fn=kind, **arguments),
        layer("MeanMetricWrapper", "keras.metrics", fn=kind, **arguments),
        layer("Lambda", name="e", function=function("StringLookup"), arguments=arguments),
    ):
        with pytest.raises(SerializationError):
            deserialize_keras_object(config)


# -------------------------------------------------------------------- from_config of every class


def classes() -> list[type]:
    """Every class a config can name."""
    found: dict[int, type] = {}
    for spaces in registry.NAMESPACES.values():
        for space in spaces:
            module = importlib.import_module(space)
            for name in module.__all__:
                value = getattr(module, name, None)
                if isinstance(value, type) and hasattr(value, "from_config"):
                    found[id(value)] = value
    return list(found.values())


def parameters(cls: type) -> set[str]:
    """Names of constructor arguments, those of the bases among them."""
    names = {"layer", "layers", "name", "dtype", "fn", "function"}
    for base in cls.__mro__:
        if "__init__" in vars(base) and base is not object:
            names |= set(list(inspect.signature(base.__init__).parameters)[1:])
    return names - {"args", "kwargs"}


@pytest.mark.parametrize("form", ["lambda", "lambda layer", "function", "in a list", "in a dict"])
def test_no_class_runs_code_of_its_config(
    form: str, canary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "nearest", lambda *_: None)  # hints take most of the time
    evil = code_that_writes(canary)
    inner = layer("Lambda", name="evil", function=evil)
    value: Any = {
        "lambda": evil,
        "lambda layer": inner,
        "function": function("load_model"),
        "in a list": [[evil], [inner]],
        "in a dict": {"a": evil, "b": {"c": inner}},
    }[form]
    tried = 0
    for cls in classes():
        for name in parameters(cls):
            tried += 1
            config = {name: value} if form != "lambda" else {name: value, "safe_mode": False}
            try:
                made = cls.from_config(config)  # type: ignore[attr-defined]
            except Exception:
                continue
            parts = vars(made).values() if hasattr(made, "__dict__") else ()
            assert not any(part is nacre.models.load_model for part in parts), cls
        assert not canary.exists(), cls
    assert tried > 1000


def test_every_from_config_goes_through_the_gate() -> None:
    for cls in classes():
        made = inspect.getattr_static(cls, "from_config").__func__
        source = inspect.getsource(made)
        assert "reads_config" in source or "safety.reading" in source, cls


class Opener(nacre.layers.Layer):
    """A layer of somebody's whose from_config trusts what is inside its own config."""

    def __init__(self, inner: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.inner = inner

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Opener:
        return cls(inner=deserialize_keras_object(config["inner"], safe_mode=False))

    def call(self, x: Any) -> Any:
        return x if self.inner is None else self.inner(x)


def test_nothing_within_a_config_opens_the_gate(canary: Path, tmp_path: Path) -> None:
    evil = layer("Opener", __name__, inner=code_that_writes(canary))
    path = hostile.keras_file(graph(evil), tmp_path / "m.keras")
    for custom in ({"Opener": Opener}, {"Opener": nacre.layers.Lambda}):
        with pytest.raises(NacreError):
            load_model(path, custom_objects=custom)
    assert not canary.exists()
    load_model(path, custom_objects={"Opener": Opener}, safe_mode=False)(np.ones((1, 4)))
    assert canary.exists()


# -------------------------------------------------------------------- what must go on working


def double(x: Any) -> Any:
    """A function of the user's."""
    return 2 * x


@pytest.mark.parametrize("how", ["passed", "scope", "registered"])
def test_custom_objects_of_the_user_are_found(how: str, tmp_path: Path) -> None:
    path = tmp_path / "m.keras"
    x = nacre.Input((4,))
    nacre.Model(x, Opener(name="o")(nacre.layers.Lambda(double)(x))).save(path)

    class Plain(Opener):
        @classmethod
        def from_config(cls, config: dict[str, Any]) -> Plain:
            return cls(name=config["name"])

    custom = {"Opener": Plain, "double": double}
    if how == "passed":
        model = load_model(path, custom_objects=custom)
    elif how == "scope":
        with nacre.saving.custom_object_scope(custom):
            model = load_model(path)
    else:
        known = nacre.saving.get_custom_objects()
        known.update(custom)
        try:
            model = load_model(path)
        finally:
            for name in custom:
                del known[name]
    np.testing.assert_array_equal(model(np.ones((1, 4))), np.full((1, 4), 2.0))


# -------------------------------------------------------------------- configs of no form


@pytest.mark.parametrize(
    "config",
    [
        {"class_name": [], "config": {}},
        {"class_name": {"a": 1}, "config": {}},
        {"class_name": "Dense", "config": {}, "module": [], "registered_name": None},
        {"class_name": "Dense", "config": {}, "registered_name": {}},
        {"class_name": "function", "config": {}},
        {"class_name": "function", "config": None},
        {"class_name": "__lambda__", "config": None},
        {"class_name": "__lambda__", "config": {"value": 3}},
        {"class_name": "__lambda__", "config": {"code": ["a"]}},
        {"class_name": "__tuple__", "config": {}},
        {"class_name": "__bytes__", "config": {"value": 3}},
        {"class_name": "__slice__", "config": {"start": 1}},
        {"class_name": "__numpy__", "config": {"value": [1], "dtype": "object"}},
        {"class_name": "__numpy__", "config": {"value": "a", "dtype": "V1000000000"}},
        {"class_name": "__numpy__", "config": {"value": 0.0, "dtype": "(1000000000,)f4"}},
        {"class_name": "__numpy__", "config": {"value": [[1], [1, 2]], "dtype": "float32"}},
        {"class_name": "__typespec__", "config": {"name": "save_model"}},
        {"class_name": "__typespec__", "config": None},
    ],
)
def test_a_config_of_another_form_is_an_error_of_ours(config: Any) -> None:
    with pytest.raises(SerializationError):
        deserialize_keras_object(config)


def test_a_text_of_a_declared_length_takes_its_own_length() -> None:
    config = {"class_name": "__numpy__", "config": {"value": ["a", "bc"], "dtype": "<U10000000"}}
    assert deserialize_keras_object(config).dtype == "<U2"


def test_configs_nested_too_deeply_are_an_error_of_ours() -> None:
    deep: Any = 1
    for _ in range(5000):
        deep = [deep]
    inner = layer("Dense", units=1)
    for _ in range(400):
        inner = stack(layer("TimeDistributed", layer=inner))
    for config in (deep, inner, {"a": deep}, layer("Dense", units=deep)):
        with pytest.raises(SerializationError, match="nested deeper"):
            deserialize_keras_object(config)
    for door in (nacre.models.model_from_config, nacre.layers.deserialize):
        with pytest.raises(SerializationError, match="nested deeper"):
            door(inner)


@pytest.mark.parametrize("name", ["summary", "Module", "__loader__", "_missing", ["relu"], None])
def test_a_module_of_flax_names_functions_alone(name: Any) -> None:
    pytest.importorskip("flax.linen")
    fields = {"features": 3, "kernel_init": {"flax_function": name}}
    module = {"module": "flax.linen", "flax_class": "Dense", "config": fields}
    with pytest.raises(SerializationError, match=r"flax\.linen"):
        deserialize_keras_object(layer("FlaxLayer", module=module))
