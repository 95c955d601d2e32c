"""`keras.config`: process-wide settings. A face; they live in `nacre.core.config` and `dtypes`."""

from nacre.core.config import backend as backend
from nacre.core.config import disable_interactive_logging as disable_interactive_logging
from nacre.core.config import disable_traceback_filtering as disable_traceback_filtering
from nacre.core.config import enable_interactive_logging as enable_interactive_logging
from nacre.core.config import enable_traceback_filtering as enable_traceback_filtering
from nacre.core.config import epsilon as epsilon
from nacre.core.config import floatx as floatx
from nacre.core.config import image_data_format as image_data_format
from nacre.core.config import is_interactive_logging_enabled as is_interactive_logging_enabled
from nacre.core.config import is_traceback_filtering_enabled as is_traceback_filtering_enabled
from nacre.core.config import set_epsilon as set_epsilon
from nacre.core.config import set_floatx as set_floatx
from nacre.core.config import set_image_data_format as set_image_data_format
from nacre.core.dtypes import dtype_policy as dtype_policy
from nacre.core.dtypes import set_dtype_policy as set_dtype_policy

__all__ = [
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
    "set_dtype_policy",
    "set_epsilon",
    "set_floatx",
    "set_image_data_format",
]
