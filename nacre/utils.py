"""`keras.utils`: names that scripts find there. A face; each lives on the floor it belongs to."""

import sys
from typing import TYPE_CHECKING

from nacre.core import old_forms as legacy
from nacre.core.config import (
    disable_interactive_logging as disable_interactive_logging,
)
from nacre.core.config import (
    enable_interactive_logging as enable_interactive_logging,
)
from nacre.core.config import (
    is_interactive_logging_enabled as is_interactive_logging_enabled,
)
from nacre.core.dtypes import standardize_dtype as standardize_dtype
from nacre.core.late_names import late_names
from nacre.core.random import set_random_seed as set_random_seed
from nacre.core.registry import CustomObjectScope as CustomObjectScope
from nacre.core.registry import custom_object_scope as custom_object_scope
from nacre.core.registry import deserialize_keras_object as deserialize_keras_object
from nacre.core.registry import get_custom_objects as get_custom_objects
from nacre.core.registry import get_registered_name as get_registered_name
from nacre.core.registry import get_registered_object as get_registered_object
from nacre.core.registry import register_keras_serializable as register_keras_serializable
from nacre.core.registry import serialize_keras_object as serialize_keras_object
from nacre.core.session import clear_session as clear_session
from nacre.core.settings import Config as Config
from nacre.core.symbolic import get_source_inputs as get_source_inputs
from nacre.core.symbolic import is_symbolic as is_keras_tensor
from nacre.data.arrays import normalize as normalize
from nacre.data.arrays import pad_sequences as pad_sequences
from nacre.data.arrays import to_categorical as to_categorical
from nacre.data.arrays import to_ordinal as to_ordinal
from nacre.data.batches import pack_x_y_sample_weight as pack_x_y_sample_weight
from nacre.data.batches import unpack_x_y_sample_weight as unpack_x_y_sample_weight
from nacre.data.graphs import pad_graphs as pad_graphs
from nacre.data.images import array_to_img as array_to_img
from nacre.data.images import img_to_array as img_to_array
from nacre.data.images import load_img as load_img
from nacre.data.images import save_img as save_img
from nacre.data.py_dataset import PyDataset as PyDataset
from nacre.data.py_dataset import PyDataset as Sequence
from nacre.datasets.download import get_file as get_file
from nacre.ops import boxes as bounding_boxes

if TYPE_CHECKING:
    from nacre.callbacks.progbar import Progbar as Progbar
    from nacre.data.directories import (
        image_dataset_from_directory as image_dataset_from_directory,
    )
    from nacre.data.directories import (
        text_dataset_from_directory as text_dataset_from_directory,
    )
    from nacre.data.sound_directories import (
        audio_dataset_from_directory as audio_dataset_from_directory,
    )
    from nacre.data.splitting import split_dataset as split_dataset
    from nacre.data.timeseries import (
        timeseries_dataset_from_array as timeseries_dataset_from_array,
    )
    from nacre.data.warm_start import warmstart_embedding_matrix as warmstart_embedding_matrix
    from nacre.models.drawing.graphviz import model_to_dot as model_to_dot
    from nacre.models.drawing.plot import plot_model as plot_model
    from nacre.models.feature_space import FeatureSpace as FeatureSpace
    from nacre.training.manifest import run_manifest as run_manifest

# `import nacre.utils.bounding_boxes` works too, as `import os.path` does.
sys.modules[f"{__name__}.bounding_boxes"] = bounding_boxes
sys.modules[f"{__name__}.legacy"] = legacy

__all__ = [
    "Config",
    "get_source_inputs",
    "pack_x_y_sample_weight",
    "standardize_dtype",
    "unpack_x_y_sample_weight",
    "CustomObjectScope",
    "FeatureSpace",
    "Progbar",
    "PyDataset",
    "Sequence",
    "array_to_img",
    "audio_dataset_from_directory",
    "bounding_boxes",
    "clear_session",
    "custom_object_scope",
    "deserialize_keras_object",
    "disable_interactive_logging",
    "enable_interactive_logging",
    "get_custom_objects",
    "get_file",
    "get_registered_name",
    "get_registered_object",
    "image_dataset_from_directory",
    "img_to_array",
    "is_interactive_logging_enabled",
    "is_keras_tensor",
    "legacy",
    "load_img",
    "model_to_dot",
    "normalize",
    "pad_graphs",
    "pad_sequences",
    "plot_model",
    "register_keras_serializable",
    "run_manifest",
    "save_img",
    "serialize_keras_object",
    "set_random_seed",
    "split_dataset",
    "text_dataset_from_directory",
    "timeseries_dataset_from_array",
    "to_categorical",
    "to_ordinal",
    "warmstart_embedding_matrix",
]

if not TYPE_CHECKING:  # they bring layers, models and training
    __getattr__, __dir__ = late_names(
        __name__,
        {
            "FeatureSpace": "nacre.models.feature_space",
            "Progbar": "nacre.callbacks.progbar",
            "audio_dataset_from_directory": "nacre.data.sound_directories",
            "image_dataset_from_directory": "nacre.data.directories",
            "model_to_dot": "nacre.models.drawing.graphviz",
            "plot_model": "nacre.models.drawing.plot",
            "run_manifest": "nacre.training.manifest",
            "split_dataset": "nacre.data.splitting",
            "text_dataset_from_directory": "nacre.data.directories",
            "timeseries_dataset_from_array": "nacre.data.timeseries",
            "warmstart_embedding_matrix": "nacre.data.warm_start",
        },
    )
