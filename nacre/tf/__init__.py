"""`import nacre.tf as tf`: the names of TensorFlow, on nacre.

Each name is a face of something that exists once: an op, a class, a function of the host.
`table.py` has a row for each function, `faces.py` the modules that are nacre's own; `absent.py`
says of others why they are not here. What tensors are is told in `values.py` and `methods.py`.
Importing it loads neither JAX nor NumPy: names are made when they are asked for.
"""

from typing import TYPE_CHECKING, Any

from nacre.tf.namespaces import namespace as _namespace

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        if name.startswith("__") and name != "__version__":
            raise AttributeError(name)
        return getattr(_namespace(""), name)


def __dir__() -> list[str]:
    return dir(_namespace(""))
