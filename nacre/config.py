"""`keras.config`: process-wide settings. A face; they live in `nacre.core`."""

from nacre.core.config import backend as backend
from nacre.core.config import disable_flash_attention as disable_flash_attention
from nacre.core.config import disable_interactive_logging as disable_interactive_logging
from nacre.core.config import disable_traceback_filtering as disable_traceback_filtering
from nacre.core.config import enable_flash_attention as enable_flash_attention
from nacre.core.config import enable_interactive_logging as enable_interactive_logging
from nacre.core.config import enable_traceback_filtering as enable_traceback_filtering
from nacre.core.config import epsilon as epsilon
from nacre.core.config import floatx as floatx
from nacre.core.config import image_data_format as image_data_format
from nacre.core.config import is_flash_attention_enabled as is_flash_attention_enabled
from nacre.core.config import is_interactive_logging_enabled as is_interactive_logging_enabled
from nacre.core.config import is_traceback_filtering_enabled as is_traceback_filtering_enabled
from nacre.core.config import max_epochs as max_epochs
from nacre.core.config import max_steps_per_epoch as max_steps_per_epoch
from nacre.core.config import set_backend as set_backend
from nacre.core.config import set_epsilon as set_epsilon
from nacre.core.config import set_floatx as set_floatx
from nacre.core.config import set_image_data_format as set_image_data_format
from nacre.core.config import set_max_epochs as set_max_epochs
from nacre.core.config import set_max_steps_per_epoch as set_max_steps_per_epoch
from nacre.core.policies import dtype_policy as dtype_policy
from nacre.core.policies import set_dtype_policy as set_dtype_policy
from nacre.core.safety import enable_unsafe_deserialization as enable_unsafe_deserialization

__all__ = [
    "enable_unsafe_deserialization",
    "set_backend",
    "is_nnx_enabled",
    "is_flash_attention_enabled",
    "enable_flash_attention",
    "disable_flash_attention",
    "backend",
    "disable_interactive_logging",
    "disable_traceback_filtering",
    "dtype_policy",
    "enable_interactive_logging",
    "enable_traceback_filtering",
    "epsilon",
    "floatx",
    "image_data_format",
    "is_interactive_logging_enabled",
    "is_traceback_filtering_enabled",
    "max_epochs",
    "max_steps_per_epoch",
    "set_dtype_policy",
    "set_epsilon",
    "set_floatx",
    "set_image_data_format",
    "set_max_epochs",
    "set_max_steps_per_epoch",
]


def is_nnx_enabled() -> bool:
    """False: variables are nacre's own, not Flax NNX's."""
    return False


def __dir__() -> list[str]:
    return sorted(__all__)  # what tab completion offers
