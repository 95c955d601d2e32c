"""Dtype policies: what a layer computes in, what its variables have, how it is quantized."""

# Arguments are looked at whatever their types say: users run no checker.
# pyright: reportUnnecessaryIsInstance=false, reportUnnecessaryComparison=false

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, MutableMapping
from typing import Any, Self

from nacre.core import config
from nacre.core.dtypes import FLOAT_DTYPES, INT_DTYPES, standardize_dtype, use_64_bits
from nacre.core.errors import ArgumentError, DTypeError, UnknownNameError, message, nearest
from nacre.core.kinds import is_dict
from nacre.core.lookup import of_role
from nacre.core.numbers import whole_number
from nacre.core.registry import deserialize_keras_object, plain_config, register
from nacre.core.safety import reads_config

MIXED_NAMES = ("mixed_float16", "mixed_bfloat16")
QUANTIZATION_MODES = ("int8", "float8", "int4", "gptq", "awq")


@register("DTypePolicy", module="keras")
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

    _config_role = "policy"

    def __init__(self, name: str | None = None) -> None:
        if name is None:
            name = config.floatx()
        self._name = name if isinstance(name, str) else standardize_dtype(name)
        self._compute_dtype, self._variable_dtype = self._parse_name(self._name)

    def _parse_name(self, name: str) -> tuple[str, str]:
        """Compute dtype and variable dtype."""
        if name in MIXED_NAMES:
            return name.removeprefix("mixed_"), "float32"
        try:
            dtype = standardize_dtype(name)
        except DTypeError:
            hint = nearest(name, (*FLOAT_DTYPES, *MIXED_NAMES, *INT_DTYPES))
            raise UnknownNameError(
                message(
                    type(self).__name__,
                    "name must be a dtype, 'mixed_float16' or 'mixed_bfloat16'",
                    repr(name),
                    f"Did you mean {hint!r}?" if hint else "",
                )
            ) from None
        return dtype, dtype

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
    def quantization_mode(self) -> str | None:
        """How layers with the policy are quantized; None when they are not."""
        return None

    def get_config(self) -> dict[str, Any]:
        """The arguments, as plain data."""
        return {"name": self._name}

    @classmethod
    @reads_config
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Make the policy a config describes."""
        return cls(**config)

    def __eq__(self, other: object) -> bool:
        # FloatDTypePolicy is another word for the same thing.
        plain = {DTypePolicy, FloatDTypePolicy}
        alike = type(self) is type(other) or {type(self), type(other)} <= plain
        return alike and self.get_config() == other.get_config()  # type: ignore[attr-defined]

    def __hash__(self) -> int:
        return hash(self._name)

    def __repr__(self) -> str:
        return f'<{type(self).__name__} "{self._name}">'


@register("FloatDTypePolicy", module="keras")
class FloatDTypePolicy(DTypePolicy):
    """`DTypePolicy` under the name it had before policies could quantize."""


@register("dtype_policies/QuantizedDTypePolicy")
class QuantizedDTypePolicy(DTypePolicy):
    """The policy of a quantized layer: how its weights are stored, and what it computes in.

    Args:
        mode: 'int8', 'int4' or 'float8'.
        source_name: Name of the policy the layer had before; the global policy by default.

    Raises:
        ArgumentError: An unknown mode, or int8 from float16, whose range products of 8-bit numbers
            leave.
    Example:
        >>> get_policy("int8_from_mixed_bfloat16").compute_dtype
        'bfloat16'
    """

    _modes: tuple[str, ...] = QUANTIZATION_MODES

    def __init__(self, mode: str, source_name: str | None = None) -> None:
        if source_name is None:
            source_name = dtype_policy().name
        self._mode = mode
        self._source_name = source_name
        self._check_mode(mode)
        super().__init__(source_name)
        self._name = f"{mode}_from_{source_name}"
        if mode == "int8" and self._compute_dtype == "float16":
            raise ArgumentError(
                message(
                    type(self).__name__,
                    "int8 needs a compute dtype with the range of float32",
                    f"compute dtype 'float16' (source policy {source_name!r})",
                    "Use 'mixed_bfloat16' or 'float32'.",
                )
            )

    def _check_mode(self, mode: str) -> None:
        if mode not in self._modes:
            raise ArgumentError(unknown_mode(type(self).__name__, mode, self._modes))

    @property
    def quantization_mode(self) -> str:
        """How layers with the policy are quantized."""
        return self._mode.split("/")[0]

    def get_config(self) -> dict[str, Any]:
        """The arguments, as plain data."""
        return {"mode": self._mode, "source_name": self._source_name}


@register("dtype_policies/QuantizedFloat8DTypePolicy")
class QuantizedFloat8DTypePolicy(QuantizedDTypePolicy):
    """Training with products of 8-bit floats, scaled by the largest values seen lately.

    Args:
        mode: 'float8'.
        source_name: Name of the policy the layer had before; the global policy by default.
        amax_history_length: How many steps back the largest values are remembered.
    """

    _modes = ("float8",)
    default_amax_history_length = 1024

    def __init__(
        self, mode: str, source_name: str | None = None, amax_history_length: int = 1024
    ) -> None:
        super().__init__(mode, source_name)
        who = type(self).__name__
        self._amax_history_length = whole_number(who, "amax_history_length", amax_history_length)

    @property
    def amax_history_length(self) -> int:
        """How many steps back the largest values are remembered."""
        return self._amax_history_length

    def get_config(self) -> dict[str, Any]:
        """The arguments, as plain data."""
        return {**super().get_config(), "amax_history_length": self._amax_history_length}


class _GroupedDTypePolicy(QuantizedDTypePolicy):
    """A policy whose mode carries numbers: `name/number/...`, the last a group size."""

    _algorithm = ""
    _numbers = 1
    _form = ""

    def _check_mode(self, mode: str) -> None:
        parts = mode.split("/")
        numbers = [int(p) for p in parts[1:] if re.fullmatch(r"-?\d+", p)]
        fits = parts[0] == self._algorithm and len(parts) == len(numbers) + 1 == self._numbers + 1
        if not fits or (numbers[-1] < 1 and numbers[-1] != -1):
            raise ArgumentError(
                message(
                    type(self).__name__,
                    f"mode must be {self._form}, with a size of -1 (none) or above 0",
                    repr(mode),
                )
            )
        self._values = numbers

    @property
    def _group_size(self) -> int:
        return self._values[-1]


@register("dtype_policies/Int4DTypePolicy")
class Int4DTypePolicy(_GroupedDTypePolicy):
    """Weights of 4 bits, one scale for each block of inputs.

    Args:
        mode: 'int4/<block size>'; -1 for one scale over all inputs.
        source_name: Name of the policy the layer had before; the global policy by default.

    Example:
        >>> get_policy("int4/128_from_float32").block_size
        128
    """

    _algorithm, _form = "int4", "'int4/<block size>'"

    @property
    def block_size(self) -> int:
        """The number of inputs that share a scale; -1 for all."""
        return self._group_size


@register("dtype_policies/GPTQDTypePolicy")
class GPTQDTypePolicy(_GroupedDTypePolicy):
    """The policy of a layer whose weights GPTQ rounded.

    Args:
        mode: 'gptq/<weight bits>/<group size>'.
        source_name: Name of the policy the layer had before; the global policy by default.
    """

    _algorithm, _numbers, _form = "gptq", 2, "'gptq/<weight bits>/<group size>'"

    @property
    def weight_bits(self) -> int:
        """Bits of a weight."""
        return self._values[0]

    @property
    def group_size(self) -> int:
        """The number of inputs that share a scale; -1 for all."""
        return self._group_size


@register("dtype_policies/AWQDTypePolicy")
class AWQDTypePolicy(GPTQDTypePolicy):
    """The policy of a layer whose weights AWQ rounded.

    Args:
        mode: 'awq/<weight bits>/<group size>'.
        source_name: Name of the policy the layer had before; the global policy by default.
    """

    _algorithm, _form = "awq", "'awq/<weight bits>/<group size>'"


@register("dtype_policies/DTypePolicyMap")
class DTypePolicyMap(DTypePolicy, MutableMapping[str, Any]):
    """A policy for each layer of a composite one, by the layer's path.

    A key is a whole path (`encoder/dense`) or a regular expression that a whole path must match
    (`encoder/.*`). Paths no key matches get the default policy.

    Args:
        default_policy: The policy of all other layers; None takes the global one.
        policy_map: path or expression -> policy.

    Raises:
        ArgumentError: A key twice, or a path that two expressions match.
    Example:
        >>> policies = DTypePolicyMap("float32")
        >>> policies["encoder/.*"] = DTypePolicy("mixed_bfloat16")
        >>> policies["encoder/dense"].name, policies["decoder"].name
        ('mixed_bfloat16', 'float32')
    """

    def __init__(
        self, default_policy: Any = None, policy_map: dict[str, DTypePolicy] | None = None
    ) -> None:
        if isinstance(default_policy, DTypePolicyMap):
            raise ArgumentError(
                message("DTypePolicyMap", "default_policy must be one policy", repr(default_policy))
            )
        if policy_map is not None and not is_dict(policy_map):
            raise DTypeError(
                message("DTypePolicyMap", "policy_map must be a dict", repr(policy_map))
            )
        self._default_given = default_policy
        self._map: dict[str, DTypePolicy] = {}
        for key, policy in (policy_map or {}).items():
            self[key] = policy

    @property
    def default_policy(self) -> DTypePolicy:
        """The policy of paths that no key matches."""
        return get_policy(self._default_given)

    @property
    def name(self) -> str:
        """`map_` and the name of the default policy."""
        return f"map_{self.default_policy.name}"

    @property
    def compute_dtype(self) -> str:
        """The compute dtype of the default policy."""
        return self.default_policy.compute_dtype

    @property
    def variable_dtype(self) -> str:
        """The variable dtype of the default policy."""
        return self.default_policy.variable_dtype

    @property
    def quantization_mode(self) -> str | None:
        """The quantization mode of the default policy."""
        return self.default_policy.quantization_mode

    def __getitem__(self, path: str) -> DTypePolicy:
        if path in self._map:
            return self._map[path]
        found = [key for key in self._map if re.fullmatch(key, path)]
        if len(found) > 1:
            raise ArgumentError(
                message(
                    "DTypePolicyMap",
                    "a path must match one expression",
                    f"{path!r}, which matches {', '.join(map(repr, found))}",
                    "Add the whole path as a key: it goes before expressions.",
                )
            )
        return self._map[found[0]] if found else self.default_policy

    def __setitem__(self, key: str, policy: Any) -> None:
        if key in self._map:
            raise ArgumentError(
                message(
                    "DTypePolicyMap",
                    "a key can be set once",
                    f"{key!r}, which has {self._map[key]!r}",
                    f"Delete it first: del policies[{key!r}].",
                )
            )
        policy = get_policy(policy)
        if isinstance(policy, DTypePolicyMap):
            raise ArgumentError(message("DTypePolicyMap", "a value must be one policy", "a map"))
        try:
            re.compile(key)
        except re.error as error:
            raise ArgumentError(
                message("DTypePolicyMap", "a key must be a path or an expression", f"{key!r}")
            ) from error
        self._map[key] = policy

    def get(self, path: str, default: Any = None) -> Any:
        """The policy of a path: its own, else the default policy. It never fails."""
        return self[path]

    def __delitem__(self, key: str) -> None:
        del self._map[key]

    def __contains__(self, key: object) -> bool:
        return key in self._map

    def __iter__(self) -> Iterator[str]:
        return iter(self._map)

    def __len__(self) -> int:
        return len(self._map)

    def get_config(self) -> dict[str, Any]:
        """The arguments, as plain data."""
        policies = {key: plain_config(policy) for key, policy in self._map.items()}
        if self._default_given is None:
            # Where the default is open, so is what the policies that come from it compute in.
            for data in policies.values():
                if data["config"].get("source_name") == self.default_policy.name:
                    data["config"]["source_name"] = None
        default = plain_config(self._default_given)
        return {"default_policy": default, "policy_map": policies}

    @classmethod
    @reads_config
    def from_config(
        cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None
    ) -> Self:
        """Make the map a config describes."""
        given = deserialize_keras_object(dict(config), custom_objects)
        return cls(given.get("default_policy"), given.get("policy_map"))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DTypePolicyMap) and self.get_config() == other.get_config()

    def __hash__(self) -> int:
        return id(self)

    def __repr__(self) -> str:
        pairs = [(key, policy.name) for key, policy in self._map.items()]
        return f"<DTypePolicyMap default_policy={self.default_policy.name}, mapping={pairs}>"


def unknown_mode(who: str, mode: Any, modes: tuple[str, ...]) -> str:
    """The message for a quantization mode that does not exist."""
    hint = nearest(mode, modes)
    return message(
        who,
        f"mode must be one of {', '.join(map(repr, modes))}",
        repr(mode),
        f"Did you mean {hint!r}?" if hint else "",
    )


_QUANTIZED: dict[str, Callable[[str, str], QuantizedDTypePolicy]] = {
    "int8": QuantizedDTypePolicy,
    "int4": QuantizedDTypePolicy,
    "int4/": Int4DTypePolicy,
    "gptq/": GPTQDTypePolicy,
    "awq/": AWQDTypePolicy,
    "float8": QuantizedFloat8DTypePolicy,
}


def _from_name(name: str) -> DTypePolicy:
    """`float32`, `mixed_bfloat16`, or `<mode>_from_<source>`."""
    algorithm = re.match(r"(int8|int4/?|gptq/|awq/|float8)(?=_from|-|\d|$)", name)
    if name in INT_DTYPES or algorithm is None or name.startswith("float8_e"):
        return DTypePolicy(name)
    mode, separator, source = name.partition("_from_")
    if not separator or not source:
        raise UnknownNameError(
            message(
                "dtype policy",
                "the name of a quantized policy must be '<mode>_from_<source policy>'",
                repr(name),
                f"Write {mode.removesuffix('_from_')!r} as '{mode}_from_float32'.",
            )
        )
    return _QUANTIZED[algorithm[1]](mode, source)


_global_policy: list[DTypePolicy | None] = [None]


def dtype_policy() -> DTypePolicy:
    """The policy new layers get: what `set_dtype_policy` set, else float32 (floatx)."""
    return _global_policy[0] or get_policy(config.floatx())


def set_dtype_policy(policy: Any) -> None:
    """Set the policy of layers made from now on."""
    _global_policy[0] = None if policy is None else get_policy(policy)


def get_policy(identifier: Any) -> DTypePolicy:
    """The policy for None, a name, a dtype, a config or a policy.

    Asking for float64 here switches JAX's 64-bit numbers on.

    Example:
        >>> get_policy("int8_from_float32")
        <QuantizedDTypePolicy "int8_from_float32">
    """
    policy = _policy_of(identifier)
    if not isinstance(policy, DTypePolicyMap) and policy.variable_dtype == "float64":
        use_64_bits()
    return policy


def _policy_of(identifier: Any) -> DTypePolicy:
    if identifier is None:
        return dtype_policy()
    if isinstance(identifier, DTypePolicy):
        return identifier
    if is_dict(identifier):
        if "class_name" in identifier:
            policy = deserialize_keras_object(identifier)
            if not isinstance(policy, DTypePolicy):
                raise ArgumentError(
                    message("dtype policy", "the config must be a policy's", repr(identifier))
                )
            return policy
        return _from_name(identifier["name"])
    if isinstance(identifier, str):
        return _from_name(identifier)
    return DTypePolicy(standardize_dtype(identifier))


def serialize(dtype_policy: DTypePolicy) -> dict[str, Any]:
    """A policy as plain data.

    Example:
        >>> serialize(DTypePolicy("float16"))["config"]
        {'name': 'float16'}
    """
    return plain_config(dtype_policy)


def deserialize(config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Any:
    """The policy a config describes.

    Args:
        config: What `serialize` gave.
        custom_objects: name -> class, for policies that are not built in.

    Raises:
        SerializationError: It describes something else.
    """
    found = deserialize_keras_object(config, custom_objects)
    if isinstance(found, str):
        return found
    return of_role(found, "policy", "dtype_policies.deserialize", "a dtype policy", config)


# The classes a config may name.
__all__ = [
    "AWQDTypePolicy",
    "DTypePolicy",
    "DTypePolicyMap",
    "FloatDTypePolicy",
    "GPTQDTypePolicy",
    "Int4DTypePolicy",
    "QuantizedDTypePolicy",
    "QuantizedFloat8DTypePolicy",
]
