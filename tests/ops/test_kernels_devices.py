"""With several devices every kernel takes its plain form, which XLA can divide among them.

XLA cannot divide a call it does not know: it would gather the whole batch on each device.
"""

from __future__ import annotations

import functools

import jax
import numpy as np
import pytest
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from nacre.core.variable import Variable
from nacre.ops.kernels import attention, convolution, pooling, recurrent
from nacre.ops.kernels.native import library
from nacre.ops.kernels.placement import own_program
from nacre.optimizers import Adam
from tests.ops.test_kernels import assert_close, random

pytestmark = pytest.mark.eight_devices
BATCH = 16


def square(function, *arrays):
    return (functools.partial(function, strides=(1, 1), padding="same"), *arrays)


def one_step_of_adam(gradient):
    """The new parameter: zeros before."""
    optimizer = Adam()
    variable = Variable(np.zeros(gradient.shape), name="weight")
    optimizer.build([variable])
    own = [v.value for v in optimizer.variables]
    with own_program():
        return optimizer.stateless_apply(own, [gradient], [variable.value])[0][0]


FAMILIES = {
    "adam": (one_step_of_adam, random(0, BATCH, 1024)),
    "convolution": square(
        convolution.convolution, random(0, BATCH, 6, 6, 4), random(1, 3, 3, 4, 8)
    ),
    "depthwise": square(
        functools.partial(convolution.convolution, groups=16),
        random(0, BATCH, 6, 6, 16),
        random(1, 3, 3, 1, 16),
    ),
    "pooling": (
        functools.partial(pooling.max_pool, window=(3, 3), strides=(2, 2)),
        random(0, BATCH, 6, 6, 16),
    ),
    "lstm": (
        lambda *a: recurrent.lstm(*a)[0],
        random(0, BATCH, 5, 3),
        *(random(i, BATCH, 16) for i in (1, 2)),
        random(3, 3, 64),
        random(4, 16, 64),
        random(5, 64),
    ),
    "attention": (
        lambda q, k, v: attention.attention(q, k, v, None, None, scale=0.25),
        *(random(i, BATCH, 9, 2, 16) for i in range(3)),
    ),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_kernels_take_their_plain_form(family, monkeypatch):
    function, *arrays = FAMILIES[family]

    def text() -> str:
        total = lambda *arrays: (function(*arrays) ** 2).sum()
        return str(jax.make_jaxpr(jax.grad(total))(*arrays))

    assert "ffi_call" not in text()
    monkeypatch.setenv("NACRE_NATIVE", "force")
    if library.CONVOLUTION.targets():  # the kernel that was not chosen is one that could be
        assert "ffi_call" in text()


@pytest.mark.parametrize("family", FAMILIES)
def test_kernels_give_the_same_numbers_where_the_batch_is_divided(family):
    function, batch, *others = FAMILIES[family]
    rows = NamedSharding(Mesh(np.array(jax.devices()), ("batch",)), PartitionSpec("batch"))
    divided = jax.jit(lambda x: function(x, *others))(jax.device_put(batch, rows))
    assert len(divided.sharding.device_set) == 8
    assert_close(divided, function(batch, *others))
