"""What the user gave as a source of rows or batches: normalised, checked, ready for the device."""

# JAX leaves arguments of its functions without types.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import jax
import numpy as np

from nacre.core import tree
from nacre.core.dtypes import device_dtype
from nacre.core.errors import (
    DataError,
    message,
)
from nacre.core.host_arrays import outside_32_bits, warn_of_rounded_integers
from nacre.core.hugging_face import inputs_and_targets
from nacre.core.indices import check_width
from nacre.core.interop import is_torch_samples
from nacre.core.kinds import is_dict, is_list, is_numpy_array
from nacre.core.memory import CPU_BUDGET_BYTES
from nacre.core.tables import in_other_order
from nacre.core.warning import warn
from nacre.data.batch_source import BatchSource
from nacre.data.indexed import Making
from nacre.data.padding import has_ragged_inputs, holds_ragged
from nacre.data.recognised import files_of_subset, is_dataset
from nacre.data.rows import is_array_like, is_in_file, is_picked_late, is_source_of_batches
from nacre.data.sources import ArraySource, Batch, narrow_batch
from nacre.layers.core.masking import Masking
from nacre.training import checks
from nacre.training.targets_among_inputs import refuse_targets_among_inputs
from nacre.training.text_targets import refuse_text_targets

Source = ArraySource | BatchSource


@dataclass(frozen=True)
class Order:
    """In which order the batches of a source come, and by what they are made: see `BatchSource`."""

    shuffle: bool | Literal["batch"] = False
    seed: int = 0
    first_pass: int = 0
    making: Making | None = None


def source_of(
    model: Any,
    x: Any,
    y: Any = None,
    sample_weight: Any = None,
    *,
    who: str,
    order: Order = Order(),
    on_host: bool = True,
) -> Source:
    """What the user gave as rows or as batches: normalised, checked and ready for the device.

    Strings become numbers by the model's own layers that take strings: at once when the result
    fits, else batch by batch. Integers of 64 bits become what the model takes them for: for an
    input of floats floats, with a warning where those cannot hold them; targets and weights that do
    not fit into 32 bits become floats too. All others become int32, and are refused where they do
    not fit.

    Args:
        model: The model they are for.
        x, y, sample_weight: Arrays, or in x a source of batches that brings all three.
        who: The method that was called, for messages.
        order: For sources of batches.
        on_host: False where the model is called layer by layer, its host layers too.

    Raises:
        DataError: They cannot be used.
        DTypeError: There are strings that nothing takes, or a number that does not fit.
    """
    checks.require_data(x, who)
    x, y = inputs_and_targets(x, y, who)
    x = model._marked_inputs(x)
    if is_array_like(x):
        _warn_of_other_order(x, y, who)
        _warn_of_ragged(model, x, who)
        return _staged_rows(model, ArraySource(x, y, sample_weight, who), who, on_host)
    _refuse_no_source(x, y, sample_weight, who)
    _warn_of_ragged(model, x, who)
    source = BatchSource(
        x,
        who,
        shuffle=bool(order.shuffle),
        seed=order.seed,
        first_pass=order.first_pass,
        making=order.making,
    )
    if model._takes_ragged():
        source.prepare = lambda item: _marked_batch(model, item)
    try:
        first = source.first()
        refuse_text_targets(model, first, who)
        stage = _stage(model, first, who, on_host)
        if stage is not None:
            source.add_conversion(stage)
        source.add_conversion(batch_narrower(model, who, on_host))
    except BaseException:
        source.stop()
        raise
    return source


@contextmanager
def workers_end(*sources: Source | None) -> Generator[None]:
    """A block after which no worker makes batches of these sources any more, however it ends."""
    try:
        yield
    finally:
        for source in sources:
            if isinstance(source, BatchSource):
                source.stop()


def source_of_batch(
    model: Any, x: Any, y: Any = None, sample_weight: Any = None, *, who: str
) -> ArraySource:
    """The same for one batch of arrays."""
    x = model._marked_inputs(x)
    return _staged_rows(model, ArraySource(x, y, sample_weight, who), who, True)


def _marked_batch(model: Any, item: Any) -> Any:
    """A batch as a source gives it, its inputs marked where rows end."""
    if isinstance(item, tuple | list) and item:
        return (model._marked_inputs(item[0]), *item[1:])
    return model._marked_inputs(item)


def sources_of_fit(
    model: Any,
    x: Any,
    y: Any,
    sample_weight: Any,
    *,
    validation_data: Any,
    validation_split: float,
    who: str,
    order: Order,
) -> tuple[Source, Source | None]:
    """(what to train on, what to validate with or None)."""
    source = source_of(model, x, y, sample_weight, who=who, order=order)
    refuse_targets_among_inputs(model, source, "train_step")
    if validation_data is None and not validation_split:
        return source, None
    if validation_data is None:
        if not isinstance(source, ArraySource):
            raise DataError(
                message(
                    who,
                    "validation_split works on arrays",
                    type(source.data).__name__,
                    "Pass validation_data instead.",
                )
            )
        source, validation = source.split(validation_split, who)
        validation.who = f"{who}, validation"
        return source, validation
    _warn_of_shared_files(x, validation_data, who)
    parts = validation_data, None, None
    if (
        is_list(validation_data)
        # One alone is the inputs, as in `(x,)`; a list of one may be a source of one batch.
        and (2 if isinstance(validation_data, list) else 1) <= len(validation_data) <= 3
        and all(
            is_array_like(v) or v is None or (i and is_source_of_batches(v))  # is told there
            for i, v in enumerate(validation_data)
        )
    ):
        parts = (*validation_data, None, None)[:3]
    try:
        validation = source_of(
            model, *parts, who=f"{who}, validation_data", order=Order(making=order.making)
        )
        refuse_targets_among_inputs(model, validation, "test_step")
    except BaseException:
        if isinstance(source, BatchSource):
            source.stop()
        raise
    return source, validation


# A chunk of a file that a pass reads more often than this is worth a word.
_MOST_READS = 3
_told_of_reads: set[str] = set()


def warn_of_repeated_reads(source: Source, batch_size: int, order: Order, who: str) -> None:
    """Tell, once of a file, when its chunks are read many times in each epoch for shuffled rows."""
    if order.shuffle is not True or not isinstance(source, ArraySource):
        return
    label, often, chunk_rows, file = source.reads_of_chunks(batch_size)
    if often > _MOST_READS and file not in _told_of_reads:
        _told_of_reads.add(file)  # fits of one array are many, and their author knows by now
        warn(
            message(
                f"{who}, {label}",
                "shuffled rows of a file are fast to read where they need not come in chunks",
                f"chunks of {chunk_rows} samples that each epoch reads about {often:.0f} times",
                "Write the array without chunks, or with np.save, and open it with np.load(path, "
                "mmap_mode='r'); or pass shuffle='batch', which keeps neighbouring samples "
                f"together: batches of {chunk_rows} read each chunk once (a file that is sorted by "
                "class must be mixed before).",
            )
        )


def _warn_of_shared_files(x: Any, validation_data: Any, who: str) -> None:
    """Tell when two subsets of the files of a folder, made apart, are not those of one split."""
    held_out = files_of_subset(validation_data)
    trained = None if held_out is None else files_of_subset(x)
    if held_out is None or trained is None or held_out[0] == trained[0]:
        return
    shared = len(set(held_out[1]) & set(trained[1]))
    if shared:
        warn(
            message(
                who,
                "files that are validated on must not be trained on",
                f"{shared} of the {len(held_out[1])} files for validation in both subsets",
                "Give both subsets the same seed, shuffle and validation_split; or take "
                "subset='both', where the loader has it.",
            )
        )


def _warn_of_other_order(x: Any, y: Any, who: str) -> None:
    if in_other_order(x, y):
        warn(
            message(
                who,
                "rows of x and y are paired by position, never by index",
                "the same index in another order",
                "Shuffle both alike, as y.loc[x.index] does.",
            )
        )


def _warn_of_ragged(model: Any, x: Any, who: str) -> None:
    """Tell of inputs that will be padded where no layer passes over what is filled in."""
    if model._takes_ragged() or not (has_ragged_inputs(x) or holds_ragged(x)):
        return
    inner = next(
        (m for m in model._flatten_layers() if hasattr(m, "_takes_ragged") and m._takes_ragged()),
        None,
    )
    if inner is not None:  # which would take what is filled up for rows
        rule = "rows of different lengths go to the inputs of the model itself"
        fix = "Make the outer model of Input(ragged=True) too."
        raise DataError(message(who, rule, f"Input(ragged=True) of '{inner.name}' within it", fix))
    makes = any(
        getattr(layer, "mask_zero", False) or isinstance(layer, Masking)
        for layer in model._flatten_layers()
    )
    if not makes:
        warn(
            message(
                who,
                "ragged inputs are filled up with 0, which no layer of the model passes over",
                "no Embedding(mask_zero=True) and no Masking layer",
                "Put one of them first.",
            )
        )


def _names_of_arrays(x: Any) -> list[str]:
    """The names in a file of several arrays: a group of h5py or zarr, what np.load gives of npz."""
    keys = getattr(x, "keys", None)
    if is_dict(x) or not callable(keys) or not hasattr(x, "__getitem__"):
        return []
    names: Any = list(keys())  # type: ignore[call-overload]
    return names if all(isinstance(name, str) for name in names) else []


def _refuse_no_source(x: Any, y: Any, sample_weight: Any, who: str) -> None:
    """Raise for an x that holds no batches, and for targets beside one that does."""
    if isinstance(x, str | bytes):
        raise DataError(
            message(
                who,
                "x must be arrays or a source of batches",
                f"the string {x[:40]!r}",
                "Put a text into a batch of one: np.array([text]); read a file first, e.g. with "
                "pandas.read_csv(path).",
            )
        )
    names = _names_of_arrays(x)
    if names:
        raise DataError(
            message(
                who,
                "x must be arrays, or a dict of them by the names of the inputs",
                f"a {type(x).__name__} that holds {', '.join(map(repr, names[:6]))}",
                f"Pass one of them, x[{names[0]!r}], or several: {{name: x[name] for name in x}}.",
            )
        )
    if is_dict(x) and any(map(is_source_of_batches, x.values())):
        names = ", ".join(f"{name!r}: {name}" for name in x if isinstance(name, str))
        raise DataError(
            message(
                who,
                "x must be arrays by the names of the inputs, or one source of batches",
                "a dict of sources of batches",
                "Put data sets side by side, inputs and targets: nacre.data.Dataset.zip("
                f"({{{names}}}, y)).",
            )
        )
    if is_torch_samples(x):
        raise DataError(
            message(
                who,
                "x must give batches",
                f"a {type(x).__name__}, a Dataset of torch, which gives single samples",
                "Pass torch.utils.data.DataLoader(x, batch_size=32, shuffle=True).",
            )
        )
    if not hasattr(x, "__iter__") and not hasattr(x, "__getitem__"):
        raise DataError(
            message(
                who,
                "x must be arrays, a generator, a PyDataset or another source of batches",
                f"{type(x).__name__}",
                f"Pass what it gives, {getattr(x, '__name__', 'source')}(), not the function."
                if callable(x)
                else "Convert it to a NumPy array first, with the batch axis first: np.array([x]).",
            )
        )
    if y is not None or sample_weight is not None:
        raise DataError(
            message(
                who,
                "a source of batches brings its own targets and weights",
                f"x={type(x).__name__} together with y or sample_weight",
                "Let the source give (x, y) or (x, y, sample_weight)."
                + (" Data sets: Dataset.zip((x, y))." if is_dataset(y) else ""),
            )
        )


def _stage(model: Any, sample: Batch, who: str, on_host: bool) -> Callable[[Batch], Batch] | None:
    """What the model's layers for strings make of a batch; None where there are none."""
    stage = model._host_stage(sample[0], who) if on_host else None
    return None if stage is None else lambda batch: (stage(batch[0]), *batch[1:])


def _staged_rows(model: Any, source: ArraySource, who: str, on_host: bool) -> ArraySource:
    refuse_text_targets(model, source.parts, who)
    sample = source.pack([None if a is None else a[:1] for a in source.leaves])
    stage = _stage(model, sample, who, on_host)
    if stage is None:
        return _with_dtypes(model, source, who)
    if not any(map(is_picked_late, source.leaves)) and _fits_when_mapped(stage, source):
        mapped = stage(source.parts)
        return _with_dtypes(model, ArraySource(*mapped, who=who), who)
    narrow = batch_narrower(model, who, on_host)
    source.convert = lambda batch: narrow(stage(batch))
    return source


def _with_dtypes(model: Any, source: ArraySource, who: str) -> ArraySource:
    """Give the source the dtypes of its rows on the device, and check that they fit."""
    x = source.parts[0]
    count = len(tree.flatten(x))
    source.dtypes = _input_dtypes(model, x) + [
        np.dtype("float32")
        if _is_whole_numbers(leaf) and not is_in_file(leaf) and outside_32_bits(leaf)
        else None
        for leaf in source.leaves[count:]
    ]
    for leaf, dtype, label in zip(source.leaves, source.dtypes, source.labels, strict=True):
        if is_in_file(leaf) or is_picked_late(leaf):
            continue
        if dtype is None and not _is_whole_numbers(leaf):
            continue
        if dtype is not None and dtype.kind == "f":
            if label.startswith("x"):
                warn_of_rounded_integers(leaf, f"{who}, {label}")
        else:  # now, not after the first epoch
            check_width(f"{who}, {label}", leaf, dtype or device_dtype(leaf.dtype))
    return source


def batch_narrower(model: Any, who: str, on_host: bool = True) -> Callable[[Batch], Batch]:
    """A function that gives the arrays of a batch the dtypes of the device; see `source_of`.

    Batches of one source need not be alike: strings that come first in a later one are refused as
    in the first.
    """

    def refuse_text(batch: Batch) -> None:
        refuse_text_targets(model, batch, who)
        _stage(model, batch, who, on_host)

    return narrow_batch(
        who, lambda x: _input_dtypes(model, x), lambda: model._inventory().token, refuse_text
    )


def _input_dtypes(model: Any, x: Any) -> list[np.dtype | None]:
    """The dtype on the device for each leaf of `x`, where it is not the usual one."""
    dtypes = model._input_dtypes(x)
    return [
        np.dtype("float32") if _is_rounded(leaf, dtype) else _integer_dtype(leaf, dtype)
        for leaf, dtype in zip(tree.flatten(x), dtypes, strict=True)
    ]


def _integer_dtype(leaf: Any, dtype: str | None) -> np.dtype | None:
    """The dtype of an input of integers, which the numbers of the host must fit into."""
    if not _is_on_host(leaf) or leaf.dtype.kind not in "iuf" or dtype is None:
        return None
    if "int" not in dtype:
        return None
    wanted = device_dtype(dtype)
    return None if wanted == device_dtype(leaf.dtype) else wanted


def _is_rounded(leaf: Any, dtype: str | None) -> bool:
    """Whether integers of the host go to an input of floats."""
    is_wide = _is_on_host(leaf) and leaf.dtype.kind in "iu" and leaf.dtype.itemsize > 2
    return is_wide and dtype is not None and "float" in dtype and dtype != "float64"


def _is_whole_numbers(leaf: Any) -> bool:
    return is_numpy_array(leaf) and leaf.dtype.kind in "iu"


def _is_on_host(leaf: Any) -> bool:
    return is_numpy_array(leaf) or is_picked_late(leaf)


def _fits_when_mapped(stage: Callable[[Batch], Batch], source: ArraySource) -> bool:
    """Whether what strings become can be kept whole, judged by the first rows."""
    picked = source.pack([None if a is None else a[:64] for a in source.leaves])
    mapped = ArraySource(*stage(picked))
    return mapped.row_bytes * source.num_rows <= CPU_BUDGET_BYTES


def batch_specs(source: Source, batch_size: int) -> Any:
    """(x, y, sample_weight) as shapes and dtypes of a batch."""
    if isinstance(source, ArraySource):
        return source.batch_specs(min(batch_size, source.num_rows))

    def spec(leaf: Any) -> Any:
        if leaf is None:
            return None
        return jax.ShapeDtypeStruct(leaf.shape, device_dtype(leaf.dtype))

    return tree.map_structure(spec, source.first())


__all__ = [
    "Order", "Source", "batch_narrower", "batch_specs", "source_of", "source_of_batch",
    "sources_of_fit", "warn_of_repeated_reads", "workers_end",
]  # fmt: skip
