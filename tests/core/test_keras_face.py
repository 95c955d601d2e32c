"""Small public names of Keras: settings, dtypes, trees, symbolic tensors."""

import jax
import pytest

import nacre
from nacre.core.errors import ArgumentError


def test_the_engine_is_jax_and_nothing_else():
    nacre.config.set_backend("jax")
    assert nacre.backend.backend() == nacre.config.backend() == "jax"
    assert nacre.config.is_nnx_enabled() is False
    with pytest.raises(ArgumentError, match="'torch'"):
        nacre.config.set_backend("torch")


def test_flash_attention_is_asked_for_where_no_argument_says_so(monkeypatch):
    from nacre.core import config

    monkeypatch.setitem(config._settings, "flash_attention", None)
    asked = []
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    monkeypatch.setattr(
        jax.nn, "dot_product_attention", lambda *a, implementation, **k: asked.append(a) or a[0]
    )
    x = nacre.ops.ones((1, 2, 1, 4))
    call = lambda **k: nacre.ops.nn.dot_product_attention.op.function(x, x, x, **k)
    nacre.config.enable_flash_attention()
    assert nacre.config.is_flash_attention_enabled() is True
    call()
    assert len(asked) == 1
    nacre.config.disable_flash_attention()
    assert nacre.config.is_flash_attention_enabled() is False


def test_kinds_of_dtypes():
    is_float, is_int = nacre.backend.is_float_dtype, nacre.backend.is_int_dtype
    assert is_float("bfloat16") and is_float("float8_e4m3fn") and not is_float("int8")
    assert is_int("uint8") and not is_int("bool") and not is_int("float32")


def test_paths_are_compared_whatever_the_containers():
    nacre.tree.assert_same_paths({"a": [1, 2]}, {"a": (3, 4)})
    with pytest.raises(ArgumentError, match=r"'a'.*'b'"):
        nacre.tree.assert_same_paths({"a": 1}, {"b": 1})


def test_shapes_are_leaves():
    shapes = {"a": (None, 3), "b": [(1, 2), ()]}
    assert nacre.tree.map_shape_structure(len, shapes) == {"a": 2, "b": [2, 0]}
    with pytest.raises(ArgumentError, match="must be a shape"):
        nacre.tree.map_shape_structure(len, [1, 2])


def test_symbolic_tensors_have_methods_and_sources():
    x, y = nacre.Input((2, 1)), nacre.Input((2,))
    z = x.squeeze(-1) + y
    assert z.shape == (None, 2) and z.reshape((-1, 1)).shape == (None, 1)
    assert [t is s for t, s in zip(nacre.utils.get_source_inputs(z), (x, y), strict=True)] == [
        True,
        True,
    ]
    assert nacre.utils.get_source_inputs(x) == [x]


def test_add_variable_is_add_weight():
    layer = nacre.layers.Layer()
    variable = layer.add_variable((2,), "ones", name="v", trainable=False)
    assert variable.numpy().tolist() == [1.0, 1.0] and layer.non_trainable_weights == [variable]
