"""`predict`: the outputs for data, through one compiled program a batch size.

A batch that is smaller than the batch size is padded to the next power of two and the padding cut
off again, so that requests of any size need only a handful of programs.
"""

# JAX leaves arguments of its functions without types.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

from collections import deque
from contextlib import ExitStack
from typing import Any, NamedTuple

import jax
import numpy as np

from nacre.callbacks.runner import CallbackList, Callbacks
from nacre.core import tree
from nacre.core.dtypes import device_dtype
from nacre.core.equations import numbers_in
from nacre.core.errors import DataError, ShapeError, message
from nacre.core.host_arrays import is_plain
from nacre.core.program import CallProgram, programs_of
from nacre.core.state import State, Updates
from nacre.core.tensors import Count, WholeNumber
from nacre.core.typed_jax import spec_of
from nacre.core.variable import Variable
from nacre.core.warning import warn
from nacre.data.feed import Feed, RowFeed, Stretch
from nacre.data.feeds import feed_of
from nacre.data.recognised import order_varies
from nacre.data.sources import standard_batch, without_arrays
from nacre.layers.base.compiled import call_key
from nacre.ops.kernels.placement import own_program
from nacre.training import inputs, prepare
from nacre.training.arguments import (
    count_of_steps,
    verbosity,
    whole_number,
)
from nacre.training.deferred_signals import DeferredSignals
from nacre.training.few_batches import limited_steps
from nacre.training.gathering import Gathered, own_rows, start_fetching
from nacre.training.own_steps import batch_for_prediction, custom_step, prediction_of
from nacre.training.prediction_loop import ChunkedPrediction
from nacre.training.repeated import Repeated, wait_briefly

_FEW = 32  # samples that `predict` takes as one batch when nobody says how many
IN_FLIGHT = 4  # batches whose results are not fetched yet


class BatchResult(NamedTuple):
    """The outputs for one batch.

    Attributes:
        outputs: Arrays on the device.
        samples: How many were given.
        padded: The same with those of padding.
        changes_state: Whether the call changed variables, as the states of a stateful layer.
    """

    outputs: Any
    samples: int
    padded: int
    changes_state: bool = False


def predict(
    model: Any,
    x: Any,
    *,
    batch_size: WholeNumber | None,
    verbose: Any,
    steps: Count | None,
    callbacks: Callbacks,
    **kwargs: Any,
) -> Any:
    """The outputs for `x` as NumPy arrays; see `Model.predict`."""
    if steps is callbacks is None and not kwargs and (type(verbose) is int or verbose == "auto"):
        repeated = model._repeated_prediction
        if batch_size is None and repeated is not None and repeated.fits(x):
            count = len(x)
            result = _forward(model, x, [x], count, _bucket(count), repeated.program)
            wait_briefly(result.outputs)
            return _fetched(result)
        if _is_small(model, x, batch_size):
            return _small(model, x)
    who = f"{model._who()}.predict"
    prepare.refuse_unknown(who, kwargs, predict)
    batch_size = whole_number(batch_size, "batch_size", who, 32)
    steps = count_of_steps(steps, "steps", who)
    verbose = verbosity(verbose, who)
    is_eager = model._runs_eagerly()
    order = inputs.Order(making=prepare.making(kwargs, who))
    source = inputs.source_of(model, x, who=who, order=order, on_host=not is_eager)
    with ExitStack() as ends:
        ends.enter_context(inputs.workers_end(source))
        _warn_of_other_order(x, source, who)
        if not is_eager and custom_step(model, "predict_step") is None:
            prepare.predictions_spec(model, inputs.batch_specs(source, batch_size)[0], False)
        prepare.check_indices(model, source)
        feed = feed_of(
            source,
            batch_size,
            steps=limited_steps(steps, source, batch_size, who),
            continues=False,
            by_batch=True,
            ahead=prepare.batches_ahead(kwargs, who),
        )
        ends.callback(feed.close)
        is_long = feed.steps is None or feed.steps > 1
        runner = CallbackList.of(callbacks, model, verbose, feed.steps, add_progbar=is_long)
        samples = None
        if isinstance(feed, RowFeed):
            samples = min(feed.steps * feed.batch_size, feed.source.num_rows)
            batch_size = feed.batch_size
        with DeferredSignals() as signals:
            return _run(model, feed, runner, batch_size, samples, who, signals)


def _warn_of_other_order(x: Any, source: inputs.Source, who: str) -> None:
    """Tell when predictions cannot be paired with labels that are asked for afterwards."""
    if isinstance(source, inputs.ArraySource) or not order_varies(x):
        return
    first = source.seen
    # Iterators of images are of arrays or files that the user has, and pairs with predictions.
    if not source.is_indexed and (first is None or first[1] is None):
        return
    warn(
        message(
            who,
            "predictions stand in the order of their own pass",
            f"a {type(x).__name__} that shuffles: no labels or names of files read before or after "
            "stand in that order",
            "Make it with shuffle=False, or without shuffle(); for both from one pass: "
            "for x, y in data: predictions = model.predict_on_batch(x).",
        )
    )


def _run(
    model: Any,
    feed: Feed,
    runner: CallbackList,
    batch_size: int,
    samples: int | None,
    who: str,
    signals: DeferredSignals,
) -> Any:
    runner.on_predict_begin()
    gathered = Gathered(samples, are_shown=runner.has_predict_batch_hooks)
    try:
        _all_batches(model, feed, runner, batch_size, gathered, signals)
    except BaseException as reason:
        runner.end_early("on_predict_end", reason)
        raise
    runner.on_predict_end()
    if not gathered.num_batches:
        raise DataError(message(who, "there must be at least one batch", "none"))
    return gathered.result()


def _all_batches(
    model: Any,
    feed: Feed,
    runner: CallbackList,
    batch_size: int,
    gathered: Gathered,
    signals: DeferredSignals,
) -> None:
    hooks = runner.has_predict_batch_hooks
    waiting: deque[BatchResult] = deque()
    shown: list[Any] = []  # outputs that callbacks see as one, of `steps_per_execution` steps
    steps_a_batch = 1 if model._trainer is None else model._trainer.steps_per_execution or 1
    step = 0
    for stretch in feed.epoch():
        if hooks and not shown:
            runner.on_predict_batch_begin(step)
        result = _predict_batch(model, stretch, batch_size, is_first=step == 0)
        start_fetching(result.outputs)
        waiting.append(result)
        step += 1
        while len(waiting) > (0 if hooks else IN_FLIGHT):
            outputs = _add(gathered, waiting.popleft())
            shown += [outputs] if hooks else []
        if hooks and (step % steps_a_batch == 0 or step == feed.steps):
            runner.on_predict_batch_end(step - 1, {"outputs": _joined(shown)})
            shown = []
        runner.progress(step, dict)
        signals.deliver()
        if step == 1 and not hooks and (chunks := _chunks(model, feed, result)):
            _add(gathered, waiting.popleft())
            _all_chunks(model, chunks, runner, batch_size, gathered, signals)
            return
    for result in waiting:
        _add(gathered, result)
    if shown:
        runner.on_predict_batch_end(step - 1, {"outputs": _joined(shown)})


def _joined(outputs: list[Any]) -> Any:
    """The outputs of several batches as of one."""
    if len(outputs) == 1:
        return outputs[0]

    def join(*leaves: Any) -> np.ndarray:
        return np.concatenate([np.atleast_1d(leaf) for leaf in leaves])

    return tree.map_structure(join, *outputs)


def _add(gathered: Gathered, result: BatchResult) -> Any:
    return gathered.add(result.outputs, result.samples, result.padded)


def _predict_batch(model: Any, stretch: Stretch, batch_size: int, is_first: bool) -> BatchResult:
    """The outputs for a batch, which may be padded to the batch size or a power of two."""
    x = batch_for_prediction(model, tree.pack_sequence_as(stretch.structure, stretch.arrays))
    count = stretch.batch_size
    if count <= batch_size and not is_first:
        size = batch_size
    else:
        size = _bucket(count) if count < batch_size else count
    return _forward(model, x, tree.flatten(x), count, size)


def _chunks(model: Any, feed: Feed, first: BatchResult) -> ChunkedPrediction | None:
    """The batches after the first in chunks, where that can be done and is worthwhile."""
    if not isinstance(feed, RowFeed) or feed.source.convert is not None or model._runs_eagerly():
        return None
    if first.changes_state:
        return None
    rest = feed.source.cut(slice(feed.batch_size, feed.steps * feed.batch_size))
    chunks = ChunkedPrediction(model, rest, feed.batch_size, first.outputs)
    return chunks if chunks.is_worthwhile else None


def _all_chunks(
    model: Any,
    chunks: ChunkedPrediction,
    runner: CallbackList,
    batch_size: int,
    gathered: Gathered,
    signals: DeferredSignals,
) -> None:
    step = 1
    waiting: BatchResult | None = None
    for chunk in chunks.run():
        if isinstance(chunk, Stretch):
            result = _predict_batch(model, chunk, batch_size, is_first=False)
        else:
            result = BatchResult(*chunk)
        start_fetching(result.outputs)
        if waiting is not None:
            _add(gathered, waiting)
        waiting = result
        step += -(-result.samples // batch_size)
        runner.progress(step, dict)
        signals.deliver()
    if waiting is not None:
        _add(gathered, waiting)


def _is_small(model: Any, x: Any, batch_size: WholeNumber | None) -> bool:
    """Whether `x` is one array that makes one batch and needs nothing done before."""
    return (
        type(x) is np.ndarray
        and x.ndim > 0
        and (batch_size is None or (type(batch_size) is int and batch_size > 0))
        and 0 < len(x) <= (batch_size or _FEW)
        and is_plain(x.dtype)
        and model.built
        and not model._runs_eagerly()
        and model._host_stage(x, f"{model._who()}.predict") is None
    )


def _small(model: Any, x: np.ndarray) -> Any:
    """One small array: no callbacks, no sources, one dispatch."""
    if custom_step(model, "predict_step") is None:
        _refuse_wrong_shape(model, x)
    model._check_indices_of(x)
    count = len(x)
    if x.dtype.kind in "iu" and (x.dtype.itemsize > 2 or model._may_not_fit(x)):
        x = inputs.batch_narrower(model, f"{model._who()}.predict")((x, None, None))[0]
    elif x.dtype.itemsize == 8:
        x = x.astype(device_dtype(x.dtype))
    program = _program(model, x)
    try:
        result = _forward(model, x, [x], count, _bucket(count), program)
    except Exception:
        if _bucket(count) != count and custom_step(model, "predict_step") is None:
            # the same mistake, reported with the shape the user gave
            _refuse_for(model, x)
        raise
    if count <= _FEW and Repeated.can_be(model, x):
        model._repeated_prediction = Repeated(model, x, program)
    return _fetched(result)


def _refuse_for(model: Any, x: np.ndarray) -> None:
    """Raise what describing the predictions for an array's own shape raises, if anything."""
    spec = jax.ShapeDtypeStruct(x.shape, device_dtype(x.dtype))
    try:
        prepare.predictions_spec(model, spec, False)
    except Exception as error:
        raise error from None


def _refuse_wrong_shape(model: Any, x: np.ndarray) -> None:
    """Raise for the shape the user gave, not for the padded one the program would see."""
    graph = model._graph
    if graph is None or len(graph.inputs) != 1:
        return
    wanted = graph.inputs[0].shape[1:]
    if len(wanted) != x.ndim - 1 or any(w not in (None, n) for w, n in zip(wanted, x.shape[1:])):
        prepare.predictions_spec(model, jax.ShapeDtypeStruct(x.shape, device_dtype(x.dtype)), False)


def _bucket(count: int) -> int:
    """The next power of two."""
    return 1 << (count - 1).bit_length()


def _fetched(result: BatchResult) -> Any:
    """Outputs of one batch as NumPy arrays without the padding."""
    if isinstance(result.outputs, jax.Array):
        return own_rows(result.outputs, result.samples, result.padded)

    def rows_of(leaf: Any) -> np.ndarray:
        return own_rows(leaf, result.samples, result.padded)

    return tree.map_structure(rows_of, result.outputs)


def _forward(
    model: Any,
    x: Any,
    given: list[Any],
    count: int,
    size: int,
    program: PredictionProgram | None = None,
) -> BatchResult:
    if program is None:
        if model._runs_eagerly():
            return BatchResult(prediction_of(model)(x), count, count)
        program = _program(model, x)
    state = program.state
    if any(leaf is not None and len(leaf) != count for leaf in given) or (
        size != count and program.mixes_samples()
    ):
        size = count  # arrays of different lengths, or samples that see one another
    leaves = given if size == count else [_padded(leaf, size) for leaf in given]
    try:
        updates, outputs = program(state.read(), leaves)
    except ShapeError:
        if size == count:
            raise
        # Only some batch sizes fit, as in reshape(x, (-1, 5)): no error for a size nobody gave.
        return _forward(model, x, given, count, count, program)
    if size != count and any(np.shape(leaf)[:1] != (size,) for leaf in tree.flatten(outputs)):
        # Rows of the outputs are not those of the batch: nothing says which belong to padding.
        return _forward(model, x, given, count, count, program)
    if size != count and program.mixes_samples(given, outputs, count, size):
        return _forward(model, x, given, count, count, program)
    if updates:
        changed = [v for v in _changed(state, updates) if not v.is_seed]
        if size != count and changed:
            _refuse_padded_states(model, changed, count, size)
            # A metric or a sum that `call` keeps counts the samples that were given, and no others.
            program.take_no_padding()
            return _forward(model, x, given, count, count, program)
        state.commit_unless_in_training(updates)
    return BatchResult(outputs, count, size, bool(updates))


def _changed(state: State, updates: Updates) -> list[Variable]:
    return [state.groups[name][index] for name, group in updates.items() for index in group]


def _padded(leaf: Any, size: int, with_other: bool = False) -> Any:
    """A batch with its last sample again, or with samples unlike all of its own, up to a size."""
    if leaf is None:
        return None
    count = size - len(leaf)
    if not with_other or leaf.dtype.kind not in "iuf":
        sample = leaf[:1] if with_other else leaf[-1:]
        return np.concatenate([leaf, np.repeat(sample, count, axis=0)])
    if leaf.dtype.kind != "f":
        return np.concatenate([leaf, np.zeros((count, *leaf.shape[1:]), leaf.dtype)])
    beyond = 2 * np.max(np.abs(leaf), initial=0) + 1
    signs = np.where(np.arange(count) % 2 == 0, 1, -1).reshape(-1, *(1,) * (leaf.ndim - 1))
    rows = np.broadcast_to(signs * beyond, (count, *leaf.shape[1:]))
    return np.concatenate([leaf, rows.astype(leaf.dtype)])


class PredictionProgram(CallProgram):
    """The forward pass; it may be given a padded batch where no sample sees another one."""

    _found: tuple[int, bool] | None = None  # compilations at that time, whether samples mix

    def take_no_padding(self) -> None:
        """Run batches as they are from now on."""
        self._found = (len(self.traced_shapes), True)

    def mixes_samples(
        self, given: list[Any] | None = None, outputs: Any = None, count: int = 0, size: int = 0
    ) -> bool:
        """Whether what a sample gives depends on others in its batch, as far as it is known.

        Found by running a padded batch a second time, with other padding: code of the user may
        subtract a batch's mean. Checked again after each compilation. Numbers of the code that
        change with the size of a batch, as one that is divided by, are such a dependence too.
        """
        compilations = len(self.traced_shapes)
        if self._found is None or (given is not None and self._found[0] != compilations):
            if given is None:
                return False
            leaves = [_padded(leaf, size, with_other=True) for leaf in given]
            _, others = self(self.state.read(), leaves)
            pairs = zip(tree.flatten(outputs), tree.flatten(others), strict=True)
            apart = all(_are_same(one[:count], other[:count]) for one, other in pairs)
            if apart:  # what is divided by the size of the batch would be by that of the padded one
                short = [None if leaf is None else leaf[:count] for leaf in leaves]
                apart = self._has_the_numbers_of(short, leaves)
            self._found = (len(self.traced_shapes), not apart)
        return self._found[1]

    def _has_the_numbers_of(self, short: Any, padded: Any) -> bool:
        """Whether no number of the code is another one for the batch as it is."""
        try:
            found = numbers_in(self.trace(self.state.read(), short).jaxpr)
        except Exception:  # of a model that takes batches of one size: no other one to differ from
            return True
        return found == numbers_in(self.trace(self.state.read(), padded).jaxpr)


def _are_same(one: Any, other: Any) -> bool:
    one, other = np.asarray(one), np.asarray(other)
    return bool(np.all((one == other) | ((one != one) & (other != other))))


def _refuse_padded_states(model: Any, changed: list[Variable], count: int, size: int) -> None:
    """Raise where rows of padding would stay in states that go from batch to batch."""
    if any(len(v.shape) > 1 and v.shape[0] == size for v in changed):
        raise ShapeError(
            message(
                f"{model._who()}.predict",
                f"a stateful layer takes batches of {size}, its size when it was built",
                f"a batch of {count}",
                "Leave out the last, smaller batch, or build the model for the other size.",
            )
        )


def _program(model: Any, x: Any) -> PredictionProgram:
    """The compiled forward pass for one structure of inputs.

    Few models change anything while they predict: stateful recurrent layers carry their states from
    batch to batch.
    """
    structure = tree.structure_key(tree.map_structure(_is_none, x)) if tree.is_nested(x) else None
    key = ("predict", *call_key(model), structure)
    return programs_of(model).get(key, lambda: _prediction_program(model, x))


def _prediction_program(model: Any, x: Any) -> PredictionProgram:
    structure, state = without_arrays(x), State({"model": model.variables})
    step = prediction_of(model)

    def run(leaves: list[Any]) -> Any:
        leaves = leaves if state.layout is None else state.layout.divided(leaves)
        with own_program():
            return step(tree.pack_sequence_as(structure, leaves))

    return PredictionProgram(run, state, name="predict")


def predict_on_batch(model: Any, x: Any) -> Any:
    """The outputs for one batch; see `Model.predict_on_batch`."""
    who = f"{model._who()}.predict_on_batch"
    x, _, _ = standard_batch((x,), who)
    on_host = not model._runs_eagerly()
    if on_host and (stage := model._host_stage(x, who)) is not None:
        x = stage(x)
    model._check_indices_of(x)
    x, _, _ = inputs.batch_narrower(model, who, on_host)((x, None, None))
    leaves = tree.flatten(x)
    count = next(len(leaf) for leaf in leaves if leaf is not None)
    if custom_step(model, "predict_step") is None:
        prepare.predictions_spec(model, tree.map_structure(_spec_or_none, x), False)
    x = batch_for_prediction(model, (x, None, None))
    return _fetched(_forward(model, x, leaves, count, count))


def _is_none(leaf: object) -> bool:
    return leaf is None


def _spec_or_none(leaf: Any) -> jax.ShapeDtypeStruct | None:
    return None if leaf is None else spec_of(leaf)


__all__ = ["predict", "predict_on_batch"]
