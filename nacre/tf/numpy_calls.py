"""What the functions of `tf.experimental.numpy` do; `numpy_names.py` has their names.

Of arrays of the device they are `jax.numpy`'s, so that tapes and compiled functions see them; of
all else NumPy's own, with 64 bits where NumPy has them; of symbolic tensors `nacre.ops`'s.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nacre import ops
from nacre.core import tree
from nacre.core.errors import UnsupportedError, message
from nacre.core.symbolic import KerasTensor
from nacre.core.variable import Variable
from nacre.core.warning import warn
from nacre.data import HostTensor
from nacre.tf.dtypes import DType
from nacre.tf.values import landed, read, tensor

FUNCTIONS = """
abs absolute add all allclose amax amin angle any append arange arccos arccosh arcsin arcsinh arctan
arctan2 arctanh argmax argmin argsort around array_equal atleast_1d atleast_2d atleast_3d average
bitwise_and bitwise_not bitwise_or bitwise_xor broadcast_arrays broadcast_to cbrt ceil clip compress
concatenate conj conjugate cos cosh count_nonzero cross cumprod cumsum deg2rad diag diag_indices
diagflat diagonal diff divide divmod dot dsplit dstack einsum empty empty_like equal exp exp2
expand_dims expm1 eye fabs fix flip fliplr flipud float_power floor floor_divide full full_like gcd
geomspace greater greater_equal heaviside hsplit hstack hypot identity imag inner isclose iscomplex
iscomplexobj isfinite isinf isnan isneginf isposinf isreal isrealobj isscalar ix_ kron lcm less
less_equal linspace log log10 log1p log2 logaddexp logaddexp2 logical_and logical_not logical_or
logical_xor logspace matmul max maximum mean meshgrid min minimum mod moveaxis multiply nanmean
nanprod nansum ndim negative nextafter nonzero not_equal ones ones_like outer pad polyval positive
power prod ptp rad2deg ravel real reciprocal remainder repeat reshape roll rot90 round select shape
sign signbit sin sinc sinh size sort split sqrt square squeeze stack std subtract sum swapaxes take
take_along_axis tan tanh tensordot tile trace transpose tri tril triu true_divide vander var vdot
vsplit vstack where zeros zeros_like
""".split()

_prefers_32_bits = [False]


def _is_on_device(leaf: Any) -> bool:
    return isinstance(leaf, jax.Array | Variable)


def _for_device(leaf: Any) -> Any:
    if isinstance(leaf, Variable):
        return leaf.value
    if isinstance(leaf, HostTensor):
        return jnp.asarray(leaf.view(np.ndarray))
    return np.dtype(leaf.as_numpy_dtype) if isinstance(leaf, DType) else leaf


def _for_host(leaf: Any) -> Any:
    if isinstance(leaf, DType):
        return np.dtype(leaf.as_numpy_dtype)
    return leaf.view(np.ndarray) if isinstance(leaf, HostTensor) else leaf


_IN_32_BITS = {"float64": "float32", "int64": "int32", "complex128": "complex64"}


def _as_tensor(leaf: Any, keeps: bool) -> Any:
    if not isinstance(leaf, np.ndarray | np.generic):
        return leaf
    array = np.asarray(leaf)
    if _prefers_32_bits[0] and not keeps and array.dtype.name in _IN_32_BITS:
        array = array.astype(_IN_32_BITS[array.dtype.name])
    return landed(array)


def _call(name: str, args: Any, kwargs: Any) -> Any:
    leaves = tree.flatten([list(args), kwargs])
    if any(isinstance(leaf, KerasTensor) for leaf in leaves):
        function = getattr(ops, name, None)
        if function is None:
            rule = "it takes no symbolic tensor"
            fix = "Call it in a layer: tf.keras.layers.Lambda(...)."
            raise UnsupportedError(message(f"tf.experimental.numpy.{name}", rule, fix=fix))
        return function(*args, **kwargs)
    if any(map(_is_on_device, leaves)):
        given = tree.map_structure(_for_device, [list(args), kwargs])
        return getattr(jnp, name)(*given[0], **given[1])
    given = tree.map_structure(_for_host, [list(args), kwargs])
    keeps = any(
        isinstance(leaf, np.dtype | type) or getattr(leaf, "dtype", None) in _IN_32_BITS
        for leaf in tree.flatten(given)
    )
    with np.errstate(all="ignore"):  # NaN and infinity without a warning, as of tensors
        found = getattr(np, name)(*given[0], **given[1])
    return tree.map_structure(lambda leaf: _as_tensor(leaf, keeps), found)


def named(name: str) -> Callable[..., Any]:
    @functools.wraps(getattr(np, name), updated=())
    def function(*args: Any, **kwargs: Any) -> Any:
        return _call(name, args, kwargs)

    function.__doc__ = f"NumPy's `{name}`, of tensors."
    function.__module__ = "nacre.tf.numpy_names"
    try:
        function.__signature__ = inspect.signature(getattr(np, name))  # type: ignore[attr-defined]
    except (TypeError, ValueError):
        pass
    return function


def asarray(a: Any, dtype: Any = None) -> Any:
    """A tensor of anything; numbers of Python's have 64 bits, as in NumPy.

    Args:
        a: What to make it of.
        dtype: The dtype; None for its own.
    """
    wanted = _for_host(dtype)
    if isinstance(a, Variable):
        a = read(a)
    if isinstance(a, jax.Array):
        return a if wanted is None else a.astype(np.dtype(wanted))
    if isinstance(a, list | tuple) and any(map(_is_on_device, tree.flatten(list(a)))):
        return asarray(tensor(a), dtype)
    array = np.asarray(_for_host(a))
    if wanted is not None:
        return landed(array.astype(wanted))
    return _as_tensor(array, hasattr(a, "dtype"))


def array(val: Any, dtype: Any = None, copy: bool = True, ndmin: int = 0) -> Any:
    """A tensor of anything, of at least so many axes.

    Args:
        val: What to make it of.
        dtype: The dtype; None for its own.
        copy: Accepted for compatibility: tensors do not change.
        ndmin: How many axes there are at least.
    """
    found = asarray(val, dtype)
    missing = ndmin - len(found.shape)
    return found if missing <= 0 else found[(None,) * missing]


def asanyarray(a: Any, dtype: Any = None) -> Any:
    """The same as `asarray`."""
    return asarray(a, dtype)


def ascontiguousarray(a: Any, dtype: Any = None) -> Any:
    """A tensor of at least one axis."""
    return array(a, dtype, ndmin=1)


def copy(a: Any) -> Any:
    """The same values."""
    return asarray(a)


def flatten(a: Any, order: str = "C") -> Any:
    """The values along one axis.

    Args:
        a: A tensor.
        order: 'C' row by row, 'F' column by column.
    """
    return _call("ravel", (a, order), {})


def result_type(*arrays_and_dtypes: Any) -> Any:
    """The dtype that values of these have together, as NumPy says."""
    known = [getattr(x, "dtype", x) if hasattr(x, "shape") else x for x in arrays_and_dtypes]
    return np.result_type(*[_for_host(x) for x in known])


def promote_types(type1: Any, type2: Any) -> Any:
    """The smallest dtype that both go into, as NumPy says."""
    return np.promote_types(_for_host(type1), _for_host(type2))


def experimental_enable_numpy_behavior(
    prefer_float32: bool = False, dtype_conversion_mode: str = "legacy"
) -> None:
    """Let tensors have the methods of NumPy's arrays, and dtypes meet as NumPy's do.

    Args:
        prefer_float32: Whether numbers of Python's become float32 and int32, not 64 bits.
        dtype_conversion_mode: 'legacy'; of 'all' and 'safe' it is said that dtypes meet as in that.

    Source:
        TensorFlow 2.15. Differs: there is one way for dtypes to meet. Functions of tensors of two
        dtypes follow JAX, where int32 and float32 meet as float32; operators give NumPy's float64.
    """
    from nacre.tf.methods import lend_numpy_methods

    if dtype_conversion_mode in ("all", "safe"):
        warn(
            "tf.experimental.numpy.experimental_enable_numpy_behavior: dtype_conversion_mode="
            f"'{dtype_conversion_mode}' is not here: dtypes meet as in 'legacy', where int32 + "
            "float32 gives float64 and nothing is refused. Cast where it matters: tf.cast."
        )
    _prefers_32_bits[0] = bool(prefer_float32)
    lend_numpy_methods()


__all__ = [
    "FUNCTIONS", "array", "asanyarray", "asarray", "ascontiguousarray", "copy",
    "experimental_enable_numpy_behavior", "flatten", "named", "promote_types", "result_type",
]  # fmt: skip
