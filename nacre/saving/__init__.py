"""Files of models and weights, and the names configs are made of.

How this floor works: `api` chooses a format and never touches bytes; `formats/` holds one file a
format; `layout` and `legacy_layout` say where each array stands; `migrate` turns older configs into
today's; `hdf5` and `archive` read and write containers with care; `core.atomic` replaces files.
Reading never runs code from a file.
"""

from typing import TYPE_CHECKING

from nacre.core.late_names import late_names
from nacre.core.registry import CustomObjectScope as CustomObjectScope
from nacre.core.registry import custom_object_scope as custom_object_scope
from nacre.core.registry import deserialize_keras_object as deserialize_keras_object
from nacre.core.registry import get_custom_objects as get_custom_objects
from nacre.core.registry import get_registered_name as get_registered_name
from nacre.core.registry import get_registered_object as get_registered_object
from nacre.core.registry import register_keras_serializable as register_keras_serializable
from nacre.core.registry import serialize_keras_object as serialize_keras_object
from nacre.saving.api import load_model as load_model
from nacre.saving.api import load_weights as load_weights
from nacre.saving.api import save_model as save_model
from nacre.saving.api import save_weights as save_weights
from nacre.saving.copies import model_from_bytes as model_from_bytes
from nacre.saving.copies import model_to_bytes as model_to_bytes
from nacre.saving.pretrained import from_pretrained as from_pretrained

__all__ = [
    "CustomObjectScope",
    "custom_object_scope",
    "deserialize_keras_object",
    "from_pretrained",
    "get_custom_objects",
    "get_registered_name",
    "get_registered_object",
    "load_model",
    "load_weights",
    "open_saved_model",
    "register_keras_serializable",
    "save_model",
    "save_weights",
    "serialize_keras_object",
    "tensorflow_op",
]


if TYPE_CHECKING:  # graphs of TensorFlow bring hundreds of ops, which few programs need
    from nacre.export.importers.tensorflow.program import open_saved_model as open_saved_model
    from nacre.export.importers.tensorflow.registry import op as tensorflow_op
else:
    __getattr__, __dir__ = late_names(
        __name__,
        {
            "open_saved_model": "nacre.export.importers.tensorflow.program",
            "tensorflow_op": "nacre.export.importers.tensorflow.registry:op",
        },
    )
