"""Floor 5: models. `Sequential`, functional `Model(inputs, outputs)` and subclasses of `Model`.

`model.py` is the class and `trainable.py` the part of it that trains. `graph.py` orders the calls
between symbolic inputs and outputs; `compiled_call.py` makes `model(x)` one cached program;
`doors.py` holds the upward calls to files.
"""

from typing import TYPE_CHECKING

from nacre.core.compile_cache import enable as _enable_compile_cache
from nacre.core.late_names import late_names
from nacre.models import doors as _doors
from nacre.models.clone import clone_model as clone_model
from nacre.models.clone import model_from_config as model_from_config
from nacre.models.clone import model_from_json as model_from_json
from nacre.models.clone import model_from_yaml as model_from_yaml
from nacre.models.functional import Functional as Functional
from nacre.models.generation import generate as generate
from nacre.models.model import Model as Model
from nacre.models.sequential import Sequential as Sequential

if TYPE_CHECKING:
    from nacre.saving.api import load_model as load_model
    from nacre.saving.api import save_model as save_model
    from nacre.saving.pretrained import from_pretrained as from_pretrained

__all__ = [
    "Functional",
    "Model",
    "Sequential",
    "clone_model",
    "from_pretrained",
    "generate",
    "load_model",
    "model_from_config",
    "model_from_json",
    "model_from_yaml",
    "save_model",
]

if not TYPE_CHECKING:  # a checker would take any name for one of the module's
    __getattr__, __dir__ = late_names(
        __name__,
        dict.fromkeys(("from_pretrained", "load_model", "save_model"), "nacre.saving"),
        _doors.imported,
    )


_enable_compile_cache()
