"""`keras.preprocessing`: names that scripts find there. A face; they live on floor 3, `data`."""

from typing import TYPE_CHECKING

from nacre.core.late_names import late_names
from nacre.data.directories import (
    image_dataset_from_directory as image_dataset_from_directory,
)
from nacre.data.directories import (
    text_dataset_from_directory as text_dataset_from_directory,
)
from nacre.data.timeseries import (
    timeseries_dataset_from_array as timeseries_dataset_from_array,
)
from nacre.preprocessing import image as image
from nacre.preprocessing import sequence as sequence
from nacre.preprocessing import text as text

__all__ = [
    "image",
    "image_dataset_from_directory",
    "sequence",
    "text",
    "text_dataset_from_directory",
    "timeseries_dataset_from_array",
]

if not TYPE_CHECKING:  # names that are not here yet are told
    __getattr__, __dir__ = late_names(__name__)
