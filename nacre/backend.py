"""`keras.backend`: the few names scripts still use. A face."""

from nacre.core.config import backend as backend
from nacre.core.config import epsilon as epsilon
from nacre.core.config import floatx as floatx
from nacre.core.config import image_data_format as image_data_format
from nacre.core.config import set_epsilon as set_epsilon
from nacre.core.config import set_floatx as set_floatx
from nacre.core.config import set_image_data_format as set_image_data_format
from nacre.core.dtypes import is_float as is_float_dtype
from nacre.core.dtypes import is_int as is_int_dtype
from nacre.core.dtypes import result_type as result_type
from nacre.core.dtypes import standardize_dtype as standardize_dtype
from nacre.core.names import get_uid as get_uid
from nacre.core.session import clear_session as clear_session
from nacre.core.symbolic import is_symbolic as is_keras_tensor
from nacre.core.values import batch_get_value as batch_get_value
from nacre.core.values import batch_set_value as batch_set_value
from nacre.core.values import get_value as get_value
from nacre.core.values import set_value as set_value

__all__ = [
    "backend",
    "batch_get_value",
    "batch_set_value",
    "clear_session",
    "epsilon",
    "floatx",
    "get_uid",
    "get_value",
    "image_data_format",
    "is_float_dtype",
    "is_int_dtype",
    "is_keras_tensor",
    "result_type",
    "set_epsilon",
    "set_floatx",
    "set_image_data_format",
    "set_value",
    "standardize_dtype",
]


def __dir__() -> list[str]:
    return sorted(__all__)  # what tab completion offers
