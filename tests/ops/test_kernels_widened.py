"""bfloat16 by compiled kernels: its dtype, its rounding, sums of float32.

Products are taken in pairs of bfloat16, everything else, and products elsewhere, by kernels of float32.
"""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import nacre
from nacre import layers, ops
from nacre.ops.kernels import widening
from nacre.ops.kernels.native import library
from nacre.ops.kernels.placement import own_program, plain_xla
from nacre.ops.products import dense
from tests import native

ULP = 2.0**-8  # of a bfloat16, relative


@pytest.fixture(autouse=True)
def _kernels(monkeypatch):
    native.need(*library.LIBRARIES)
    monkeypatch.setattr(widening, "_multiplies_no_bfloat16", lambda: True)


@pytest.fixture(params=["pairs", "no pairs"])
def processor(request, monkeypatch):
    """One that multiplies pairs of bfloat16, or not: the kernel for them computes on any."""
    has_pairs = request.param == "pairs"
    monkeypatch.setattr(widening, "multiplies_pairs", lambda: has_pairs)
    return request.param


def draw(seed, *shape):
    return jnp.asarray(np.random.default_rng(seed).standard_normal(shape), "bfloat16")


def attended(query, key):
    return ops.dot_product_attention(query, key, key)


# A function of arrays; their shapes.
CASES = {
    "dense": (dense, [(21, 33), (33, 70), (70,)]),
    "matmul": (ops.matmul, [(3, 21, 33), (33, 70)]),
    "einsum": (functools.partial(ops.einsum, "abc,cde->abde"), [(2, 9, 33), (33, 3, 8)]),
    "gelu": (functools.partial(ops.gelu, approximate=False), [(70, 61)]),
    "silu": (ops.silu, [(70, 61)]),
    "layer norm": (ops.layer_normalization, [(70, 61), (61,), (61,)]),
    "RMS norm": (ops.rms_normalization, [(70, 61)]),
    "attention": (attended, [(2, 9, 4, 5), (2, 20, 2, 5)]),
    "convolution": (functools.partial(ops.conv, padding="same"), [(2, 9, 8, 5), (3, 3, 5, 17)]),
    "transposed": (
        functools.partial(ops.conv_transpose, strides=2, padding="same"),
        [(2, 9, 8, 5), (3, 3, 17, 5)],
    ),
    "max pooling": (lambda x: ops.max_pool(x, 3, 2, padding="same"), [(2, 9, 8, 17)]),
    "average pooling": (lambda x: ops.average_pool(x, 3, 2, padding="same"), [(2, 9, 8, 17)]),
}


def both(function):
    """Outputs, and gradients of a sum of them by each array."""

    def total(*arrays):
        outputs = function(*arrays)
        return jnp.sum(jnp.tanh(outputs.astype("float32")) ** 2), outputs

    def run(*arrays):
        slopes, outputs = jax.grad(total, range(len(arrays)), has_aux=True)(*arrays)
        return outputs, slopes

    return run


def program_of(function, *arrays):
    return str(jax.make_jaxpr(lambda *a: function(*a))(*arrays))


PRODUCTS = ("dense", "matmul", "einsum")
ON = [(name, "pairs") for name in PRODUCTS] + [(name, "no pairs") for name in CASES]


@pytest.mark.parametrize(("name", "processor"), ON, indirect=["processor"])
def test_bfloat16_is_what_float32_gives_rounded(name, processor):
    function, shapes = CASES[name]
    arrays = [draw(i, *shape) for i, shape in enumerate(shapes)]
    with own_program():
        program = program_of(function, *arrays)
        assert ("nacre_halves" if processor == "pairs" else "ffi_call") in program
        found = jax.jit(lambda *a: both(function)(*a))(*arrays)
    with plain_xla():
        wide = [array.astype("float32") for array in arrays]
        exact = jax.jit(lambda *a: both(function)(*a))(*wide)
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(exact), strict=True):
        assert a.dtype == jnp.bfloat16 and a.shape == b.shape
        a, b = np.asarray(a, "float32"), np.asarray(b)
        # The slopes begin at outputs that are rounded: wrong by as much as the largest of them is.
        np.testing.assert_allclose(a, b, rtol=3 * ULP, atol=2 * ULP * np.abs(b).max())
    outputs = np.asarray(found[0], "float32")
    np.testing.assert_allclose(outputs, np.asarray(exact[0]), rtol=ULP, atol=1e-5)


@pytest.mark.parametrize("name", CASES)
def test_programs_of_others_are_left_to_xla(name):
    function, shapes = CASES[name]
    arrays = [draw(i, *shape) for i, shape in enumerate(shapes)]
    assert "ffi_call" not in program_of(function, *arrays)  # it may be exported


@pytest.mark.parametrize("name", ["dense", "matmul", "einsum", "gelu", "silu", "layer norm"])
def test_where_bfloat16_can_be_multiplied_it_is_left_to_xla(name, monkeypatch):
    function, shapes = CASES[name]
    arrays = [draw(i, *shape) for i, shape in enumerate(shapes)]
    with own_program():
        assert "ffi_call" in program_of(function, *arrays)
        with plain_xla():
            assert "ffi_call" not in program_of(function, *arrays)
        monkeypatch.setattr(widening, "_multiplies_no_bfloat16", lambda: False)  # as with AMX
        assert "ffi_call" not in program_of(function, *arrays)


def test_other_16_bits_and_mixtures_are_left_to_xla():
    x, kernel = draw(0, 21, 33), draw(1, 33, 70)
    with own_program():
        assert "ffi_call" in program_of(dense, x, kernel)
        assert "ffi_call" not in program_of(dense, x.astype("float16"), kernel.astype("float16"))
        assert "ffi_call" not in program_of(dense, x.astype("float32"), kernel)


def test_models_of_mixed_precision_learn_as_by_plain_xla(processor, monkeypatch):
    def trained():
        nacre.utils.set_random_seed(0)
        inputs = nacre.Input((12, 16), dtype="float32")
        options = {"dtype": "mixed_bfloat16"}
        x = layers.Dense(32, activation="gelu", **options)(inputs)
        x = layers.LayerNormalization(**options)(
            x + layers.MultiHeadAttention(2, 8, **options)(x, x)
        )
        x = layers.MaxPooling1D(2, **options)(layers.Conv1D(24, 3, **options)(x))
        model = nacre.Model(inputs, layers.Dense(3)(layers.Flatten()(x)))
        model.compile("adam", "mse")
        rng = np.random.default_rng(0)
        x, y = (rng.standard_normal(s).astype("float32") for s in ((64, 12, 16), (64, 3)))
        losses = model.fit(x, y, batch_size=16, epochs=4, shuffle=False, verbose=0).history["loss"]
        assert all(w.dtype == "float32" for w in model.trainable_variables)
        return losses, model.predict(x[:5], verbose=0)

    losses, predictions = trained()
    monkeypatch.setenv("NACRE_KERNELS", "xla")
    plain_losses, plain_predictions = trained()
    assert losses[-1] < 0.9 * losses[0]
    np.testing.assert_allclose(losses, plain_losses, rtol=0.02)
    np.testing.assert_allclose(predictions, plain_predictions, atol=0.1)
