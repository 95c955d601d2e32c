"""`keras.utils`: names that scripts find there. A face; each lives on the floor it belongs to."""

from nacre.core.config import (
    disable_interactive_logging as disable_interactive_logging,
)
from nacre.core.config import (
    enable_interactive_logging as enable_interactive_logging,
)
from nacre.core.config import (
    is_interactive_logging_enabled as is_interactive_logging_enabled,
)
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
from nacre.core.symbolic import is_symbolic as is_keras_tensor
from nacre.data.arrays import normalize as normalize
from nacre.data.arrays import pad_sequences as pad_sequences
from nacre.data.arrays import to_categorical as to_categorical
from nacre.data.graphs import pad_graphs as pad_graphs
from nacre.data.py_dataset import PyDataset as PyDataset
from nacre.data.py_dataset import PyDataset as Sequence
from nacre.datasets.download import get_file as get_file

__all__ = [
    "CustomObjectScope",
    "PyDataset",
    "Sequence",
    "clear_session",
    "custom_object_scope",
    "deserialize_keras_object",
    "disable_interactive_logging",
    "enable_interactive_logging",
    "get_custom_objects",
    "get_file",
    "get_registered_name",
    "get_registered_object",
    "is_interactive_logging_enabled",
    "is_keras_tensor",
    "normalize",
    "pad_graphs",
    "pad_sequences",
    "register_keras_serializable",
    "serialize_keras_object",
    "set_random_seed",
    "to_categorical",
]
