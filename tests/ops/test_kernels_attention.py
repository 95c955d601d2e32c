"""The compiled attention gives the numbers of plain XLA; the dense product keeps its gradients."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nacre.ops.kernels import attention, products
from nacre.ops.kernels.native import library, table
from tests import native
from tests.ops.test_kernels import assert_close, compiled_quickly, gradients, random

CASES = [  # batch, targets, sources, heads, key heads, head size, value size, causal, mask's shape
    (4, 64, 64, 4, 4, 32, 32, False, None),
    (2, 70, 33, 4, 2, 20, 17, False, (2, 4, 70, 33)),
    (2, 70, 70, 4, 1, 64, 64, True, None),
    (3, 9, 130, 2, 2, 48, 100, True, (3, 1, 1, 130)),
    (2, 150, 150, 2, 2, 16, 16, True, (150, 150)),
    (2, 40, 40, 2, 2, 130, 8, False, (1, 2, 40, 1)),  # some rows see nothing
]


@pytest.fixture
def compiled():
    """Native kernels, or no test."""
    native.need(library.ATTENTION)


def arrays_of(case):
    batch, targets, sources, heads, key_heads, size, value_size, causal, mask = case
    arrays = (
        random(0, batch, targets, heads, size),
        random(1, batch, sources, key_heads, size),
        random(2, batch, sources, key_heads, value_size),
    )
    mask = None if mask is None else np.random.default_rng(3).random(mask) > 0.3
    options = dict(bias=None, mask=mask, scale=0.3, is_causal=causal)
    return arrays, options, random(4, batch, targets, heads, value_size)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_compiled_attention_gives_the_numbers_of_plain_xla(case, compiled):
    arrays, options, weights = arrays_of(case)
    ours = functools.partial(attention.attention, **options, placement="loop")
    plain = functools.partial(attention.plain_attention, **options)
    assert "ffi_call" in str(jax.make_jaxpr(ours)(*arrays))
    assert_close(jax.jit(ours)(*arrays), plain(*arrays))
    weighted = lambda f: lambda *a: f(*a) * weights
    assert_close(gradients(weighted(ours), *arrays), gradients(weighted(plain), *arrays))


def test_compiled_attention_has_second_derivatives_and_a_map(compiled):
    arrays, options, _ = arrays_of(CASES[2])

    def penalty(function):
        total = lambda q: (function(q, *arrays[1:], **options) ** 2).sum()
        return lambda q: (jax.grad(total)(q) ** 2).sum()

    ours = compiled_quickly(jax.grad(penalty(attention.attention)), arrays[0])
    plain = compiled_quickly(jax.grad(penalty(attention.plain_attention)), arrays[0])
    assert_close(ours, plain)
    one = lambda q: attention.attention(q, *arrays[1:], **options, placement="loop")
    mapped = jax.vmap(one)(jnp.stack([arrays[0], 2 * arrays[0]]))
    assert_close(mapped[1], one(2 * arrays[0]))


def test_short_queries_soft_caps_and_other_dtypes_take_plain_xla(compiled):
    (query, key, value), options, _ = arrays_of(CASES[0])
    run = lambda *a, **o: attention.attention(*a, **options, **o, placement="loop")
    text = lambda *a, **o: str(jax.make_jaxpr(functools.partial(run, **o))(*a))
    assert "ffi_call" in text(query, key, value)
    assert "ffi_call" not in text(query, key, value, soft_cap=5.0)
    assert "ffi_call" not in text(*(a.astype("float16") for a in (query, key, value)))


@pytest.mark.parametrize(
    "mask", [(1, 3, 64, 64), (64, 32), (3, 1, 1, 64), (1, 4, 64, 64, 64)], ids=str
)
def test_a_mask_of_another_shape_never_reaches_the_compiled_kernel(mask, compiled):
    arrays, *_ = arrays_of(CASES[0])
    with pytest.raises((TypeError, ValueError)):
        attention.attention(
            *arrays, None, jnp.ones(mask, bool), scale=1.0, placement="loop"
        ).block_until_ready()


def fits(query, key, value, mask=None):
    return not table.ATTENTION.refusal(table.AttentionWork(query, key, value, mask=mask))


def test_keys_of_another_shape_never_reach_the_compiled_kernel(compiled):
    query, key, value = arrays_of(CASES[0])[0]
    for wrong in (
        (query, key[:2], value),
        (query, key[..., :8], value),
        (query, key, value[:, :9]),
    ):
        assert not fits(*wrong)
    assert not fits(query[:, :, :3], key[:, :, :2], value[:, :, :2])
    assert fits(query, key[:, :, :2], value[:, :, :2], jnp.ones((64,), bool))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_dropout_of_weights_is_that_of_plain_xla(case, compiled):
    arrays, options, weights = arrays_of(case)
    batch, targets, sources, heads = case[:4]
    keep = np.random.default_rng(5).random((batch, heads, targets, sources)) > 0.3
    options |= dict(keep=jnp.asarray(keep), share=0.7)
    ours = functools.partial(attention.attention, **options, placement="loop")
    plain = functools.partial(attention.plain_attention, **options)
    assert "attention_forward" in jax.jit(ours).lower(*arrays).compile().as_text()
    assert_close(jax.jit(ours)(*arrays), plain(*arrays))
    weighted = lambda f: lambda *a: f(*a) * weights
    assert_close(gradients(weighted(ours), *arrays), gradients(weighted(plain), *arrays))


def test_dropout_of_weights_has_tangents_maps_and_an_end(compiled):
    (query, key, value), options, _ = arrays_of(CASES[2])
    keep = jnp.asarray(np.random.default_rng(5).random((2, 2, 4, 70, 70)) > 0.3)

    def all_of(function, keep):
        one = lambda q, keep: function(q, key, value, keep=keep, share=0.7, **options)
        slope = jax.grad(lambda q: (jax.vmap(one, (None, 0))(q, keep) ** 2).sum())
        return slope(query), jax.jvp(slope, (query,), (jnp.sin(query),))[1]

    functions = attention.attention, attention.plain_attention
    assert_close(*(compiled_quickly(functools.partial(all_of, f), keep) for f in functions))
    nothing = attention.attention(
        query, key, value, keep=keep[0] & False, share=0.7, placement="own", **options
    )
    np.testing.assert_array_equal(nothing, np.zeros_like(nothing))
    fits = lambda keep: table.ATTENTION.refusal(table.AttentionWork(query, key, value, keep=keep))
    assert not fits(keep[0])
    assert "fit each other" in fits(keep[0][:, :1])
    assert "no dropout" in table.FEW_QUERIES.refusal(
        table.AttentionWork(query[:, :2], key, value, keep=keep[0][:, :, :2])
    )


FEW = [  # as above
    (4, 1, 64, 4, 4, 32, 32, False, None),
    (2, 1, 33, 4, 2, 20, 17, False, (2, 4, 1, 33)),
    (2, 7, 70, 4, 1, 64, 64, True, None),
    (3, 3, 130, 2, 2, 48, 100, True, (3, 1, 1, 130)),
    (1, 5, 150, 2, 2, 16, 16, False, (5, 150)),
    (2, 2, 40, 2, 2, 130, 256, False, (1, 2, 2, 1)),  # some see nothing
    (2, 1, 18, 60, 60, 1, 1, False, (2, 1, 1, 18)),
    (70, 2, 16, 3, 1, 15, 33, False, (70, 3, 2, 16)),
    (2, 7, 5, 8, 8, 31, 1, True, None),  # more targets than sources
]


@pytest.mark.parametrize("case", FEW, ids=str)
def test_few_queries_give_the_numbers_of_plain_xla(case, compiled):
    arrays, options, weights = arrays_of(case)
    ours = functools.partial(attention.attention, **options, placement="loop")
    plain = functools.partial(attention.plain_attention, **options)
    assert "attention_look" in jax.jit(ours).lower(*arrays).compile().as_text()
    assert_close(jax.jit(ours)(*arrays), plain(*arrays))
    weighted = lambda f: lambda *a: f(*a) * weights
    assert_close(gradients(weighted(ours), *arrays), gradients(weighted(plain), *arrays))


def test_where_few_queries_have_gradients_all_is_plain(compiled):
    arrays, options, _ = arrays_of(FEW[3])
    ours = functools.partial(attention.attention, **options, placement="loop")
    slopes = jax.jit(jax.grad(lambda *a: (ours(*a) ** 2).sum(), (0, 1, 2)))
    assert "nacre_attention" not in slopes.lower(*arrays).compile().as_text()
    plain = functools.partial(attention.plain_attention, **options)
    hessian = lambda f: jax.hessian(lambda s: (f(s * arrays[0], *arrays[1:]) ** 2).sum())(1.0)
    assert_close(hessian(ours), hessian(plain))
    columns = lambda f: jax.jit(jax.vmap(lambda q: f(q, *arrays[1:]), 1, 1))
    several = jnp.stack([arrays[0], 2 * arrays[0]], 1)
    pushed = lambda f: jax.jvp(columns(f), (several,), (several,))
    assert_close(pushed(ours), pushed(plain))


def test_what_few_queries_do_not_see_is_not_read(compiled):
    """Keys and values past the newest token hold what was there before."""
    (query, key, value), options, _ = arrays_of((2, 1, 50, 4, 4, 32, 32, False, None))
    look = lambda key, value, seen: attention.attention(
        query, key, value, **options | {"mask": jnp.arange(50)[None] < seen}, placement="own"
    )
    for seen in (1, 15, 16, 17, 49):
        spoilt = key.at[:, seen:].set(jnp.nan), value.at[:, seen:].set(jnp.inf)
        expected = attention.plain_attention(
            query, key[:, :seen], value[:, :seen], **options | {"mask": None}
        )
        assert_close(look(*spoilt, seen), expected)
    # What it sees and is no number is told.
    assert np.isnan(look(key.at[0, 3].set(jnp.nan), value, 9)[0]).all()
    assert np.isfinite(look(key.at[0, 3].set(jnp.nan), value, 9)[1]).all()
    assert np.isnan(look(key, value.at[1, 3, 2, 5].set(jnp.nan), 9)[1, 0, 2, 5])


def test_few_queries_are_left_to_xla_where_a_program_may_leave_this_machine(compiled):
    (query, key, value), options, _ = arrays_of(FEW[0])
    text = lambda *a, **o: str(
        jax.make_jaxpr(functools.partial(attention.attention, **options, **o))(*a)
    )
    assert "ffi_call" in text(query, key, value, placement="own")
    assert "ffi_call" not in text(query, key, value)
    halves = [a.astype("float16") for a in (query, key, value)]
    assert "ffi_call" not in text(*halves, placement="own")
    assert "ffi_call" not in text(query[:1], key[:1, :3], value[:1, :3], placement="own")


@pytest.mark.parametrize("shape", [(3, 4), (2, 5, 4), (2, 1, 3, 4)])
def test_dense_product_gives_the_derivatives_of_matmul(shape):
    arrays = random(0, *shape), random(1, 4, 6)
    assert_close(products.dense_product(*arrays), arrays[0] @ arrays[1])
    tangent = lambda f, *a: compiled_quickly(lambda *a: jax.jvp(f, a, a), *a)
    hessian = lambda f, *a: compiled_quickly(jax.hessian(f), *a)
    for derivative in (gradients, tangent, hessian):
        squared = lambda product: lambda x, w: (product(x, w) ** 2).sum()
        assert_close(
            derivative(squared(products.dense_product), *arrays),
            derivative(squared(jnp.matmul), *arrays),
        )


@pytest.mark.parametrize(
    ("shape", "is_moved"), [((2, 5, 4), True), ((1, 4, 4), False), ((64, 4), False)]
)
def test_the_transpose_is_moved_where_there_are_many_rows_on_three_axes(shape, is_moved):
    program = jax.make_jaxpr(products.dense_product)(jnp.ones(shape), jnp.ones((4, 6)))
    assert ("custom_jvp" in str(program)) == is_moved


def test_dense_product_keeps_whole_numbers():
    ones = jnp.ones((2, 3), "int8"), jnp.ones((3, 4), "int8")
    assert products.dense_product(*ones).dtype == "int32"
