"""What `fit`, `evaluate` and `predict` do before the first step.

The model is built from the shapes of the first batch, losses and metrics are bound to the outputs,
the optimizer gets its variables, and all that can be refused is refused here.
"""

# JAX leaves arguments of its functions without types.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

import functools
from collections.abc import Callable, Hashable, Mapping
from typing import Any

import jax
import numpy as np

from nacre.core import attribute_reads, errors, leftovers, scope, tree
from nacre.core.errors import (
    ArgumentError,
    DataError,
    LossInputError,
    NotCompiledError,
    listed,
    message,
)
from nacre.core.program import programs_of, settings_key
from nacre.core.reach import Reach
from nacre.core.strings import is_text
from nacre.core.symbolic import KerasTensor
from nacre.core.typed_jax import spec_of
from nacre.core.user_code import as_traced
from nacre.core.warning import warn
from nacre.data.batch_source import BatchSource
from nacre.data.batches import pack_x_y_sample_weight
from nacre.data.feed import Stretch, stretch_of_rows
from nacre.data.indexed import Making
from nacre.data.sources import ArraySource, Batch, without_arrays
from nacre.layers.base.inventory import is_layer
from nacre.training import checks
from nacre.training.arguments import whole_number
from nacre.training.compile import CompiledTraining
from nacre.training.inputs import Source, batch_specs, source_of_batch
from nacre.training.own_steps import (
    StepName,
    custom_step,
    flags_of_one_step,
    takes_state_first,
)
from nacre.training.state import tell_paths
from nacre.training.weights import (
    check_weights,
    class_weights_for,
    with_class_weights,
    with_present_inputs,
)

# tf.keras 2's arguments about workers, for batches by index; others have none.
_ACCEPTED_SILENTLY = frozenset(("workers", "use_multiprocessing", "max_queue_size"))


def batches_ahead(kwargs: Mapping[str, Any], who: str) -> int | None:
    """How many batches tf.keras 2's `max_queue_size` asks to be made ahead; None without it."""
    return whole_number(kwargs.get("max_queue_size"), "max_queue_size", who, least=0)


def making(kwargs: Mapping[str, Any], who: str) -> Making:
    """By what workers tf.keras 2's arguments ask batches to be made by index."""
    uses_processes = kwargs.get("use_multiprocessing")
    if uses_processes is not None:
        require_flag(uses_processes, "use_multiprocessing", who)
    return Making(
        whole_number(kwargs.get("workers"), "workers", who, least=0),
        uses_processes,
        batches_ahead(kwargs, who),
    )


def refuse_unknown(who: str, kwargs: Mapping[str, Any], function: Callable[..., Any]) -> None:
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
    forms = tuple([None if a is None else (tuple(a.shape), a.dtype) for a in leaves])
    structure = repr(without_arrays(x)) if tree.is_nested(x) else None
    return "spec", model._inventory().token, training, structure, forms, settings_key()


def _predictions_spec(
    model: Any, x: Any, training: bool, batch: Callable[[], Any] | None = None
) -> Any:
    if model._runs_its_graph() and not model._free_axes:
        _check_graph_inputs(model, x)
        return tree.map_structure(_struct, model._nested_outputs)

    result, _ = _called_once(model, x, training, batch)
    if model._graph is not None:
        _check_graph_inputs(model, x)
    return result


def _called_once(
    model: Any, x: Any, training: bool, batch: Callable[[], Any] | None
) -> tuple[Any, bool]:
    """Shapes and dtypes of the predictions, and whether any of them has a mask."""
    are_masked: list[bool] = []

    def forward(leaves: list[Any]) -> Any:
        inputs = tree.pack_sequence_as(x, leaves)
        with (
            scope.running_program(scope.ProgramRun(is_traced=batch is None)),
            scope.StatelessScope() as inner,
            scope.entered_call(scope.CallContext(model, training)),
        ):
            outputs = model(inputs, training=training)
            are_masked.extend(scope.get_mask(leaf) is not None for leaf in tree.flatten(outputs))
            inner.forget_draws()
        return outputs

    if batch is None:
        with leftovers.cleared(is_trial=True):
            result = jax.eval_shape(forward, tree.flatten(x))
    else:
        leaves = map(_on_device, tree.flatten(batch()), tree.flatten(x))
        with jax.disable_jit(), attribute_reads.noted():
            result = forward(list(leaves))
        result = jax.tree.map(spec_of, result)
    return result, any(are_masked)


def _on_device(leaf: Any, spec: Any) -> Any:
    return leaf if spec is None or is_text(leaf) else jax.numpy.asarray(leaf, spec.dtype)


def _first_inputs(source: Source, batch_size: int) -> Any:
    return _first_batch(source, batch_size)[0]


def _first_batch(source: Source, batch_size: int) -> Any:
    if isinstance(source, BatchSource):
        return source.first()
    return source.batch(slice(0, min(batch_size, source.num_rows)))


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
        return _prepared_uncalled(model, trainer, source, training)
    # Code that is run step by step asks for values, and a breakpoint in it shows them.
    batch = functools.partial(_first_inputs, source, batch_size) if trainer.run_eagerly else None
    try:
        y_pred = predictions_spec(model, x, training, batch)
    except Exception:
        # The step of the user's may call the parts alone, and the model is for something else, as
        # a generator of GANs is. If it does call the model, the same error comes from there.
        if not _may_go_uncalled(model, trainer, training):
            if not _is_built_by_step(model, trainer, source, batch_size, training):
                raise
        return _prepared_uncalled(model, trainer, source, training)
    step: StepName = "train_step" if training else "test_step"
    try:
        trainer.bind(model, y, y_pred)
    except LossInputError:
        if custom_step(model, step) is None:
            raise  # else the step may make targets, and what it makes is bound
    check_indices(model, source, trainer)
    if training:
        _build_optimizer(model, trainer)
        _warn_about_targets(model, trainer, source, y_pred)
    try:
        check_targets(trainer, source, y_pred, who)
    except LossInputError as error:
        if custom_step(model, step) is not None:
            trainer.targets_of_step.refuse_if_handed_on(error)
        elif not _called_once(model, x, training, batch)[1]:
            raise  # of labels at masked steps, which nobody reads, only the step knows
    by_class = class_weights_for(trainer, class_weight, y_pred, who)
    return source if by_class is None else with_class_weights(source, by_class)


def prepared_batch(
    model: Any,
    trainer: CompiledTraining,
    x: Any,
    y: Any,
    sample_weight: Any,
    *,
    training: bool,
    who: str,
    class_weight: Any = None,
) -> Stretch:
    """The same for one batch of arrays, as one step."""
    source = source_of_batch(model, x, y, sample_weight, who=who)
    source = prepare(
        model,
        trainer,
        source,
        source.num_rows,
        training=training,
        who=who,
        class_weight=class_weight,
    )
    assert isinstance(source, ArraySource)  # as the one of one batch is
    return stretch_of_rows(source, slice(None), 0, sends=False)


def _is_never_called(model: Any, training: bool) -> bool:
    """Whether a step of the user's works with parts of a model that has no `call`, as GANs do."""
    if model._computes():
        return False
    return custom_step(model, "train_step" if training else "test_step") is not None


def _prepared_uncalled(
    model: Any, trainer: CompiledTraining, source: Source, training: bool
) -> Source:
    model.built = all(layer.built for layer in model._flatten_layers(include_self=False))
    if training:
        _build_optimizer(model, trainer)
    return source


def _may_go_uncalled(model: Any, trainer: CompiledTraining, training: bool) -> bool:
    """Whether a step of the user's has all it needs though the model was not called before it."""
    own_step = custom_step(model, "train_step" if training else "test_step")
    parts = model._flatten_layers(include_self=False)
    # A loss is bound in the step, to what it computes; metrics would be made too late there.
    metrics = (trainer.given["metrics"], trainer.given["weighted_metrics"])
    return (
        own_step is not None
        and not any(metrics)  # [] is none too
        and bool(parts)
        and all(part.built for part in parts)
    )


def _is_built_by_step(
    model: Any, trainer: CompiledTraining, source: Source, batch_size: int, training: bool
) -> bool:
    """Try a step of the user's, which builds what it calls, on whatever inputs that may be.

    What it changes is dropped. Where it fails, its own error is the one to tell.

    Returns:
        Whether there is such a step, and all is built now.
    """
    step: StepName = "train_step" if training else "test_step"
    method = custom_step(model, step)
    if method is None or takes_state_first(model, step, method):
        return False
    is_traced = not trainer.run_eagerly

    def tried(*batch: Any) -> None:
        with (
            scope.running_program(scope.ProgramRun(is_traced=is_traced)),
            scope.StatelessScope() as inner,
            scope.entered_call(None),
            trainer.targets_of_step.given(batch[1]),
        ):
            inner.losses_of = {}
            as_traced(method)(pack_x_y_sample_weight(*batch))
            inner.forget_draws()

    with flags_of_one_step(model):
        if is_traced:
            with leftovers.cleared(is_trial=True):
                jax.eval_shape(tried, *batch_specs(source, batch_size))
        else:
            with jax.disable_jit(), attribute_reads.noted():
                tried(*_first_batch(source, batch_size))
    return all(part.built for part in model._flatten_layers(include_self=False))


def check_indices(model: Any, source: Source, trainer: CompiledTraining | None = None) -> None:
    """Refuse indices outside a table while they are on the host: of all rows, or batch by batch.

    Args:
        model: The model.
        source: Its inputs.
        trainer: Where weights count, what they belong to: where they are 0 any index may stand.

    Raises:
        DataError: There is one, named with its row.
    """

    def check(batch: Batch) -> Batch:
        try:
            model._check_indices_of(batch[0])
        except (DataError, ArgumentError):
            weights = [] if trainer is None else trainer.weights_that_count(batch[2])
            present = with_present_inputs(batch[0], weights)
            if present is None:
                raise
            model._check_indices_of(present)
        return batch

    if isinstance(source, BatchSource):
        source.add_conversion(check)
    elif source.convert is None:
        check(source.parts)
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
        if layer._changes_nothing():
            warn(
                message(
                    f"{model._who()}.fit",
                    f"{layer._who()} changes nothing, as it knows no mean and variance",
                    "a layer whose adapt was not called",
                    "Call adapt(data) on it before fit, or leave it out.",
                )
            )


def _warn_of_weights_in_lambdas(model: Any, trainer: CompiledTraining) -> None:
    """Say which weights a Lambda's function uses that nothing in the model holds."""
    if trainer.has_trained:
        return
    known = {id(variable) for variable in model.weights}
    for layer in model._flatten_layers():
        parts = Reach(layer._bare_functions()).parts
        outside = {id(v): v.path for p in parts if is_layer(p) for v in p.trainable_variables}
        paths = [path for key, path in outside.items() if key not in known]
        if paths:
            warn(
                message(
                    layer._who(),
                    "weights that its function uses are neither trained nor saved with the model",
                    listed(paths),
                    "Call their layer in the place of the Lambda, or in a layer of your own that "
                    "holds it; where they are to stay as they are, set its trainable = False.",
                )
            )


def _build_optimizer(model: Any, trainer: CompiledTraining) -> None:
    optimizer, lists = trainer.optimizer_in_use, model._inventory().lists()
    if trainer.settled is not None:
        token, known = trainer.settled
        if token == lists.token and known is optimizer.trained_variables:
            return
    variables = model.trainable_variables
    _warn_of_forgotten_adapt(model, trainer)
    _warn_of_weights_in_lambdas(model, trainer)
    if not variables:
        known = optimizer.trained_variables if trainer.has_trained else None
        if known:
            _continue_with(model, trainer, known, variables)
        if custom_step(model, "train_step") is not None and not all(
            part.built for part in model._flatten_layers(include_self=False)
        ):
            return  # its step builds them
        got = "a model without trainable variables"
        fix = "Set trainable = True on a layer, then compile again. " + _HELD
        if not model.weights:
            got, fix = "a model without variables", "Give it layers that have some, such as Dense."
        warn(
            message(
                f"{model._who()}.fit",
                "there is nothing to train, so only losses, metrics and statistics are computed",
                got,
                fix,
            )
        )
        return
    tell_paths(model, optimizer)
    if not trainer.has_trained and lists.whole_numbers:
        paths = listed([variable.path for variable in lists.whole_numbers])
        warn(
            message(
                f"{model._who()}.fit",
                "what is trained must hold floats; whole numbers have no gradient, and the "
                "optimizer leaves them alone",
                f"trainable variables of whole numbers: {paths}",
                "Give them trainable=False, or dtype='float32' where they are to be learnt.",
            )
        )
    if not optimizer.built:
        optimizer.build(variables)
    else:
        known = optimizer.trained_variables
        if [id(v) for v in known] != [id(v) for v in variables]:
            _continue_with(model, trainer, known, variables)
    trainer.has_trained = True
    trainer.settled = lists.token, optimizer.trained_variables


def settle_optimizer(model: Any, trainer: CompiledTraining) -> None:
    """Let the optimizer go on with the variables that are trainable now, in the middle of a run."""
    optimizer, lists = trainer.optimizer_in_use, model._inventory().lists()
    tell_paths(model, optimizer)
    optimizer.rebuild(model.trainable_variables)
    trainer.has_trained = True
    trainer.settled = lists.token, optimizer.trained_variables


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
    if not trainer.has_trained:
        trainer.optimizer_in_use.rebuild(now)
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


def _is_flag(value: object) -> bool:
    return isinstance(value, bool | int | np.bool_ | np.integer) and value in (0, 1)


def require_flag(value: Any, name: str, who: str, also: tuple[str, ...] = ()) -> None:
    """Raise unless an argument is True, False, 0 or 1, or one of the words in `also`."""
    if _is_flag(value):
        return
    if isinstance(value, str) and value in also:
        return
    raise ArgumentError(message(who, f"{name} must be True or False", repr(value)))
