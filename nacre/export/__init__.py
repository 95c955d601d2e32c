"""From a model to every format: `graph` is what stands in between, `capture` makes it."""

from nacre.core.late_names import late_names

__all__: list[str] = []

__getattr__, __dir__ = late_names(__name__)
