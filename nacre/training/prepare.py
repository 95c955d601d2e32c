"""Everything that happens between the call of `fit` and the first step, shared with `evaluate`.

Sources are made, the model is built from the shapes of the first rows, losses and metrics are bound
to the outputs, the optimizer gets its variables, and all that can be refused is refused here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from nacre.core import errors, scope, tree
from nacre.core.errors import ArgumentError, DataError, NotCompiledError, message
from nacre.core.strings import is_text, strings_refused
from nacre.core.symbolic import KerasTensor
from nacre.data.row_batches import RowBatches
from nacre.data.rows import device_dtype, is_array_like
from nacre.data.sources import CPU_BUDGET_BYTES, ArraySource, BatchSource
from nacre.training import checks
from nacre.training.compile import CompiledTraining
from nacre.training.weights import check_weights

# tf.keras 2 arguments about worker processes: sources bring their own workers.
_ACCEPTED_SILENTLY = frozenset(("workers", "use_multiprocessing", "max_queue_size"))


def refuse_unknown(who: str, kwargs: dict[str, Any], function: Callable[..., Any]) -> None:
    """Raise for arguments that neither `function` nor tf.keras 2 has."""
    unknown = {k: v for k, v in kwargs.items() if k not in _ACCEPTED_SILENTLY}
    errors.refuse_unknown(who, unknown, function)


def require_compiled(model: Any, method: str) -> CompiledTraining:
    """What `compile` made, or the error that says to call it."""
    if model._trainer is None:
        raise checks.not_compiled(model._who(), method)
    return model._trainer


def make_source(
    x: Any,
    y: Any,
    sample_weight: Any,
    who: str,
    *,
    shuffle: bool = False,
) -> ArraySource | BatchSource:
    """Arrays or batches, told apart by what `x` is."""
    checks.require_data(x, who)
    if isinstance(x, ArraySource | BatchSource):
        return x
    if is_array_like(x):
        return ArraySource(x, y, sample_weight, who)
    if not hasattr(x, "__iter__") and not hasattr(x, "__getitem__"):
        raise DataError(
            message(
                who,
                "x must be arrays, a generator, a PyDataset or another source of batches",
                f"{type(x).__name__}",
                "Convert it to a NumPy array first.",
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
    return BatchSource(x, who, shuffle)


def staged(
    model: Any, source: ArraySource | BatchSource, rows: int, who: str, shuffle: bool = False
) -> ArraySource | BatchSource:
    """A source whose strings become numbers by the model's own layers that take strings.

    Arrays are mapped at once when the result fits; else batch by batch, in the thread that makes
    batches ahead.

    Raises:
        DTypeError: There are strings that nothing takes.
    """
    if isinstance(source, ArraySource):
        sample = source.pack([None if a is None else a[:1] for a in source.leaves])
    else:
        sample = source.preview()
        if sample is None:
            return source  # `peek` tells that it is empty
    _refuse_text_targets(sample, who)
    stage = model._host_stage(sample[0], who)
    if stage is None:
        return source

    def map_batch(batch: Any) -> Any:
        return (stage(batch[0]), *batch[1:])

    if isinstance(source, BatchSource):
        map_batch(sample)  # what can be refused is refused here, not in a thread
    elif _fits_when_mapped(map_batch, source):
        return ArraySource(*map_batch(source.pack(source.leaves)), who=who)
    else:
        source = BatchSource(RowBatches(source, rows, shuffle), who)
    source.stage = map_batch
    return source


def _fits_when_mapped(map_batch: Any, source: ArraySource) -> bool:
    """Whether what strings become can be kept whole, judged by the first rows."""
    picked = source.pack([None if a is None else a[:64] for a in source.leaves])
    mapped = ArraySource(*map_batch(picked))
    return mapped.row_bytes * source.num_rows <= CPU_BUDGET_BYTES


def _refuse_text_targets(batch: Any, who: str) -> None:
    for label, part in (("targets", batch[1]), ("sample weights", batch[2])):
        if any(is_text(leaf) for leaf in tree.flatten(part)):
            raise strings_refused(f"{who}, {label}", "strings")


def batch_specs(source: ArraySource | BatchSource, rows: int) -> Any:
    """(x, y, sample_weight) as shapes and dtypes of a batch."""

    def spec(leaf: Any) -> Any:
        if leaf is None:
            return None
        return jax.ShapeDtypeStruct(leaf.shape, device_dtype(leaf.dtype))

    if isinstance(source, BatchSource):
        return tree.map_structure(spec, source.peek())
    shapes = [
        None
        if leaf is None
        else jax.ShapeDtypeStruct((rows, *leaf.shape[1:]), device_dtype(leaf.dtype))
        for leaf in source.leaves
    ]
    return source.pack(shapes)


def predictions_spec(model: Any, x: Any, training: bool) -> Any:
    """Shapes and dtypes of the predictions; builds the model; raises on inputs that do not fit."""
    graph = getattr(model, "_graph", None)
    if graph is not None and type(model).call is _base_call(model):
        _check_graph_inputs(model, x)
        return tree.map_structure(_struct, model._nested_outputs)

    def forward(leaves: list[Any]) -> Any:
        inputs = tree.pack_sequence_as(x, leaves)
        with scope.StatelessScope(), scope.entered_call(scope.CallContext(model, training)):
            return model(inputs, training=training)

    result = jax.eval_shape(forward, tree.flatten(x))
    if getattr(model, "_graph", None) is not None:
        _check_graph_inputs(model, x)
    return result


def _base_call(model: Any) -> Any:
    for base in type(model).__mro__:
        if base.__name__ in ("Sequential", "Model"):
            return base.call
    return None


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
    source: ArraySource | BatchSource,
    rows: int,
    training: bool,
    who: str,
) -> Any:
    """Build the model, bind losses and metrics, give the optimizer its variables, check labels.

    Returns:
        Shapes and dtypes of the predictions.
    """
    x, y, _ = batch_specs(source, rows)
    y_pred = predictions_spec(model, x, training)
    given = source.pack(source.leaves) if isinstance(source, ArraySource) else source.peek()
    model._check_indices_of(given[0])
    trainer.bind(model, y, y_pred)
    if training:
        _build_optimizer(model, trainer)
        _look_at_targets(model, trainer, source, y_pred)
    check_targets(trainer, source, y_pred, who)
    return y_pred


def _build_optimizer(model: Any, trainer: CompiledTraining) -> None:
    optimizer, variables = trainer.optimizer, model.trainable_variables
    if not variables:
        raise NotCompiledError(
            message(
                f"{model._who()}.fit",
                "there must be something to train",
                "a model without trainable variables",
                "Set trainable = True on a layer, then compile again.",
            )
        )
    if not getattr(optimizer, "built", False):
        optimizer.build(variables)
    else:
        known = _known_variables(optimizer)
        if known is not None and [id(v) for v in known] != [id(v) for v in variables]:
            _go_on_with(model, trainer, known, variables)
    trainer.has_trained = True


def _known_variables(optimizer: Any) -> list[Any] | None:
    known = getattr(optimizer, "_trainable_variables", None)
    inner = getattr(optimizer, "inner_optimizer", None)
    if known is None and inner is not None:
        known = getattr(inner, "_trainable_variables", None)
    return known


def _go_on_with(model: Any, trainer: CompiledTraining, known: list[Any], now: list[Any]) -> None:
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
                f"one that knows {_shown(names)}, which this model does not have",
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
        f"{what} since compile(): {_shown(names)}"
        for what, names in (("trainable", added), ("frozen", frozen))
        if names
    ]
    raise NotCompiledError(
        message(
            f"{model._who()}.fit",
            "the optimizer must know exactly the variables that are trained",
            "; ".join(parts) or "the same variables in another order",
            "After changing `trainable` or the layers, call compile() again: with the same "
            "optimizer object its state is kept, with a new one it starts afresh.",
        )
    )


def _shown(names: list[str]) -> str:
    """The first names of a list, for a message."""
    return ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")


def _look_at_targets(
    model: Any, trainer: CompiledTraining, source: ArraySource | BatchSource, y_pred: Any
) -> None:
    if trainer.outputs is None or getattr(trainer, "_looked", False):
        return
    trainer._looked = True
    checks.warn_about_logits(model, trainer.outputs)


def check_targets(
    trainer: CompiledTraining, source: ArraySource | BatchSource, y_pred: Any, who: str
) -> None:
    """Look at targets and weights of arrays, or of the first batch: structure and values."""
    check_weights(source, who)
    if trainer.outputs is None:
        return
    if isinstance(source, ArraySource):
        _, y, weights = source.pack([_host(leaf) for leaf in source.leaves])
    else:
        _, y, weights = source.peek()
    if y is None:
        return
    for output, target, prediction, weight in trainer.split(y, y_pred, weights):
        checks.check_labels(output.name, output.loss, target, prediction, weight)


def _host(leaf: Any) -> Any:
    return leaf if isinstance(leaf, np.ndarray) or leaf is None else np.asarray(leaf)


def validation_source(
    validation_data: Any, validation_split: float, source: Any, who: str
) -> tuple[Any, ArraySource | BatchSource | None]:
    """(training source, validation source or None)."""
    if validation_split and validation_data is None:
        if not isinstance(source, ArraySource):
            raise DataError(
                message(
                    who,
                    "validation_split works on arrays",
                    f"{type(source).__name__}",
                    "Pass validation_data instead.",
                )
            )
        return source.split(validation_split, who)
    if validation_data is None:
        return source, None
    if (
        isinstance(validation_data, tuple | list)
        and 2 <= len(validation_data) <= 3
        and all(is_array_like(v) or v is None for v in validation_data)
    ):
        x, y, weight = (*validation_data, None)[:3]
        return source, make_source(x, y, weight, f"{who}, validation_data")
    return source, make_source(validation_data, None, None, f"{who}, validation_data")


def positive_int(value: Any, name: str, who: str, default: int | None = None) -> Any:
    """An argument that must be a positive int, or None for its default."""
    if value is None:
        return default
    if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < 1:
        raise ArgumentError(message(who, f"{name} must be a positive int", repr(value)))
    return int(value)
