"""Names of Keras that are not here yet, and what to do instead: reported when one is used."""

from __future__ import annotations

import sys
from difflib import get_close_matches

_TRACES = (
    "Graphs of TensorFlow are not here: nacre.callbacks.TensorBoard writes the graph of a model, "
    "and with profile_batch a profile; in a loop by hand jax.profiler.trace(folder) does."
)

_PHASE = "A call says whether it is training: model(x, training=True)."
_LOCAL = "Layers with weights of their own at each place are not here."
_QUEUES = (
    "fit reads ahead by itself: give it the PyDataset, with its workers=, use_multiprocessing= and "
    "max_queue_size=, or the generator."
)

NOT_YET: dict[str, str] = {
    "saving.KerasFileEditor": "Editing files of weights is not here yet: h5py opens .weights.h5.",
    "summary.trace_on": _TRACES,
    "summary.trace_off": _TRACES,
    "summary.trace_export": _TRACES,
    "summary.graph": "nacre.callbacks.TensorBoard(log_dir, write_graph=True) writes the graph of a "
    "model.",
    "backend.gradients": "Gradients are those of a tape: with nacre.GradientTape() as tape: ...; "
    "tape.gradient(loss, variables).",
    "backend.placeholder": "A model begins with nacre.Input(shape=...).",
    "backend.set_learning_phase": _PHASE,
    "backend.learning_phase_scope": _PHASE,
    "backend.manual_variable_initialization": "Variables have their values when they are made.",
    "backend.reset_uids": "nacre.utils.clear_session() counts names from the beginning.",
    "backend.rnn": "nacre.layers.RNN(cell) applies a cell of yours to each step.",
    "backend.local_conv1d": _LOCAL,
    "backend.local_conv2d": _LOCAL,
    "backend.conv2d_transpose": "nacre.ops.conv_transpose does it, without output_shape.",
    "backend.binary_focal_crossentropy": "nacre.losses has binary_focal_crossentropy.",
    "backend.categorical_focal_crossentropy": "nacre.losses has categorical_focal_crossentropy.",
    "backend.ctc_label_dense_to_sparse": "There are no sparse tensors: ctc_batch_cost takes labels "
    "as they are.",
    "backend.experimental": "Random numbers are drawn from nacre's one generator: "
    "nacre.utils.set_random_seed(seed).",
    "utils.OrderedEnqueuer": _QUEUES,
    "utils.GeneratorEnqueuer": _QUEUES,
    "utils.SequenceEnqueuer": _QUEUES,
    "utils.TimedThread": "threading.Timer of Python does it.",
    "utils.SidecarEvaluator": "model.evaluate on each checkpoint, in a process of its own.",
    "utils.StepsPerExecutionTuner": "fit finds the number of steps of a program by itself.",
    "utils.experimental": "fit takes a nacre.data.Dataset as it is.",
}


def no_attribute(module: str, name: str, names: list[str] | None = None) -> AttributeError:
    """The error for a name that a module does not have, with what to do.

    Args:
        module: The module, such as 'nacre.utils'.
        name: What was asked for.
        names: The module's public names, for a hint; else Python gives one when it prints.
    """
    reason = NOT_YET.get(f"{module}.{name}".removeprefix("nacre."), "")
    if not reason and names and not name.startswith("_"):  # tools ask for those, of every object
        close = get_close_matches(name, names, n=1)
        reason = f"Did you mean {close[0]!r}?" if close else ""
    text = f"module {module!r} has no attribute {name!r}"
    return AttributeError(
        f"{text}. {reason}" if reason else text,
        name=None if reason else name,  # with a name Python adds a hint of its own
        obj=None if reason else sys.modules.get(module),
    )


__all__ = ["NOT_YET", "no_attribute"]
