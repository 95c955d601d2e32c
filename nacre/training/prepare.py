"""Everything that happens between the call of `fit` and the first step, shared with `evaluate`.

Sources are made, the model is built from the shapes of the first rows, losses and metrics are bound
to the outputs, the optimizer gets its variables, and all that can be refused is refused here.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from nacre.core import errors, scope, tree
from nacre.core.dtypes import device_dtype
from nacre.core.errors import (
    ArgumentError,
    DataError,
    DTypeError,
    NotCompiledError,
    listed,
    message,
)
from nacre.core.host_arrays import outside_32_bits, warn_of_rounded_integers
from nacre.core.indices import check_width
from nacre.core.memory import CPU_BUDGET_BYTES
from nacre.core.program import settings_key
from nacre.core.strings import is_text
from nacre.core.symbolic import KerasTensor
from nacre.core.tables import in_other_order
from nacre.core.warning import warn
from nacre.data.batch_source import BatchSource
from nacre.data.rows import is_array_like
from nacre.data.sources import ArraySource, Batch, narrow_batch, without_arrays
from nacre.training import checks
from nacre.training.arguments import whole_number
from nacre.training.compile import CompiledTraining
from nacre.training.model_programs import programs_of
from nacre.training.step import custom_step
from nacre.training.weights import check_weights, class_weights_for, with_class_weights

Source = ArraySource | BatchSource

# tf.keras 2 arguments about worker processes: sources bring their own workers.
_ACCEPTED_SILENTLY = frozenset(("workers", "use_multiprocessing", "max_queue_size"))


def batches_ahead(kwargs: dict[str, Any], who: str) -> int | None:
    """How many batches tf.keras 2's `max_queue_size` asks to be made ahead; None without it."""
    return whole_number(kwargs.get("max_queue_size"), "max_queue_size", who, least=0)


def refuse_unknown(who: str, kwargs: dict[str, Any], function: Callable[..., Any]) -> None:
    """Raise for arguments that neither `function` nor tf.keras 2 has."""
    unknown = {k: v for k, v in kwargs.items() if k not in _ACCEPTED_SILENTLY}
    errors.refuse_unknown(who, unknown, function)


def require_compiled(model: Any, method: str) -> CompiledTraining:
    """What `compile` made, or the error that says to call it."""
    if model._trainer is None:
        raise checks.not_compiled(model._who(), method)
    if model._trainer.optimizer is None and method in ("fit", "train_on_batch"):
        raise NotCompiledError(
            message(
                f"{model._who()}.{method}",
                "training needs an optimizer",
                "compile(optimizer=None)",
                "Call model.compile(optimizer='adam', ...); evaluate() and predict() need none.",
            )
        )
    return model._trainer


# ------------------------------------------------------------------ what the user gave


@dataclass(frozen=True)
class Order:
    """In which order the batches of a source come: see `BatchSource`."""

    shuffle: bool = False
    seed: int = 0
    first_pass: int = 0


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
    if is_array_like(x):
        _warn_of_other_order(x, y, who)
        return _staged_rows(model, ArraySource(x, y, sample_weight, who), who, on_host)
    _refuse_no_source(x, y, sample_weight, who)
    source = BatchSource(
        x, who, shuffle=order.shuffle, seed=order.seed, first_pass=order.first_pass
    )
    first = source.first()
    _refuse_text_targets(first, who)
    stage = _stage(model, first, who, on_host)
    if stage is not None:
        source.then(stage)
    source.then(batch_narrower(model, who))
    return source


def source_of_batch(
    model: Any, x: Any, y: Any = None, sample_weight: Any = None, *, who: str
) -> ArraySource:
    """The same for one batch of arrays."""
    return _staged_rows(model, ArraySource(x, y, sample_weight, who), who, True)


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
    parts = validation_data, None, None
    if (
        isinstance(validation_data, tuple | list)
        and 2 <= len(validation_data) <= 3
        and all(is_array_like(v) or v is None for v in validation_data)
    ):
        parts = (*validation_data, None)[:3]
    return source, source_of(model, *parts, who=f"{who}, validation_data")


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
                "Let the source give (x, y) or (x, y, sample_weight).",
            )
        )


def _stage(model: Any, sample: Batch, who: str, on_host: bool) -> Callable[[Batch], Batch] | None:
    """What the model's layers for strings make of a batch; None where there are none."""
    stage = model._host_stage(sample[0], who) if on_host else None
    return None if stage is None else lambda batch: (stage(batch[0]), *batch[1:])


def _staged_rows(model: Any, source: ArraySource, who: str, on_host: bool) -> ArraySource:
    sample = source.pack([None if a is None else a[:1] for a in source.leaves])
    _refuse_text_targets(sample, who)
    stage = _stage(model, sample, who, on_host)
    if stage is None:
        return _with_dtypes(model, source, who)
    if _fits_when_mapped(stage, source):
        mapped = stage(source.pack(source.leaves))
        return _with_dtypes(model, ArraySource(*mapped, who=who), who)
    narrow = batch_narrower(model, who)
    source.convert = lambda batch: narrow(stage(batch))
    return source


def _with_dtypes(model: Any, source: ArraySource, who: str) -> ArraySource:
    """Give the source the dtypes of its rows on the device, and check that they fit."""
    x = source.pack(source.leaves)[0]
    count = len(tree.flatten(x))
    source.dtypes = _input_dtypes(model, x) + [
        np.dtype("float32")
        if isinstance(leaf, np.ndarray) and not _is_mapped(leaf) and outside_32_bits(leaf)
        else None
        for leaf in source.leaves[count:]
    ]
    for leaf, dtype, label in zip(source.leaves, source.dtypes, source.labels, strict=True):
        if not isinstance(leaf, np.ndarray) or _is_mapped(leaf):
            continue
        if dtype is not None and dtype.kind == "f":
            if label.startswith("x"):
                warn_of_rounded_integers(leaf, f"{who}, {label}")
        elif not is_text(leaf):  # now, not after the first epoch
            check_width(f"{who}, {label}", leaf, dtype or device_dtype(leaf.dtype))
    return source


def batch_narrower(model: Any, who: str) -> Callable[[Batch], Batch]:
    """A function that gives the arrays of a batch the dtypes of the device; see `source_of`."""
    return narrow_batch(who, lambda x: _input_dtypes(model, x))


def _input_dtypes(model: Any, x: Any) -> list[np.dtype | None]:
    """The dtype on the device for each leaf of `x`, where it is not the usual one."""
    dtypes = model._input_dtypes(x)
    return [
        np.dtype("float32") if _is_rounded(leaf, dtype) else _integer_dtype(leaf, dtype)
        for leaf, dtype in zip(tree.flatten(x), dtypes, strict=True)
    ]


def _integer_dtype(leaf: Any, dtype: str | None) -> np.dtype | None:
    """The dtype of an input of integers, which the numbers of the host must fit into."""
    if not isinstance(leaf, np.ndarray) or leaf.dtype.kind not in "iuf" or dtype is None:
        return None
    if "int" not in dtype:
        return None
    wanted = device_dtype(dtype)
    return None if wanted == device_dtype(leaf.dtype) else wanted


def _is_rounded(leaf: Any, dtype: str | None) -> bool:
    """Whether integers of the host go to an input of floats."""
    is_wide = isinstance(leaf, np.ndarray) and leaf.dtype.kind in "iu" and leaf.dtype.itemsize > 2
    return is_wide and dtype is not None and "float" in dtype and dtype != "float64"


def _is_mapped(leaf: Any) -> bool:
    """Whether looking at all of an array would read a file."""
    return isinstance(leaf, np.memmap)


def _fits_when_mapped(stage: Callable[[Batch], Batch], source: ArraySource) -> bool:
    """Whether what strings become can be kept whole, judged by the first rows."""
    picked = source.pack([None if a is None else a[:64] for a in source.leaves])
    mapped = ArraySource(*stage(picked))
    return mapped.row_bytes * source.num_rows <= CPU_BUDGET_BYTES


def _refuse_text_targets(batch: Any, who: str) -> None:
    for label, part in (("targets", batch[1]), ("sample weights", batch[2])):
        for leaf in tree.flatten(part):
            if is_text(leaf):
                raise DTypeError(
                    message(
                        f"{who}, {label}",
                        "they must be numbers",
                        f"strings such as {np.ravel(leaf)[0]!r}",
                        "Numbers that are written as strings need y.astype('float32'); names of "
                        "classes their indices: names, y = np.unique(y, return_inverse=True).",
                    )
                )


def batch_specs(source: Source, batch_size: int) -> Any:
    """(x, y, sample_weight) as shapes and dtypes of a batch."""
    if isinstance(source, ArraySource):
        return source.batch_specs(min(batch_size, source.num_rows))

    def spec(leaf: Any) -> Any:
        if leaf is None:
            return None
        return jax.ShapeDtypeStruct(leaf.shape, device_dtype(leaf.dtype))

    return tree.map_structure(spec, source.first())


# ------------------------------------------------------------------ model and data together


def predictions_spec(
    model: Any, x: Any, training: bool, batch: Callable[[], Any] | None = None
) -> Any:
    """Shapes and dtypes of the predictions; builds the model; raises on inputs that do not fit.

    What was found is kept with the model's programs: nothing is traced for it at every call.

    Args:
        model: The model.
        x: Shapes and dtypes of a batch's inputs.
        training: Whether it is called as in training.
        batch: Gives such inputs, for code that needs real values: it is run on them, not traced.
    """
    model._admit(x)
    kept, key = programs_of(model), _spec_key(model, x, training)
    if key in kept:
        return kept.get(key, lambda: _predictions_spec(model, x, training, batch))
    # Outside the cache's lock: the user's Python runs.
    spec = _predictions_spec(model, x, training, batch)
    return kept.get(_spec_key(model, x, training), lambda: spec)  # it may have been built


def _spec_key(model: Any, x: Any, training: bool) -> tuple[Hashable, ...]:
    leaves = tree.flatten(x)
    forms = tuple(None if a is None else (tuple(a.shape), str(a.dtype)) for a in leaves)
    structure = repr(without_arrays(x)) if tree.is_nested(x) else None
    return "spec", model._inventory().token, training, structure, forms, settings_key()


def _predictions_spec(
    model: Any, x: Any, training: bool, batch: Callable[[], Any] | None = None
) -> Any:
    if model._runs_its_graph() and not model._open_axes:
        _check_graph_inputs(model, x)
        return tree.map_structure(_struct, model._nested_outputs)

    def forward(leaves: list[Any]) -> Any:
        inputs = tree.pack_sequence_as(x, leaves)
        with (
            scope.running_program(scope.ProgramRun(is_traced=batch is None)),
            scope.StatelessScope(),
            scope.entered_call(scope.CallContext(model, training)),
        ):
            return model(inputs, training=training)

    if batch is None:
        result = jax.eval_shape(forward, tree.flatten(x))
    else:
        leaves = map(_on_device, tree.flatten(batch()), tree.flatten(x))
        with jax.disable_jit():
            result = forward(list(leaves))
        result = jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype), result)
    if getattr(model, "_graph", None) is not None:
        _check_graph_inputs(model, x)
    return result


def _on_device(leaf: Any, spec: Any) -> Any:
    return leaf if spec is None or is_text(leaf) else jax.numpy.asarray(leaf, spec.dtype)


def _first_inputs(source: Source, batch_size: int) -> Any:
    if isinstance(source, BatchSource):
        return source.first()[0]
    return source.batch(slice(0, min(batch_size, source.num_rows)))[0]


def _struct(tensor: KerasTensor) -> Any:
    if tensor.dtype == "string":
        return None
    return jax.ShapeDtypeStruct(tuple(-1 if n is None else n for n in tensor.shape), _dtype(tensor))


def _dtype(tensor: KerasTensor) -> np.dtype:
    return jax.numpy.dtype(tensor.dtype)


def _check_graph_inputs(model: Any, x: Any) -> None:
    def standardize(leaves: list[Any]) -> Any:
        values = model._standardize_inputs(tree.pack_sequence_as(x, leaves))
        return [v for v in values if v is not None and not is_text(v)]

    jax.eval_shape(standardize, tree.flatten(x))


def prepare(
    model: Any,
    trainer: CompiledTraining,
    source: Source,
    batch_size: int,
    *,
    training: bool,
    who: str,
    class_weight: Any = None,
) -> Source:
    """Build the model, bind losses and metrics, give the optimizer its variables, check labels.

    Returns:
        The source, with the weights of classes among its sample weights.
    """
    x, y, _ = batch_specs(source, batch_size)
    if _is_never_called(model, training):
        model.built = all(layer.built for layer in model._flatten_layers(include_self=False))
        if training:
            _build_optimizer(model, trainer)
        return source
    # Code that is run step by step asks for values, and a breakpoint in it shows them.
    batch = functools.partial(_first_inputs, source, batch_size) if trainer.run_eagerly else None
    y_pred = predictions_spec(model, x, training, batch)
    check_indices(model, source)
    trainer.bind(model, y, y_pred)
    if training:
        _build_optimizer(model, trainer)
        _warn_about_targets(model, trainer, source, y_pred)
    check_targets(trainer, source, y_pred, who)
    by_class = class_weights_for(trainer, class_weight, y_pred, who)
    return source if by_class is None else with_class_weights(source, by_class)


def _is_never_called(model: Any, training: bool) -> bool:
    """Whether a step of the user's works with parts of a model that has no `call`, as GANs do."""
    own_step = custom_step(model, "train_step" if training else "test_step")
    return own_step is not None and not model._computes()


def check_indices(model: Any, source: Source) -> None:
    """Refuse indices outside a table while they are on the host: of all rows, or batch by batch.

    Raises:
        DataError: There is one, named with its row.
    """

    def check(batch: Batch) -> Batch:
        model._check_indices_of(batch[0])
        return batch

    if isinstance(source, BatchSource):
        source.then(check)
    elif source.convert is None:
        check(source.pack(source.leaves))
    else:
        convert = source.convert
        source.convert = lambda batch: check(convert(batch))


_HELD = (
    "A model that a larger one holds frozen, as in a GAN, is made trainable before each of its own "
    "steps and frozen before those of the larger one."
)


def _warn_of_forgotten_adapt(model: Any, trainer: CompiledTraining) -> None:
    if trainer.has_trained:
        return
    for layer in model._flatten_layers():
        if hasattr(layer, "changes_nothing") and layer.changes_nothing():
            warn(
                message(
                    f"{model._who()}.fit",
                    f"{layer._who()} changes nothing, as it knows no mean and variance",
                    "a layer whose adapt was not called",
                    "Call adapt(data) on it before fit, or leave it out.",
                )
            )


def _build_optimizer(model: Any, trainer: CompiledTraining) -> None:
    optimizer, lists = trainer.optimizer, model._inventory().lists()
    if trainer.settled is not None:
        token, known = trainer.settled
        if token == lists.token and known is not None and known is _known_variables(optimizer):
            return
    variables = model.trainable_variables
    _warn_of_forgotten_adapt(model, trainer)
    if not variables:
        known = _known_variables(optimizer) if trainer.has_trained else None
        if known:
            _continue_with(model, trainer, known, variables)
        warn(
            message(
                f"{model._who()}.fit",
                "there is nothing to train, so only losses, metrics and statistics are computed",
                "a model without trainable variables",
                "Set trainable = True on a layer, then compile again. " + _HELD,
            )
        )
        return
    if not getattr(optimizer, "built", False):
        optimizer.build(variables)
    else:
        known = _known_variables(optimizer)
        if known is not None and [id(v) for v in known] != [id(v) for v in variables]:
            _continue_with(model, trainer, known, variables)
    trainer.has_trained = True
    trainer.settled = lists.token, _known_variables(optimizer)


def _known_variables(optimizer: Any) -> list[Any] | None:
    known = getattr(optimizer, "_trainable_variables", None)
    inner = getattr(optimizer, "inner_optimizer", None)
    if known is None and inner is not None:
        known = getattr(inner, "_trainable_variables", None)
    return known


def _continue_with(model: Any, trainer: CompiledTraining, known: list[Any], now: list[Any]) -> None:
    """Let an optimizer go on with other variables of the model, where `compile` was called again.

    Raises:
        NotCompiledError: It was not, or the optimizer belongs to another model.
    """
    own = {id(v) for v in model.variables}
    if any(id(v) not in own for v in known):
        names = [v.path for v in known if id(v) not in own]
        raise NotCompiledError(
            message(
                f"{model._who()}.fit",
                "an optimizer keeps its state for the variables of one model",
                f"one that knows {listed(names, 6)}, which this model does not have",
                "Make a new optimizer for this model: compile(optimizer='adam', ...).",
            )
        )
    if not trainer.has_trained and hasattr(trainer.optimizer, "rebuild"):
        trainer.optimizer.rebuild(now)
        return
    before, after = ({id(v) for v in variables} for variables in (known, now))
    added = [v.path for v in now if id(v) not in before]
    frozen = [v.path for v in known if id(v) not in after]
    parts = [
        f"{what} since compile(): {listed(names, 6)}"
        for what, names in (("trainable", added), ("frozen", frozen))
        if names
    ]
    raise NotCompiledError(
        message(
            f"{model._who()}.fit",
            "the optimizer must know exactly the variables that are trained",
            "; ".join(parts) or "the same variables in another order",
            "After changing `trainable` or the layers, call compile() again: with the same "
            "optimizer object its state is kept, with a new one it starts afresh."
            + ("" if now else f" {_HELD}"),
        )
    )


def _warn_about_targets(model: Any, trainer: CompiledTraining, source: Source, y_pred: Any) -> None:
    if trainer.outputs is None or trainer.are_targets_checked:
        return
    trainer.are_targets_checked = True
    checks.warn_about_logits(model, trainer.outputs)
    if isinstance(source, ArraySource):
        y, weights = source.targets_and_weights()
        for output, target, _, weight in trainer.split(y, y_pred, weights) if y is not None else ():
            checks.warn_about_accuracy(output, target, weight)


def check_targets(trainer: CompiledTraining, source: Source, y_pred: Any, who: str) -> None:
    """Check targets and weights of arrays, or of the first batch: structure and values."""
    check_weights(source, who)
    if trainer.outputs is None:
        return
    if isinstance(source, ArraySource):
        y, weights = source.targets_and_weights()
    else:
        _, y, weights = source.first()
    if y is None:
        return
    for output, target, prediction, weight in trainer.split(y, y_pred, weights):
        checks.check_labels(output.name, output.loss, target, prediction, weight)


def require_flag(value: Any, name: str, who: str, also: tuple[str, ...] = ()) -> None:
    """Raise unless an argument is True, False, 0 or 1, or one of the words in `also`."""
    if isinstance(value, bool | int | np.bool_ | np.integer) and value in (0, 1):
        return
    if isinstance(value, str) and value in also:
        return
    raise ArgumentError(message(who, f"{name} must be True or False", repr(value)))
