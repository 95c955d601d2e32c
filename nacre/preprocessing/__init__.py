"""`keras.preprocessing`: names that scripts find there. A face; they live on floor 3, `data`."""

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

__all__ = [
    "image",
    "image_dataset_from_directory",
    "sequence",
    "text_dataset_from_directory",
    "timeseries_dataset_from_array",
]
