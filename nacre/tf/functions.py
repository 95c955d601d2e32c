"""`tf.function`: `nacre.function`, which runs as plain Python what cannot be compiled.

Python that decides by values of tensors (`if loss > 1:`, loops over values, sizes that depend on
values) is not converted: the function runs eagerly from then on, and a warning names the line.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from nacre.core import scope
from nacre.core.errors import TracedValueError
from nacre.core.tracing import is_tracing
from nacre.core.warning import warn
from nacre.tf.machine import functions_run_eagerly
from nacre.training.function import Function as Compiled
from nacre.training.function import function as compiled


class Function(Compiled[..., Any]):
    """A function that is compiled, or runs as it stands where that cannot be.

    Args:
        python_function: The function.
        input_signature: The shapes and dtypes of its arguments.
    """

    _is_plain = False

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run it."""
        if self._is_plain or functions_run_eagerly():
            return self.python_function(*args, **kwargs)
        try:
            return super().__call__(*args, **kwargs)
        except TracedValueError as error:
            if scope.in_stateless_scope() or is_tracing():
                raise  # the function around it decides
            self._is_plain = True
            warn(
                f"tf.function '{self._who}' runs as plain Python, not compiled, as it needs the "
                f"values of tensors: {error}"
            )
        return self.python_function(*args, **kwargs)


def function(func: Callable[..., Any] | None = None, **options: Any) -> Any:
    """Compile a function, as a decorator or a call; see `nacre.function`.

    Args:
        func: The function or method.
        options: `input_signature`, `jit_compile`, `reduce_retracing`, `autograph` and
            `experimental_...`, as `nacre.function` takes them.

    Source:
        TensorFlow 2.15, tf.function. Differs: Python's `if` and loops over values of tensors are
        not converted; such a function runs eagerly.
    """
    if func is None:
        return functools.partial(function, **options)
    made = compiled(func, **options)
    return Function(made.python_function, made.input_signature)


__all__ = ["Function", "function"]
