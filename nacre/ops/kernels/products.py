"""The product of a dense layer: by one compiled call for each of its three products on the CPU.

The compiled kernel (`native/dense.cc`) keeps sums in registers and all cores busy in small products
too, and in kernel gradients, where XLA does not. GFLOP/s on two cores of an AMD EPYC
of 2024 (Zen 5, AVX-512; they can do 512), each call a program of its own: ours, XLA's, oneDNN's
with the kernel as it is and packed before (PyTorch takes MKL, which reaches 220 here):

| rows, features, units | forward                 | gradient by inputs | by kernel and bias |
| 2048, 128, 512        | 463 / 356 / 414 / 512   | 441 / 420          | 394 / 248          |
| 2048, 512, 128        | 478 / 434 / 441 / 502   | 462 / 441          | 453 / 199          |
| 2048, 1024, 1024      | 444 / 462 / 459 / 482   | 466 / 456          | 428 / 379          |
| 128, 1024, 1024       | 386 / 384 / 361 / 497   | 417 / 382          | 438 / 337          |
| 32, 784, 128          | 116 / 67 / 154 / 215    | 114 / 68           | 120 / 61           |

Of bfloat16, where the processor multiplies pairs of them (`native/halves.cc`), ms of the three
products: ours of float32, of bfloat16, and XLA's forward product of bfloat16:

| rows, features, units | forward              | by inputs    | by kernel    |
| 2048, 128, 512        | 0.59 / 0.39 / 0.90   | 0.78 / 0.47  | 0.69 / 0.40  |
| 2048, 1024, 1024      | 9.4 / 5.2 / 10.1     | 9.9 / 5.2    | 11.6 / 6.6   |
| 128, 1024, 1024       | 0.68 / 0.41 / 0.95   | 0.73 / 0.38  | 0.69 / 0.55  |
| 32, 784, 128          | 0.023 / 0.017 / 0.10 | 0.046 / 0.02 | 0.024 / 0.02 |

So oneDNN, a dependency of 50 MB, would gain less than 1.15 times, but for kernels packed before,
which training has only for one step. Kernels that `predict` and `generate` keep packed would
mostly gain less, too: for few rows they are read where they lie, and those packed before take 0.83
of the time for (8, 1024, 1024), 0.92 for (8, 384, 1536), 0.94 for (128, 1024, 1024), 0.97 to 0.99
for 2048 rows; so a copy of every kernel, which can go stale, is not kept.

Without a compiler, autodiff writes the kernel's gradient as a transposed product,
d_kernel = (d_yᵀ · x)ᵀ. XLA folds the transpose into the product and then reads its inputs along the
wrong axis: with three axes half the speed of the whole layer is lost. A kernel that for the moment
has an axis more, (features, 1, units), keeps the transpose outside, where it moves an array of the
kernel's size. So it pays where there are many rows beside the kernel. Gradient of the kernel with
the forward product, in a loop on two AVX-512 cores, time of the plain form by this one's:

| kernel       | rows, two axes: 32 | 512  | 2048 | three axes: 128 | 256  | 512  | 2048 |
| 128 to 128   | 0.78               | 0.95 | 0.98 | 1.19            | 1.20 | 1.48 | 2.04 |
| 128 to 512   | 0.76               | 0.72 | 0.63 | 0.92            | 1.24 | 1.60 | 1.69 |
| 784 to 128   | 0.65               | 0.97 | 0.96 | 0.90            | 1.04 | 1.14 | 1.21 |
| 1024 to 1024 | 0.17               | 0.71 | 0.80 | 0.42            | 0.68 | 0.89 | 1.19 |
"""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.ad_checkpoint import checkpoint_name

from nacre.ops.kernels import placement as places
from nacre.ops.kernels import quantized, widening
from nacre.ops.kernels.derivatives import define_derivatives, derived_by_hand, derived_from, push
from nacre.ops.kernels.mapping import over_rows
from nacre.ops.kernels.native import library, table

Shaped = Array | jax.ShapeDtypeStruct
PRODUCT = "compiled_product"  # what compiled products are kept by where activations are recomputed


def when_compiled(x: Array, kernel: Array, bias: Array | None = None) -> table.WhenUsed:
    """Where the compiled kernel takes part in this product, by what is traced here.

    Ask it *before* entering an inner `jax.jit` and pass the answer on as a static argument.
    """
    if not places.may_be_compiled(x, kernel, bias):
        return "never"
    return when_shapes_compiled(x, kernel, bias)


def when_shapes_compiled(x: Shaped, kernel: Shaped, bias: Shaped | None = None) -> table.WhenUsed:
    """As `when_compiled`, for arrays that are about to be made."""
    if x.dtype == kernel.dtype == jnp.int8:
        return "always" if quantized.is_compiled(x, kernel) else "never"
    placement = places.current_placement()
    if placement != "plain" and _are_multiplied_in_pairs(x, kernel, bias):
        return "always"
    if widening.is_widened(placement, x, kernel, bias):
        work = table.DenseWork(*widening.as_float32(x, kernel, bias))
        return "always" if table.DENSE.when_used(work, placement) == "always" else "never"
    return table.DENSE.when_used(table.DenseWork(x, kernel, bias), placement)


def dense_product(
    x: Array, kernel: Array, bias: Array | None = None, compiled: table.WhenUsed = "never"
) -> Array:
    """Multiply the last axis of `x` by a kernel and add a bias; int8 by int8 gives int32.

    Args:
        compiled: What `when_compiled` says.
    Shapes:
        x        (*batch, features)
        kernel   (features, units)
        bias     (units,)
        returns  (*batch, units)
    """
    if compiled != "never" and _are_multiplied_in_pairs(x, kernel, bias):
        return _run(True, x, kernel, bias)
    if compiled != "never" and x.dtype == jnp.bfloat16:
        wide = widening.in_float32(x, kernel, bias)
        return _run(True, *wide).astype(x.dtype)
    if compiled != "never" and x.dtype != jnp.int8:
        return _run(compiled == "always", x, kernel, bias)
    product = _plain_product if compiled == "never" else quantized.int8_matmul
    outputs = product(x, kernel)
    return outputs if bias is None else outputs + bias


def _are_multiplied_in_pairs(x: Shaped, kernel: Shaped, bias: Shaped | None) -> bool:
    """Whether there is a compiled kernel for this product of bfloat16."""
    if x.dtype != jnp.bfloat16 or not widening.multiplies_pairs():
        return False
    return not table.HALVES.refusal(table.DenseWork(x, kernel, bias))


def _plain_product(x: Array, kernel: Array) -> Array:
    if x.dtype == kernel.dtype == jnp.int8:
        return jnp.matmul(x, kernel, preferred_element_type=jnp.int32)
    if places.uses_cpu_kernels() and _moved_transpose_wins(x, kernel):
        return _product(x, kernel)
    return jnp.matmul(x, kernel)


def _moved_transpose_wins(x: Array, kernel: Array) -> bool:
    sizes = (*x.shape, *kernel.shape)
    if x.ndim < 3 or kernel.ndim != 2 or not all(isinstance(size, int) for size in sizes):
        return False
    rows = math.prod(x.shape[:-1])
    return x.dtype == kernel.dtype == jnp.float32 and rows**2 >= kernel.size


@jax.custom_jvp
def _product(x: Array, kernel: Array) -> Array:
    return jnp.matmul(x, kernel)


@_product.defjvp
def _product_jvp(primals: tuple[Array, Array], tangents: tuple[Array, Array]):
    x, kernel = primals
    d_x, d_kernel = tangents
    contracted = (((x.ndim - 1,), (0,)), ((), ()))
    through_kernel = lax.dot_general(x, d_kernel[:, None, :], contracted)[..., 0, :]
    return _product(x, kernel), jnp.matmul(d_x, kernel) + through_kernel


# --- the compiled kernel --------------------------------------------------------------------------


def _by_xla(x, kernel, bias):
    outputs = jnp.matmul(x, kernel)
    return outputs if bias is None else outputs + bias


@derived_by_hand(nondiff_argnums=(0,))
def _run(always, x, kernel, bias):
    return (_forward if always else _by_xla)(x, kernel, bias)


def _run_forward(always, x, kernel, bias):
    return checkpoint_name(_forward(x, kernel, bias), PRODUCT), (x, kernel, bias)


def _run_backward(always, kept, d_outputs):
    x, kernel, bias = kept
    d_kernel, d_bias = _kernel_gradient(x, d_outputs)
    return _input_gradient(d_outputs, kernel), d_kernel, None if bias is None else d_bias


def _run_tangent(always, kept, tangents):
    return push(_by_xla, kept, tangents)


define_derivatives(_run, _run_forward, _run_backward, _run_tangent)


@derived_from(_by_xla, static=0)
def _forward(x, kernel, bias):
    bias = jnp.zeros((0,), jnp.float32) if bias is None else bias.astype(jnp.float32)

    def run(x, kernel, bias):
        result = jax.ShapeDtypeStruct((*x.shape[:-1], kernel.shape[1]), x.dtype)
        return _call("forward", result)(x, kernel, bias)

    return over_rows(run, (True, False, False), x, kernel, bias)


def _input_gradient_by_xla(d_outputs, kernel):
    return jnp.matmul(d_outputs, kernel.T)


@derived_from(_input_gradient_by_xla, static=0)
def _input_gradient(d_outputs, kernel):
    def run(d_outputs, kernel):
        shape = (*d_outputs.shape[:-1], kernel.shape[0])
        return _call("input_gradient", jax.ShapeDtypeStruct(shape, kernel.dtype))(d_outputs, kernel)

    return over_rows(run, (True, False), d_outputs, kernel)


def _kernel_gradient_by_xla(x, d_outputs):
    rows, d_rows = (jnp.reshape(a, (-1, a.shape[-1])) for a in (x, d_outputs))
    return jnp.matmul(rows.T, d_rows), jnp.sum(d_rows, axis=0)


@derived_from(_kernel_gradient_by_xla, static=0)
def _kernel_gradient(x, d_outputs):
    features, units = x.shape[-1], d_outputs.shape[-1]
    results = (
        jax.ShapeDtypeStruct((features, units), x.dtype),
        jax.ShapeDtypeStruct((units,), jnp.float32),
    )
    call = _call("kernel_gradient", *results)
    d_kernel, d_bias = call(x, d_outputs, features=np.int64(features), units=np.int64(units))
    return d_kernel, d_bias.astype(d_outputs.dtype)


def _call(product, *results):
    """The call that makes a product of the first result's dtype."""
    name, of_dtype = ("dense", library.DENSE)
    if results[0].dtype == jnp.bfloat16:
        name, of_dtype = ("halves", library.HALVES)
    given = results if len(results) > 1 else results[0]
    return of_dtype.call(f"{name}_{product}", given, takes_samples=True)
