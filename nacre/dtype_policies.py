"""`keras.dtype_policies`: a face; policies live in `nacre.core.policies`."""

from nacre.core.policies import AWQDTypePolicy as AWQDTypePolicy
from nacre.core.policies import DTypePolicy as DTypePolicy
from nacre.core.policies import DTypePolicyMap as DTypePolicyMap
from nacre.core.policies import FloatDTypePolicy as FloatDTypePolicy
from nacre.core.policies import GPTQDTypePolicy as GPTQDTypePolicy
from nacre.core.policies import Int4DTypePolicy as Int4DTypePolicy
from nacre.core.policies import QuantizedDTypePolicy as QuantizedDTypePolicy
from nacre.core.policies import QuantizedFloat8DTypePolicy as QuantizedFloat8DTypePolicy
from nacre.core.policies import deserialize as deserialize
from nacre.core.policies import get_policy as get
from nacre.core.policies import serialize as serialize

__all__ = [
    "AWQDTypePolicy",
    "DTypePolicy",
    "DTypePolicyMap",
    "FloatDTypePolicy",
    "GPTQDTypePolicy",
    "Int4DTypePolicy",
    "QuantizedDTypePolicy",
    "QuantizedFloat8DTypePolicy",
    "deserialize",
    "get",
    "serialize",
]


def __dir__() -> list[str]:
    return sorted(__all__)  # what tab completion offers
