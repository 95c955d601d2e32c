"""The product of a dense layer, with a gradient of the kernel that XLA's CPU backend runs well.

Autodiff writes the kernel's gradient as a transposed product, d_kernel = (d_yᵀ · x)ᵀ. XLA folds the
transpose into the product and then reads its inputs along the wrong axis: with three axes half the
speed of the whole layer is lost. A kernel that for the moment has an axis more, (features, 1,
units), keeps the transpose outside, where it moves a small array. Forward and backward of one layer
without the forward product, (32, 64, features) on two AVX-512 cores, ms before and after:
128 to 512 units 3.0, 1.25; 512 to 128 2.65, 1.36; 128 to 128 1.0, 0.37; with two axes (2048 rows)
1.47, 1.25; 2.15, 1.36; 0.52, 0.37.
"""

import jax
import jax.numpy as jnp
from jax import Array, lax

from nacre.ops.kernels import placement as places


def dense_product(x: Array, kernel: Array) -> Array:
    """Multiply the last axis of `x` by a kernel; int8 by int8 gives int32.

    Shapes:
        x        (*batch, features)
        kernel   (features, units)
        returns  (*batch, units)
    """
    if x.dtype == kernel.dtype == jnp.int8:
        return jnp.matmul(x, kernel, preferred_element_type=jnp.int32)
    plain = kernel.ndim != 2 or x.ndim < 2 or not x.dtype == kernel.dtype == jnp.float32
    if plain or not places.uses_cpu_kernels():
        return jnp.matmul(x, kernel)
    return _product(x, kernel)


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
