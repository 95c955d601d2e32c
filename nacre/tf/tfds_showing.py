"""What scripts ask of a set to look at it: a table, a plot of examples, how fast it is read."""

from __future__ import annotations

import importlib
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from nacre.core.errors import ArgumentError, MissingPackageError, message
from nacre.core.interop import optional_import
from nacre.tf.tfds_features import ClassLabel, joined


def as_dataframe(ds: Any, ds_info: Any = None) -> Any:
    """The examples of a data set as a table of pandas.

    Args:
        ds: The data set, not batched; dicts, or pairs of `as_supervised`.
        ds_info: What is known of it, which names the columns of pairs.

    Returns:
        A `pandas.DataFrame`: a column a feature, parts of dicts as 'outer/inner'. Numbers are
        numbers, strings `bytes`, pictures arrays.
    Source:
        tensorflow_datasets 4.9. Differs: a notebook shows arrays as such, not as pictures.
    """
    try:
        pandas = importlib.import_module("pandas")
    except ImportError as error:
        rule, fix = "the package 'pandas' must be installed", "Install it with: pip install pandas"
        raise MissingPackageError(message("tfds.as_dataframe", rule, str(error), fix)) from None
    rows = [dict(_columns(_named(example, ds_info), "")) for example in ds]
    return pandas.DataFrame(rows)


def _named(example: Any, info: Any) -> Any:
    """An example by the names of its features."""
    if isinstance(example, dict):
        return example
    if not isinstance(example, tuple):
        return {"": example}
    keys = None if info is None else info.supervised_keys
    if (
        isinstance(keys, tuple)
        and len(keys) == len(example)
        and all(isinstance(key, str) for key in keys)
    ):
        return dict(zip(keys, example, strict=True))
    return {str(at): part for at, part in enumerate(example)}


def _columns(value: Any, name: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, part in value.items():
            yield from _columns(part, joined(name, key))
    else:
        yield name, value.numpy() if hasattr(value, "numpy") else value


def show_examples(ds: Any, ds_info: Any, rows: int = 3, cols: int = 3, **options: Any) -> Any:
    """Plot the first pictures of a set, with the names of their classes.

    Args:
        ds: The data set, not batched; dicts, or pairs of `as_supervised`.
        ds_info: What is known of it.
        rows, cols: How many stand below and beside one another.
        options: `plot_scale`, the size of one in inches, and `image_key`, where there are several.

    Returns:
        The figure of Matplotlib.
    Raises:
        ArgumentError: The examples have no picture.
    """
    plots = optional_import("matplotlib.pyplot", extra="plot", who="tfds.show_examples")
    scale, key = options.pop("plot_scale", 3.0), options.pop("image_key", None)
    if options:
        rule, got = "options are plot_scale and image_key", ", ".join(options)
        raise ArgumentError(message("tfds.show_examples", rule, got))
    figure = plots.figure(figsize=(cols * scale, rows * scale))
    for at, example in enumerate(ds.take(rows * cols)):
        parts = dict(_columns(_named(example, ds_info), ""))
        found = key or next((k for k, v in parts.items() if _is_picture(v)), None)
        if found is None or found not in parts:
            raise ArgumentError(
                message("tfds.show_examples", "examples must have a picture", ", ".join(parts))
            )
        axes = figure.add_subplot(rows, cols, at + 1)
        picture = np.asarray(parts[found])
        axes.imshow(picture[..., 0] if picture.shape[-1] == 1 else picture, cmap="gray")
        axes.set_xticks([])
        axes.set_yticks([])
        axes.set_xlabel(_words_of(parts, ds_info))
    return figure


def _is_picture(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.ndim == 3 and value.shape[-1] in (1, 3, 4)


def _words_of(parts: dict[str, Any], info: Any) -> str:
    """The class, by name and number."""
    features = getattr(info, "features", None) or {}
    for name in parts:
        feature = features[name] if name in features else None
        if isinstance(feature, ClassLabel):
            return f"{feature.int2str(int(parts[name]))} ({int(parts[name])})"
    return ""


def benchmark(ds: Any, *, num_iter: int | None = None, batch_size: int = 1) -> dict[str, Any]:
    """Go over a data set, and tell how fast.

    Args:
        ds: What can be gone over.
        num_iter: After how many elements to end; all by default.
        batch_size: How many examples an element is.

    Returns:
        'first+lasts', 'first' and 'lasts', each with 'duration' in seconds, 'num_examples' and
        'avg', examples a second; the first element, which starts threads, stands apart.
    Raises:
        ArgumentError: There is no element.
    Source:
        tensorflow_datasets 4.9. Differs: a dict, where that gives an object with `stats`.
    """
    start = time.perf_counter()
    first, count = None, 0
    for _ in ds:
        count += 1
        first = time.perf_counter() if first is None else first
        if count == num_iter:
            break
    end = time.perf_counter()
    if first is None:
        raise ArgumentError(message("tfds.benchmark", "there must be an element", "an empty set"))
    times = {"first+lasts": (end - start, count), "first": (first - start, 1)}
    times["lasts"] = (end - first, count - 1)
    found = {name: _speed(took, n * batch_size) for name, (took, n) in times.items()}
    told = found["first+lasts"]
    print(
        f"{told['num_examples']} examples in {told['duration']:.3f} s, {told['avg']:.1f} a second"
    )
    return found


def _speed(seconds: float, examples: int) -> dict[str, float]:
    return {"duration": seconds, "num_examples": examples, "avg": examples / max(seconds, 1e-9)}


__all__ = ["as_dataframe", "benchmark", "show_examples"]
