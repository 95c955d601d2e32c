"""Names for classes, and objects as plain data."""

from __future__ import annotations

import base64
import json
import marshal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import nacre
from nacre.core import registry
from nacre.core.errors import ArgumentError, SerializationError
from nacre.core.registry import deserialize_keras_object, serialize_keras_object

PLAIN = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.text().filter(lambda key: key not in ("class_name", "config")), inner, max_size=3
        ),
    ),
    max_leaves=10,
)


@pytest.fixture(autouse=True)
def registrations_forgotten() -> Iterator[None]:
    before, names = dict(registry._GLOBAL), dict(registry._GLOBAL_NAMES)
    yield
    registry._GLOBAL.clear()
    registry._GLOBAL.update(before)
    registry._GLOBAL_NAMES.clear()
    registry._GLOBAL_NAMES.update(names)


class Box:
    """An object of the user's with a config."""

    def __init__(self, content: Any = None) -> None:
        self.content = content

    def get_config(self) -> dict[str, Any]:
        return {"content": serialize_keras_object(self.content)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Box:
        return cls(deserialize_keras_object(config["content"]))


def twice(x: Any) -> Any:
    return 2 * x


@given(PLAIN)
def test_plain_data_is_its_own_config(data: Any) -> None:
    config = serialize_keras_object(data)
    assert deserialize_keras_object(json.loads(json.dumps(config))) == data == config


@given(st.binary())
def test_bytes_come_back_through_json(data: bytes) -> None:
    config = json.loads(json.dumps(serialize_keras_object(data)))
    assert deserialize_keras_object(config) == data


def test_bytes_stand_as_keras_writes_them() -> None:
    config = {"class_name": "__bytes__", "config": {"value": "é"}}
    assert serialize_keras_object("é".encode()) == config
    assert deserialize_keras_object(config) == "é".encode()


@pytest.mark.parametrize("data", [slice(1, None, 2), slice(None), Ellipsis])
def test_indices_come_back_through_json(data: Any) -> None:
    assert deserialize_keras_object(json.loads(json.dumps(serialize_keras_object(data)))) == data


@pytest.mark.parametrize("dtype", ["float32", "int8", "bool"])
def test_arrays_come_back_with_their_dtype(dtype: str) -> None:
    for array in (np.array([[1, 0], [2, 3]], dtype), jnp.array([[1, 0], [2, 3]], dtype)):
        back = deserialize_keras_object(json.loads(json.dumps(serialize_keras_object(array))))
        assert back.dtype == dtype
        np.testing.assert_array_equal(back, array)


def test_numbers_of_numpy_and_dtypes_become_plain() -> None:
    config = serialize_keras_object(
        [np.float32(0.5), np.int64(3), np.bool_(True), np.dtype("int8")]
    )
    assert config == [0.5, 3, True, "int8"] and type(config[2]) is bool
    assert serialize_keras_object(np.array(4)) == 4


def test_tuples_become_lists_and_keys_that_are_numbers_stay() -> None:
    assert serialize_keras_object({"a": (1, (2,)), 3: 0.5}) == {"a": [1, [2]], 3: 0.5}


def test_a_registered_class_comes_back_nested() -> None:
    registry.register_keras_serializable("tests")(Box)
    config = json.loads(json.dumps(serialize_keras_object(Box([Box(1), {"k": Box(b"x")}]))))
    assert config["registered_name"] == "tests>Box"
    back = deserialize_keras_object(config)
    assert back.content[0].content == 1 and back.content[1]["k"].content == b"x"


def test_a_registered_name_is_the_objects_own_by_default() -> None:
    assert registry.get_registered_name(twice) == "twice"
    registry.register_keras_serializable("tests", name="double")(twice)
    assert registry.get_registered_name(twice) == "tests>double"
    assert registry.get_registered_object("tests>double") is twice
    assert registry.get_registered_object("tests>other") is None
    assert registry.get_custom_objects()["tests>double"] is twice


def test_a_class_without_config_cannot_be_registered() -> None:
    with pytest.raises(ArgumentError, match="must have get_config.*Write get_config"):
        registry.register_keras_serializable()(type("Bare", (), {}))


def test_functions_of_the_user_are_named_and_found_in_scope() -> None:
    config = serialize_keras_object(twice)
    assert config["class_name"] == "function" and config["config"] == "twice"
    assert deserialize_keras_object(config, {"twice": twice}) is twice
    with registry.CustomObjectScope({"twice": twice}):
        assert deserialize_keras_object(config) is twice
    with pytest.raises(SerializationError, match="'twice'.*Pass custom_objects"):
        deserialize_keras_object(config)


def test_scopes_nest_the_innermost_wins_and_equal_tables_are_kept_apart() -> None:
    look = registry.get_registered_object
    with registry.custom_object_scope({"a": 1}):
        with registry.CustomObjectScope({"a": 2}):
            with registry.CustomObjectScope({"a": 1}):
                assert look("a") == 1
            assert look("a") == 2
        assert look("a") == 1
    assert look("a") is None


def test_scopes_belong_to_their_thread() -> None:
    together = Barrier(3)

    def work(index: int) -> Any:
        with registry.CustomObjectScope({"mine": index}):
            together.wait(5)
            return registry.get_registered_object("mine")

    with ThreadPoolExecutor(3) as pool, registry.CustomObjectScope({"theirs": 1}):
        assert list(pool.map(work, range(3))) == [0, 1, 2]
        assert pool.submit(registry.get_registered_object, "theirs").result() is None


def test_an_unknown_class_is_told_with_the_nearest() -> None:
    with pytest.raises(SerializationError, match="class 'Dens' of module 'keras.layers'.*'Dense'"):
        deserialize_keras_object(
            {"module": "keras.layers", "class_name": "Dens", "config": {}, "registered_name": None}
        )


@pytest.mark.parametrize(
    ("module", "name"),
    [("os", "system"), ("subprocess", "Popen"), ("nacre.core.registry", "find"),
     ("keras.layers", "__builtins__"), ("keras.layers", "base"), ("keras", "np"), ("keras", "jax"),
     ("keras.dtype_policies", "set_dtype_policy"), (None, "np"), (None, "importlib")],
)  # fmt: skip
def test_a_config_names_only_what_is_public(module: str | None, name: str) -> None:
    for config in ({"class_name": name, "config": {}}, {"class_name": "function", "config": name}):
        with pytest.raises(SerializationError, match="built in, registered or passed in"):
            deserialize_keras_object({"module": module, **config})


def test_a_lambda_is_read_only_when_this_process_wrote_it() -> None:
    function = lambda x: x
    assert deserialize_keras_object(serialize_keras_object(function)) is function
    code = base64.encodebytes(marshal.dumps((lambda x: x + 1).__code__)).decode()
    config = {"class_name": "__lambda__", "config": {"code": code}}
    with pytest.raises(SerializationError, match="must not hold code"):
        deserialize_keras_object(config)


def test_an_object_without_config_is_refused() -> None:
    with pytest.raises(SerializationError, match="must have get_config"):
        serialize_keras_object(object())


def test_an_unknown_class_inside_a_model_is_told_as_one_alone() -> None:
    lost = {"module": "shop", "class_name": "Till", "config": {}, "registered_name": "shop>Till"}
    inner = {"name": "net", "layers": [lost]}
    config = {"module": "keras", "class_name": "Sequential", "config": inner}
    with pytest.raises(SerializationError, match=r"^deserialize_keras_object.*'Till'"):
        deserialize_keras_object(config)


def test_a_config_the_constructor_does_not_take_is_told() -> None:
    config = serialize_keras_object(nacre.layers.Dense(2))
    config["config"]["unts"] = 3
    with pytest.raises((SerializationError, ArgumentError), match="unts"):
        deserialize_keras_object(config)


@pytest.mark.parametrize(
    "module",
    ["keras.layers", "keras.src.layers.core.dense", "tensorflow.python.keras.layers", None],
)
def test_old_module_paths_find_the_same_class(module: str | None) -> None:
    config = {"module": module, "class_name": "Dense", "config": {"units": 2}}
    assert type(deserialize_keras_object(config)) is nacre.layers.Dense


def test_strings_are_looked_up_in_a_table_when_one_is_given() -> None:
    assert deserialize_keras_object("relu") == "relu"
    assert deserialize_keras_object("twice", module_objects={"twice": twice}) is twice


def test_scalar_types_of_jax_are_written_as_types() -> None:
    data = {"class_name": "__typespec__", "config": {"name": "float32"}}
    assert serialize_keras_object(jnp.float32) == serialize_keras_object(np.float32) == data


@pytest.mark.parametrize(
    "function", [nacre.activations.relu, nacre.losses.mean_squared_error], ids=lambda f: f.__name__
)
def test_a_built_in_function_alone_comes_back_as_a_function(function):
    data = nacre.saving.serialize_keras_object(function)
    assert data == {
        "module": "builtins",
        "class_name": "function",
        "config": function.__name__,
        "registered_name": "function",
    }
    assert nacre.saving.deserialize_keras_object(data) is function
    assert (
        nacre.layers.Dense(1, activation=nacre.activations.relu).get_config()["activation"]
        == "relu"
    )


def test_a_function_keras_could_not_name_is_looked_up_by_its_name():
    def halved(x):
        return x / 2

    data = {
        "module": "builtins",
        "class_name": "function",
        "config": "halved",
        "registered_name": "function",
    }
    found = nacre.saving.deserialize_keras_object(data, custom_objects={"halved": halved})
    assert found is halved
    with pytest.raises(SerializationError, match=r"custom_objects=\{'halved'"):
        nacre.saving.deserialize_keras_object(data)
