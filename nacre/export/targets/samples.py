"""Samples of data that tell the ranges of a model's numbers, for formats that compute in 8 bits."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from nacre.core.errors import ArgumentError, message
from nacre.core.warning import warn
from nacre.export.graph.ir import Value

# So many tell the ranges; an endless generator is not waited for.
_MOST_SAMPLES = 1000


class Samples:
    """Samples of data, which tell the ranges of numbers.

    Args:
        given: Several of them, or a function that gives them one by one, as TensorFlow takes it;
            each a list of arrays, a dict of them by name, or the one array of a model with one
            input.

    Raises:
        ArgumentError: It is neither.
    """

    def __init__(self, given: Any) -> None:
        found: Any = given() if callable(given) else given
        if not isinstance(found, Iterable):
            raise _fault("it must be samples, or a function that gives them", repr(found))
        self.samples = list(itertools.islice(found, _MOST_SAMPLES + 1))
        if len(self.samples) > _MOST_SAMPLES:
            self.samples.pop()
            rule = f"the first {_MOST_SAMPLES} samples tell the ranges of numbers"
            warn(message("representative_dataset", rule, "more", "Give a drawn part of the data."))

    def __str__(self) -> str:
        return f"{len(self.samples)} samples"

    def arrays(self, inputs: Sequence[Value]) -> list[list[np.ndarray]]:
        """Each as arrays in the order of a model's inputs.

        Raises:
            ArgumentError: There are none, or they do not fit the inputs.
        """
        names = [value.name for value in inputs]
        found: list[list[np.ndarray]] = []
        for sample in self.samples:
            parts = sample if isinstance(sample, list | tuple) else [sample]
            if isinstance(sample, Mapping):
                if sorted(map(str, sample)) != sorted(names):
                    raise _fault(f"arrays by name must be of {names}", str(list(sample)))
                parts = [sample[name] for name in names]
            if len(parts) != len(inputs):
                got = f"a sample of {len(parts)}"
                raise _fault(f"each sample must have {len(inputs)} arrays: {names}", got)
            arrays = [np.asarray(x) for x in parts]
            for x, value in zip(arrays, inputs, strict=True):
                pairs = zip(x.shape, value.shape)
                fits = x.ndim == len(value.shape) and all(
                    not isinstance(m, int) or n == m for n, m in pairs
                )
                if not fits:
                    rule = f"samples of input '{value.name}' must be {value.type}"
                    raise _fault(rule, f"shape {x.shape}")
                if x.dtype.kind == "f" and not np.isfinite(x).all():
                    rule = f"samples of input '{value.name}' must be finite: they give the ranges"
                    raise _fault(rule, "NaN or infinity")
            found.append([x.astype(v.dtype) for x, v in zip(arrays, inputs, strict=True)])
        if not found:
            raise _fault("there must be samples of data", "none")
        return found


def _fault(rule: str, got: str) -> ArgumentError:
    fix = "Yield [x] for x of the model's data, each with its batch axis."
    return ArgumentError(message("representative_dataset", rule, got, fix))


__all__ = ["Samples"]
