"""`keras.dtype_policies`: a face; policies live in `nacre.core.dtypes`."""

from nacre.core.dtypes import DTypePolicy as DTypePolicy
from nacre.core.dtypes import get_policy as get

FloatDTypePolicy = DTypePolicy

__all__ = ["DTypePolicy", "FloatDTypePolicy", "get"]
