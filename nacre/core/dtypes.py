"""Dtype names, promotion, and policies: which dtype to compute in, which to keep weights in."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nacre.core import config
from nacre.core.errors import DTypeError, UnknownNameError, message, nearest
from nacre.core.registry import register

FLOAT_DTYPES = ("bfloat16", "float16", "float32", "float64")
INT_DTYPES = ("uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64")
ALLOWED_DTYPES = (
    *FLOAT_DTYPES,
    *INT_DTYPES,
    "bool",
    "string",
    "complex64",
    "complex128",
    "float8_e4m3fn",
    "float8_e5m2",
)
_PYTHON_DTYPES = {bool: "bool", int: "int32", float: "float32", str: "string"}


def standardize_dtype(dtype: Any) -> str:
    """The plain name of a dtype given as a string, a NumPy or JAX dtype, or a Python type.

    Raises:
        DTypeError: It is no dtype nacre knows.
    Example:
        >>> standardize_dtype(np.float32), standardize_dtype(None), standardize_dtype("int")
        ('float32', 'float32', 'int32')
    """
    if dtype is None:
        return config.floatx()
    if isinstance(dtype, str) and dtype in ALLOWED_DTYPES:
        return dtype
    # Compared as strings only: NumPy says that its float64 dtype equals "float".
    if dtype is float or (isinstance(dtype, str) and dtype == "float"):
        return config.floatx()
    if isinstance(dtype, type) and dtype in _PYTHON_DTYPES:
        return _PYTHON_DTYPES[dtype]
    if isinstance(dtype, str) and dtype == "int":
        return "int32"
    text = str(dtype)
    if "torch." in text:
        name = text.replace("torch.", "")
    elif type(dtype).__module__.startswith("tensorflow") and hasattr(dtype, "name"):
        name = dtype.name
    else:
        try:
            name = np.dtype(dtype).name
        except TypeError:
            name = text
    if name.startswith("str"):
        name = "string"
    if name not in ALLOWED_DTYPES:
        hint = nearest(name, ALLOWED_DTYPES)
        raise DTypeError(
            message(
                "dtype",
                "it must be a known dtype",
                repr(dtype),
                f"Did you mean {hint!r}?" if hint else f"Known: {', '.join(ALLOWED_DTYPES)}.",
            )
        )
    return name


def is_float(dtype: Any) -> bool:
    """True for a floating dtype, 8-bit ones included."""
    name = standardize_dtype(dtype)
    return name.startswith(("float", "bfloat"))


def is_int(dtype: Any) -> bool:
    """True for a signed or unsigned integer dtype."""
    return standardize_dtype(dtype) in INT_DTYPES


def result_type(*dtypes: Any) -> str:
    """The dtype Keras promotes these to (JAX's lattice; Python numbers are weak).

    Example:
        >>> result_type("int32", "float16"), result_type("float32", int)
        ('float16', 'float32')
    """
    if not dtypes:
        return config.floatx()
    leaves: list[Any] = []
    for dtype in dtypes:
        if dtype is int or dtype is float:
            leaves.append(dtype(0))
        else:
            # 64 bits become 32 where JAX has no 64-bit numbers, without a warning.
            leaves.append(jax.dtypes.canonicalize_dtype(jnp.dtype(standardize_dtype(dtype))))
    if all(isinstance(leaf, int | float) for leaf in leaves):
        return config.floatx() if any(isinstance(leaf, float) for leaf in leaves) else "int32"
    return standardize_dtype(jnp.result_type(*leaves))


class _PolicyNames:
    known = (*FLOAT_DTYPES, "mixed_float16", "mixed_bfloat16")


@register("DTypePolicy", module="keras", class_name="DTypePolicy")
class DTypePolicy:
    """Which dtype a layer computes in and which its variables have.

    Args:
        name: A dtype name (both alike), or 'mixed_float16' / 'mixed_bfloat16' (compute in 16 bits,
            keep variables in float32).

    Raises:
        UnknownNameError: The name is no policy.
    Example:
        >>> policy = DTypePolicy("mixed_bfloat16")
        >>> policy.compute_dtype, policy.variable_dtype
        ('bfloat16', 'float32')
    """

    def __init__(self, name: str | None = None, source_name: str | None = None) -> None:
        if name is None:
            name = config.floatx()
        if not isinstance(name, str):
            name = standardize_dtype(name)
        self._name = name
        if name.startswith("mixed_") and name in _PolicyNames.known:
            self._compute_dtype, self._variable_dtype = name.removeprefix("mixed_"), "float32"
        else:
            try:
                dtype = standardize_dtype(name)
            except DTypeError:
                hint = nearest(name, (*_PolicyNames.known, *INT_DTYPES))
                raise UnknownNameError(
                    message(
                        "DTypePolicy",
                        "name must be a dtype, 'mixed_float16' or 'mixed_bfloat16'",
                        repr(name),
                        f"Did you mean {hint!r}?" if hint else "",
                    )
                ) from None
            self._compute_dtype = self._variable_dtype = dtype
        self._source_name = source_name

    @property
    def name(self) -> str:
        """The name of the policy."""
        return self._name

    @property
    def compute_dtype(self) -> str:
        """The dtype inputs are cast to and outputs have."""
        return self._compute_dtype

    @property
    def variable_dtype(self) -> str:
        """The dtype of the variables."""
        return self._variable_dtype

    @property
    def quantization_mode(self) -> None:
        """None: not a quantized policy."""
        return None

    def get_config(self) -> dict[str, Any]:
        """The arguments, as plain data."""
        return {"name": self._name}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> DTypePolicy:
        """Make the policy a config describes."""
        return cls(config.get("name"))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DTypePolicy) and other._name == self._name

    def __hash__(self) -> int:
        return hash(self._name)

    def __repr__(self) -> str:
        return f'<DTypePolicy "{self._name}">'


_global_policy: list[DTypePolicy | None] = [None]


def dtype_policy() -> DTypePolicy:
    """The policy new layers get: what `set_dtype_policy` set, else float32 (floatx)."""
    return _global_policy[0] or DTypePolicy(config.floatx())


def set_dtype_policy(policy: str | DTypePolicy | None) -> None:
    """Set the policy of layers made from now on."""
    _global_policy[0] = None if policy is None else get_policy(policy)


def get_policy(identifier: Any) -> DTypePolicy:
    """The policy for None, a name, a dtype, a config or a policy."""
    if identifier is None:
        return dtype_policy()
    if isinstance(identifier, DTypePolicy):
        return identifier
    if isinstance(identifier, dict):
        inner = identifier.get("config", identifier)
        return DTypePolicy(inner.get("name"))
    if isinstance(identifier, str):
        return DTypePolicy(identifier)
    return DTypePolicy(standardize_dtype(identifier))
